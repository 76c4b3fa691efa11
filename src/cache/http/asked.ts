/** One request to the cache, with all that the rules need to know of it. */

import type { Exchange } from '../../wire/exchange.ts';
import type { RawHeaders, RequestHead } from '../../wire/message.ts';
import type { Arrival } from '../arrival.ts';
import type { ReadyAnswer } from './at-hand.ts';
import { isConditional } from './conditions.ts';
import { type Directives, directivesOfRequest } from './directives.ts';
import { has } from './fields.ts';
import { type ReadRequestFields, readRequestFields } from './request-fields.ts';
import type { SiteRule } from './site-rules.ts';

/** What a head asks for, whoever sends it. */
export interface Wanted {
  readonly method: string;
  /** Canonical: what is asked of the origin. */
  readonly url: URL;
  /** What things are kept under. */
  readonly key: string;
  readonly headers: RawHeaders;
  readonly directives: Directives;
  readonly fields: ReadRequestFields;
  /** What others get may be not what this one would get. */
  readonly wantsOwn: boolean;
  /** It wants the whole of what is fresh, and says nothing else. */
  readonly isPlain: boolean;
  readonly rule: SiteRule;
  /** What the same head was answered with the last time, where that may be so again. */
  readonly last: { ready: ReadyAnswer | null };
}

export interface Asked extends Wanted {
  readonly exchange: Exchange;
  readonly arrival: Arrival;
}

export function readWanted({ method, headers }: RequestHead, url: URL, rule: SiteRule): Wanted {
  const fields = readRequestFields(headers, rule);
  const directives = directivesOfRequest(headers);
  const wantsOwn = fields.isPeculiar || has(headers, 'authorization');
  const isPartial = isConditional(headers) || has(headers, 'range');
  return {
    method,
    url,
    key: keyOf(url),
    headers,
    directives,
    fields,
    wantsOwn,
    isPlain: method === 'GET' && directives.size === 0 && !wantsOwn && !isPartial,
    rule,
    last: { ready: null },
  };
}

/** Written out: to copy all that an object has costs more. */
export function askedBy(exchange: Exchange, arrival: Arrival, wanted: Wanted): Asked {
  const { method, url, key, headers, directives, fields, wantsOwn, isPlain, rule, last } = wanted;
  return { exchange, arrival, method, url, key, headers, directives, fields, wantsOwn, isPlain, rule, last };
}

export function keyOf(url: URL): string {
  return `http:${url.href}`;
}
