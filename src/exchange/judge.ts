/** The policies of a listener, in order: each sees what the one before it made of the call. */

import { randomBytes } from 'node:crypto';
import type { Json } from '../ground/json.ts';
import { Refusal, type RefusalFacts } from '../ground/refusal.ts';
import type { BuildJudge } from './build-judge.ts';
import type { Call } from './call.ts';
import type { LoadJudge } from './load-judge.ts';
import type { BuildSources, Change, Policy, PolicyContext, Verdict } from './policy.ts';

/** What one policy decided. */
export interface Decision {
  readonly policy: string;
  readonly rule: string;
  readonly changes: readonly Change[];
  readonly wouldRefuse: string | null;
  /** Labels of ours that what the call makes shall carry. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Judgement {
  readonly call: Call;
  readonly decisions: readonly Decision[];
  readonly changed: boolean;
  readonly hidesHost: boolean;
  /** Who judges the body of a build, in the order of the policies. */
  readonly build: readonly BuildJudge[];
  /** Who judges what a load brings. */
  readonly load: readonly LoadJudge[];
  readonly sources: readonly BuildSources[];
  /** Who hears the answer before the client does; null for nobody. */
  readonly heard: ((answer: Json, status: number) => Promise<void>) | null;
  /** It goes on when its client has gone. */
  readonly finishes: boolean;
  /** How a good answer is told; null as it is. */
  readonly show: ((answer: Json) => Json) | null;
  ended(status: number): void;
}

const NO_DECISIONS: readonly Decision[] = [];
const NOBODY: readonly BuildJudge[] = [];
const NO_LOADS: readonly LoadJudge[] = [];
const NO_SOURCES: readonly BuildSources[] = [];
const NO_LABELS: Readonly<Record<string, string>> = {};
const NOTHING_TO_END = (): void => {};

/**
 * `decisions` takes what was decided, also where one of them refuses. Policies that know at once are not waited for.
 * @throws Refusal of the policy that refuses, after the earlier ones were told that the call has ended
 */
export function judge(
  policies: readonly Policy[],
  call: Call,
  context: PolicyContext,
  decisions: Decision[] = [],
): Judgement | Promise<Judgement> {
  if (policies.length === 0)
    return {
      call,
      decisions: NO_DECISIONS,
      changed: false,
      hidesHost: false,
      build: NOBODY,
      load: NO_LOADS,
      sources: NO_SOURCES,
      heard: null,
      finishes: false,
      show: null,
      ended: NOTHING_TO_END,
    };
  const judging = new Judging(call, decisions);
  for (let at = 0; at < policies.length; at++) {
    const asked = judging.step(policies[at] as Policy, context);
    if (asked !== null) return judgeOn(judging, asked, policies.slice(at + 1), context);
  }
  return judging;
}

async function judgeOn(
  judging: Judging,
  asked: Promise<void>,
  policies: readonly Policy[],
  context: PolicyContext,
): Promise<Judgement> {
  await asked;
  for (const policy of policies) await judging.step(policy, context);
  return judging;
}

class Judging implements Judgement {
  call: Call;
  changed = false;
  hidesHost = false;
  build: readonly BuildJudge[] = NOBODY;
  load: readonly LoadJudge[] = NO_LOADS;
  sources: readonly BuildSources[] = NO_SOURCES;
  heard: Judgement['heard'] = null;
  finishes = false;
  show: Judgement['show'] = null;
  readonly decisions: Decision[];
  private endings: ((status: number) => void)[] | null = null;

  constructor(call: Call, decisions: Decision[]) {
    this.call = call;
    this.decisions = decisions;
  }

  /** Null where the policy knew at once. @throws Refusal, at once or later */
  step(policy: Policy, context: PolicyContext): Promise<void> | null {
    try {
      const verdict = policy.judge(this.call, context);
      if (verdict instanceof Promise) return this.wait(policy, verdict);
      this.take(policy, verdict);
      return null;
    } catch (fault) {
      throw this.failed(policy, fault);
    }
  }

  private async wait(policy: Policy, verdict: Promise<Verdict>): Promise<void> {
    try {
      this.take(policy, await verdict);
    } catch (fault) {
      throw this.failed(policy, fault);
    }
  }

  private take(policy: Policy, verdict: Verdict): void {
    const { call, rule, changes, wouldRefuse = null, labels = NO_LABELS, onEnd } = verdict;
    this.call = call;
    this.changed ||= changes.length > 0;
    this.hidesHost ||= verdict.hidesHost === true;
    if (verdict.build !== undefined) this.build = [...this.build, verdict.build];
    if (verdict.load !== undefined) this.load = [...this.load, verdict.load];
    if (verdict.sources !== undefined) this.sources = [...this.sources, verdict.sources];
    if (verdict.onAnswer !== undefined) this.heard = inTurn(this.heard, verdict.onAnswer);
    this.finishes ||= verdict.finishes === true;
    if (verdict.show !== undefined) this.show = shownBy(this.show, verdict.show);
    if (onEnd !== undefined) {
      this.endings ??= [];
      this.endings.push(onEnd);
    }
    this.decisions.push({ policy: policy.name, rule, changes, wouldRefuse, labels });
  }

  ended(status: number): void {
    for (const ending of this.endings?.splice(0) ?? []) ending(status);
  }

  /** What is to be thrown; the earlier policies have heard of it. */
  private failed(policy: Policy, fault: unknown): Refusal {
    // A policy that fails has not let the call pass.
    const refusal =
      fault instanceof Refusal ? fault : refuse(policy.name, 'failed', 'the policy itself failed', { cause: fault });
    this.ended(refusal.status);
    return refusal;
  }
}

function inTurn(first: Judgement['heard'], then: NonNullable<Judgement['heard']>): Judgement['heard'] {
  if (first === null) return then;
  return async (answer, status) => {
    await first(answer, status);
    await then(answer, status);
  };
}

function shownBy(first: Judgement['show'], then: NonNullable<Judgement['show']>): Judgement['show'] {
  return first === null ? then : (answer) => then(first(answer));
}

/** What the client is to be told of the changes. */
export function warningsOf({ decisions }: Judgement): readonly string[] {
  return decisions.flatMap(({ changes }) => changes.flatMap(({ warning }) => warning ?? []));
}

/** A refusal of a policy; `message` says what must hold: `must be false`. Its id leads to the audit entry. */
export function refuse(
  policy: string,
  rule: string,
  message: string,
  facts: RefusalFacts = {},
  code: 'refused' | 'over-limit' | 'too-many-at-once' = 'refused',
): Refusal {
  return new Refusal(code, message, { ...facts, policy, rule, id: randomBytes(4).toString('hex') });
}
