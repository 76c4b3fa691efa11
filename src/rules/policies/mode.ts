/** Whether a policy is enforced, or only tried: in `warn` it decides, and the call goes on as it came. */

import type { Policy, PolicyLog, Verdict } from '../../exchange/policy.ts';
import { Refusal } from '../../ground/refusal.ts';

export type Mode = 'enforce' | 'warn';

export const modes: readonly Mode[] = ['enforce', 'warn'];

/** The policy itself where it is enforced. */
export function inMode(mode: Mode, policy: Policy, log: PolicyLog): Policy {
  if (mode === 'enforce') return policy;
  return {
    name: policy.name,
    ...(policy.start === undefined ? {} : { start: () => (policy.start as () => Promise<void>)() }),
    ...(policy.stop === undefined ? {} : { stop: () => (policy.stop as () => Promise<void>)() }),
    async judge(call, context): Promise<Verdict> {
      try {
        const { rule, labels, onEnd } = await policy.judge(call, context);
        // What it counts by goes on, or the trial would count wrongly.
        return { call, rule, changes: [], ...(labels && { labels }), ...(onEnd && { onEnd }) };
      } catch (fault) {
        const { rule, reason } = reasonOf(fault);
        const facts = {
          listener: call.listener,
          user: call.identity.user,
          endpoint: call.endpoint.id,
          policy: policy.name,
        };
        log.warn({ ...facts, rule, reason }, 'would refuse');
        return { call, rule, changes: [], wouldRefuse: reason };
      }
    },
  };
}

/** In `enforce` a policy that fails refuses: what fails here would have refused. */
function reasonOf(fault: unknown): { readonly rule: string; readonly reason: string } {
  if (!(fault instanceof Refusal)) return { rule: 'failed', reason: 'the policy itself failed' };
  const { place, message, rule, code } = fault;
  return { rule: rule ?? code, reason: place === undefined ? message : `${place} ${message}` };
}
