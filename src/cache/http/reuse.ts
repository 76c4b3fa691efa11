/** Whether a stored answer serves a request (RFC 9111 §4, §5.2.1; RFC 5861). */

import { type Directives, directivesOfAnswer, forbidsStale, secondsOf, unqualified } from './directives.ts';
import { ageOf, lifetimeOf } from './freshness.ts';
import type { SiteRule } from './site-rules.ts';
import type { StoredAnswer } from './stored-answer.ts';

export type Use =
  | { readonly kind: 'fresh' }
  /** It is served, and the origin is asked meanwhile. */
  | { readonly kind: 'stale-while-revalidate' }
  /** The client takes it as it is. */
  | { readonly kind: 'stale' }
  /** The origin is asked first. */
  | { readonly kind: 'revalidate' };

export interface Judgement {
  readonly use: Use['kind'];
  readonly ageSeconds: number;
  /** What is left of its freshness; negative where it is stale. */
  readonly ttlSeconds: number;
}

export function judge(answer: StoredAnswer, request: Directives, rule: SiteRule, nowMs: number): Judgement {
  const directives = directivesOfAnswer(answer.headers);
  const { all } = directives;
  const lifetime = lifetimeOf(answer, rule, directives);
  const ageSeconds = ageOf(answer, nowMs);
  const ttlSeconds = lifetime.seconds - ageSeconds;
  const say = (use: Use['kind']): Judgement => ({ use, ageSeconds, ttlSeconds });
  // The administrator knows that the file never changes: what clients say by habit costs no request.
  if (lifetime.kind === 'rule' && ttlSeconds > 0) return say('fresh');
  if (unqualified(all, 'no-cache') || request.has('no-cache')) return say('revalidate');
  const most = secondsOf(request, 'max-age');
  if (most !== null && ageSeconds > most) return say('revalidate');
  if (most === 0) return say('revalidate');
  const least = secondsOf(request, 'min-fresh') ?? 0;
  if (ttlSeconds > least) return say('fresh');
  if (ttlSeconds > 0 || forbidsStale(all)) return say('revalidate');
  if (request.has('max-stale')) {
    const stale = request.get('max-stale') === null ? Number.POSITIVE_INFINITY : (secondsOf(request, 'max-stale') ?? 0);
    if (-ttlSeconds <= stale) return say('stale');
  }
  const while_ = secondsOf(all, 'stale-while-revalidate');
  return say(while_ !== null && -ttlSeconds < while_ ? 'stale-while-revalidate' : 'revalidate');
}

/** Whether it may stand in for an origin that fails. */
export function standsIn(answer: StoredAnswer, request: Directives, rule: SiteRule, nowMs: number): boolean {
  const directives = directivesOfAnswer(answer.headers);
  const { all } = directives;
  if (forbidsStale(all)) return false;
  const stale = ageOf(answer, nowMs) - lifetimeOf(answer, rule, directives).seconds;
  const said = secondsOf(all, 'stale-if-error') ?? rule.staleIfErrorSeconds;
  return stale <= Math.max(said, secondsOf(request, 'stale-if-error') ?? 0);
}

/** Whether it serves those too who ask while it comes. Where the origin says nothing, that long is no time. */
export function isForLateComers(answer: StoredAnswer, rule: SiteRule): boolean {
  if (judge(answer, new Map(), rule, Date.now()).use === 'fresh') return true;
  const directives = directivesOfAnswer(answer.headers);
  return lifetimeOf(answer, rule, directives).kind === 'heuristic' && !forbidsStale(directives.all);
}
