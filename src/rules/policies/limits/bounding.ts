/** The call as it is bounded so far, with what was changed and why. */

import { type CallPath, printPlace, valueAt, withValueAt } from '../../../docker/call-place.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import type { Change } from '../../../exchange/policy.ts';
import type { Json } from '../../../ground/json.ts';
import type { Refusal } from '../../../ground/refusal.ts';

export const POLICY = 'limits';

export class Bounding {
  call: Call;
  readonly changes: Change[] = [];

  constructor(call: Call) {
    this.call = call;
  }

  /** What the client said nothing of. It sees what it got. */
  fill(rule: string, path: CallPath, to: Json): void {
    this.change({ rule: `default-${rule}`, path, to, warning: null, shown: true });
  }

  /** What the client said too much of. It goes on seeing what it said. */
  lower(rule: string, path: CallPath, to: Json, most: string): void {
    this.change({ rule: `max-${rule}`, path, to, warning: `${printPlace(path)} is lowered to ${most}`, shown: false });
  }

  private change(change: {
    readonly rule: string;
    readonly path: CallPath;
    readonly to: Json;
    readonly warning: string | null;
    readonly shown: boolean;
  }): void {
    const { rule, path, to, warning, shown } = change;
    const from = valueAt(this.call, path) ?? null;
    this.call = withValueAt(this.call, path, to);
    const [part, ...steps] = path;
    const given = shown || part !== 'body' ? null : steps;
    this.changes.push({ rule, place: printPlace(path), from, to, warning, given });
  }
}

/** What a client is told that asks for more than one thing may have. */
export function overLimit(rule: string, path: CallPath, asked: string, most: string): Refusal {
  const facts = { place: printPlace(path), hint: `ask for at most ${most}` };
  return refuse(POLICY, `max-${rule}`, `${asked} is over the limit of ${most}`, facts, 'over-limit');
}
