/** Whether an answer may be kept for others (RFC 9111 §3). */

import { endToEnd } from '../../wire/end-to-end.ts';
import type { RawHeaders } from '../../wire/message.ts';
import {
  type AnswerDirectives,
  type Directives,
  directivesOfAnswer,
  forbidsStale,
  isOpenToAll,
  qualifiedFields,
  unqualified,
} from './directives.ts';
import { has, without } from './fields.ts';
import { lifetimeOf } from './freshness.ts';
import type { SiteRule } from './site-rules.ts';
import { selectingNames } from './vary.ts';

/** Those that this cache knows the meaning of (`must-understand`). */
const UNDERSTOOD = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 404, 405, 410, 414, 451, 500, 501, 502, 503, 504,
]);

/** They are about the one who asks, how they ask, or about now. */
const NEVER = new Set([206, 304, 401, 403, 406, 407, 408, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429, 431, 511]);

export interface StorableQuestion {
  readonly method: string;
  readonly request: Directives;
  readonly hasCredentials: boolean;
  readonly isPeculiar: boolean;
  readonly status: number;
  readonly headers: RawHeaders;
  readonly requestedMs: number;
  readonly answeredMs: number;
  /** The end of the body can be told from a broken connection. */
  readonly isDelimited: boolean;
  readonly rule: SiteRule;
}

/** Why not; null where it may be kept. */
export function reasonNotToStore(question: StorableQuestion): string | null {
  const { method, request, status, headers, rule } = question;
  const directives = directivesOfAnswer(headers);
  const { all } = directives;
  if (method !== 'GET') return 'method';
  if (status < 200 || NEVER.has(status)) return 'status';
  if (request.has('no-store')) return 'request-no-store';
  if (all.has('must-understand') ? !UNDERSTOOD.has(status) : all.has('no-store')) return 'no-store';
  if (unqualified(all, 'private')) return 'private';
  if (question.isPeculiar) return 'request-fields';
  if (question.hasCredentials && !isOpenToAll(all)) return 'credentials';
  if (!question.isDelimited) return 'no-length';
  if (selectingNames(headers, rule) === null) return 'vary';
  const lifetime = lifetimeOf(question, rule, directives);
  // Who sets a cookie and does not say that others may have the page has not thought of others.
  if (has(headers, 'set-cookie') && lifetime.kind === 'heuristic' && !all.has('public')) return 'set-cookie';
  // What can be neither fresh nor asked for again may still stand in for an origin that fails.
  const standsIn = status === 200 && rule.staleIfErrorSeconds > 0 && !forbidsStale(all);
  if (lifetime.seconds === 0 && !has(headers, 'etag') && !has(headers, 'last-modified') && !standsIn) return 'useless';
  if (!isKeptByDefault(status) && lifetime.kind === 'heuristic' && !all.has('public')) return 'status';
  return null;
}

/** What is kept of the fields (RFC 9111 §3.1); a cookie is for the one whom it was set for. */
export function storableFields(headers: RawHeaders, { all }: AnswerDirectives): RawHeaders {
  const limited = qualifiedFields(all);
  return without(
    endToEnd(headers),
    (name) => name === 'set-cookie' || name === 'set-cookie2' || name === 'content-length' || limited.includes(name),
  );
}

function isKeptByDefault(status: number): boolean {
  return [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501].includes(status);
}
