/** The policies of a listener, in order: each sees what the one before it made of the call. */

import { randomBytes } from 'node:crypto';
import { Refusal, type RefusalFacts } from '../ground/refusal.ts';
import type { Call } from './call.ts';
import type { Change, Policy, PolicyContext, Verdict } from './policy.ts';

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
  ended(status: number): void;
}

const NO_DECISIONS: readonly Decision[] = [];
const NO_LABELS: Readonly<Record<string, string>> = {};
const NOTHING_TO_END = (): void => {};

/**
 * `decisions` takes what was decided, also where one of them refuses.
 * @throws Refusal of the policy that refuses, after the earlier ones were told that the call has ended
 */
export function judge(
  policies: readonly Policy[],
  call: Call,
  context: PolicyContext,
  decisions: Decision[] = [],
): Judgement | Promise<Judgement> {
  if (policies.length === 0)
    return { call, decisions: NO_DECISIONS, changed: false, hidesHost: false, ended: NOTHING_TO_END };
  return judgeByAll(policies, call, context, decisions);
}

async function judgeByAll(
  policies: readonly Policy[],
  call: Call,
  context: PolicyContext,
  decisions: Decision[],
): Promise<Judgement> {
  const endings: ((status: number) => void)[] = [];
  const ended = (status: number): void => {
    for (const ending of endings.splice(0)) ending(status);
  };
  let judged = call;
  let changed = false;
  let hidesHost = false;
  try {
    for (const policy of policies) {
      const verdict = await judgeBy(policy, judged, context);
      judged = verdict.call;
      changed ||= verdict.changes.length > 0;
      hidesHost ||= verdict.hidesHost === true;
      if (verdict.onEnd !== undefined) endings.push(verdict.onEnd);
      const { rule, changes, wouldRefuse = null, labels = NO_LABELS } = verdict;
      decisions.push({ policy: policy.name, rule, changes, wouldRefuse, labels });
    }
  } catch (fault) {
    ended(fault instanceof Refusal ? fault.status : 500);
    throw fault;
  }
  return { call: judged, decisions, changed, hidesHost, ended };
}

/** What the client is to be told of the changes. */
export function warningsOf({ decisions }: Judgement): readonly string[] {
  return decisions.flatMap(({ changes }) => changes.flatMap(({ warning }) => warning ?? []));
}

async function judgeBy(policy: Policy, call: Call, context: PolicyContext): Promise<Verdict> {
  try {
    return await policy.judge(call, context);
  } catch (fault) {
    if (fault instanceof Refusal) throw fault;
    // A policy that fails has not let the call pass.
    throw refuse(policy.name, 'failed', 'the policy itself failed', { cause: fault });
  }
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
