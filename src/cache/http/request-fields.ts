/**
 * Which fields of a request reach the origin. Many share one answer, so none of them may say a word to the origin that
 * the others do not say too: it goes by what answers are kept apart by, and by nothing else (RED-TEAM 67).
 */

import { endToEnd } from '../../wire/end-to-end.ts';
import type { RawHeaders } from '../../wire/message.ts';
import { has, without } from './fields.ts';
import type { SiteRule } from './site-rules.ts';

/** What answers are kept apart by, whether or not `Vary` names it: origins forget to. */
export const KEYED = ['accept', 'accept-language'] as const;

const SHARED = new Set<string>([...KEYED, 'accept-encoding']);

/** The cache has its own way with these. */
const OURS = new Set([
  'host',
  'content-length',
  'cache-control',
  'pragma',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'via',
  'max-forwards',
]);

const CREDENTIALS = new Set(['authorization', 'cookie']);

/** They say who asks, how and why: no origin that is worth a cache answers by them. */
const IDLE = new Set([
  'accept-charset',
  'baggage',
  'cache-store',
  'client-ip',
  'dnt',
  'early-data',
  'expires',
  'forwarded',
  'from',
  'origin',
  'priority',
  'referer',
  'save-data',
  'traceparent',
  'tracestate',
  'true-client-ip',
  'upgrade-insecure-requests',
  'user-agent',
  'x-client-ip',
  'x-host',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
]);
const IDLE_PREFIXES = ['npm-', 'pacote-', 'sec-', 'x-forwarded-'];

export interface ReadRequestFields {
  /** What goes to the origin of a request whose answer others may get. */
  readonly shared: RawHeaders;
  /** What goes there of a request for itself alone. */
  readonly own: RawHeaders;
  readonly hasCredentials: boolean;
  /** It says to the origin what others do not say: nobody else is given the answer. */
  readonly isPeculiar: boolean;
}

/** Fields of this name make no difference to what the origin is asked. */
export function isIdle(lowerCaseName: string, rule: SiteRule): boolean {
  if (rule.forward === null || rule.forward.has(lowerCaseName)) return false;
  return IDLE.has(lowerCaseName) || IDLE_PREFIXES.some((prefix) => lowerCaseName.startsWith(prefix));
}

export function readRequestFields(headers: RawHeaders, rule: SiteRule): ReadRequestFields {
  const travelling = without(endToEnd(headers), (name) => OURS.has(name));
  let isPeculiar = false;
  const shared = without(travelling, (name) => {
    if (SHARED.has(name) || CREDENTIALS.has(name)) return false;
    if (rule.forward === null || rule.forward.has(name)) return false;
    if (!isIdle(name, rule)) isPeculiar = true;
    return true;
  });
  return {
    shared,
    own: travelling,
    hasCredentials: [...CREDENTIALS].some((name) => has(travelling, name)),
    isPeculiar,
  };
}
