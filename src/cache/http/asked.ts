/** One request to the cache, with all that the rules need to know of it. */

import type { Exchange } from '../../wire/exchange.ts';
import type { RawHeaders } from '../../wire/message.ts';
import type { Arrival } from '../arrival.ts';
import { type Directives, directivesOfRequest } from './directives.ts';
import { has } from './fields.ts';
import { type ReadRequestFields, readRequestFields } from './request-fields.ts';
import type { SiteRule } from './site-rules.ts';

export interface Asked {
  readonly exchange: Exchange;
  readonly arrival: Arrival;
  readonly method: string;
  /** Canonical: what is asked of the origin, and what things are kept under. */
  readonly url: URL;
  readonly headers: RawHeaders;
  readonly directives: Directives;
  readonly fields: ReadRequestFields;
  /** What others get may be not what this one would get. */
  readonly wantsOwn: boolean;
  readonly rule: SiteRule;
}

export function readAsked(exchange: Exchange, arrival: Arrival, url: URL, rule: SiteRule): Asked {
  const { method, headers } = exchange.head;
  const fields = readRequestFields(headers, rule);
  return {
    exchange,
    arrival,
    method,
    url,
    headers,
    directives: directivesOfRequest(headers),
    fields,
    wantsOwn: fields.isPeculiar || has(headers, 'authorization'),
    rule,
  };
}

export function keyOf(url: URL): string {
  return `http:${url.href}`;
}
