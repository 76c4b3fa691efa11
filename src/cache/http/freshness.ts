/** How old a stored answer is, and how long it is fresh (RFC 9111 §4.2). */

import { type AnswerDirectives, directivesOfAnswer, secondsOf } from './directives.ts';
import { linesOf } from './fields.ts';
import { readDate } from './http-date.ts';
import type { SiteRule } from './site-rules.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** An error is nobody's to keep: a package that is published now must be found in a minute. */
const MOST_NEGATIVE_SECONDS = 30;
/** RFC 9111 §4.2.2: "a typical setting of this fraction might be 10%". */
const HEURISTIC_SHARE = 0.1;
const MOST_HEURISTIC_SECONDS = 24 * 3600;

/** RFC 9110 §15.1: what may be kept although the origin does not say how long. */
const HEURISTICALLY_CACHEABLE = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

export type Lifetime =
  /** By the origin's word. */
  | { readonly kind: 'explicit'; readonly seconds: number }
  | { readonly kind: 'heuristic'; readonly seconds: number }
  /** A rule of the site made it longer: requests that want it newer are not heard. */
  | { readonly kind: 'rule'; readonly seconds: number };

type Judged = Pick<StoredAnswer, 'status' | 'headers' | 'requestedMs' | 'answeredMs'>;

export function lifetimeOf(answer: Judged, rule: SiteRule, directives = directivesOfAnswer(answer.headers)): Lifetime {
  const own = lifetimeByOrigin(answer, directives);
  if (answer.status >= 400) return { ...own, seconds: Math.min(own.seconds, MOST_NEGATIVE_SECONDS) };
  const capped = { ...own, seconds: Math.min(own.seconds, rule.maxFreshSeconds ?? Number.POSITIVE_INFINITY) };
  const most = rule.minFreshSeconds;
  if (most !== null && answer.status < 300 && most > capped.seconds) return { kind: 'rule', seconds: most };
  return capped;
}

function lifetimeByOrigin(answer: Judged, { all, targeted }: AnswerDirectives): Lifetime {
  const said = secondsOf(all, 's-maxage') ?? secondsOf(all, 'max-age');
  if (said !== null) return { kind: 'explicit', seconds: said };
  const expires = targeted ? [] : linesOf(answer.headers, 'expires');
  if (expires.length > 0) return { kind: 'explicit', seconds: untilExpiry(answer, expires) };
  if (!HEURISTICALLY_CACHEABLE.has(answer.status) && !all.has('public')) return { kind: 'heuristic', seconds: 0 };
  const modified = readDate(linesOf(answer.headers, 'last-modified')[0] ?? '', answer.answeredMs);
  if (modified === null) return { kind: 'heuristic', seconds: 0 };
  const share = Math.floor(((dateOf(answer) - modified) / 1000) * HEURISTIC_SHARE);
  return { kind: 'heuristic', seconds: Math.max(0, Math.min(share, MOST_HEURISTIC_SECONDS)) };
}

function untilExpiry(answer: Judged, lines: readonly string[]): number {
  // RFC 9111 §4.2.1: of several, the answer is as good as stale.
  const at = lines.length === 1 ? readDate(lines[0] as string, answer.answeredMs) : null;
  return at === null ? 0 : Math.max(0, Math.floor((at - dateOf(answer)) / 1000));
}

function dateOf({ headers, answeredMs }: Judged): number {
  return readDate(linesOf(headers, 'date')[0] ?? '', answeredMs) ?? answeredMs;
}

/** Seconds (RFC 9111 §4.2.3). */
export function ageOf(answer: Judged, nowMs: number): number {
  return ageSince(bornMs(answer), answer, nowMs);
}

/** When it would have been made, had it been on its way for no other time than its age: `corrected_initial_age` before. */
export function bornMs(answer: Judged): number {
  const apparent = Math.max(0, answer.answeredMs - dateOf(answer));
  const corrected = ageField(answer) * 1000 + (answer.answeredMs - answer.requestedMs);
  return answer.answeredMs - Math.max(apparent, corrected);
}

/** @param born as `bornMs` says it of the same answer */
export function ageSince(born: number, { answeredMs }: Judged, nowMs: number): number {
  return Math.floor((Math.max(nowMs, answeredMs) - born) / 1000);
}

/** RFC 9111 §5.1: the first member counts; what is no number of seconds does not. */
function ageField({ headers }: Judged): number {
  const [first = ''] = (linesOf(headers, 'age')[0] ?? '').split(/[,;]/);
  return /^\d+$/.test(first.trim()) ? Math.min(Number(first), 2 ** 31) : 0;
}
