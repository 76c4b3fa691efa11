/** What policies decided: counted for the metrics, and written to the audit where it changed or refused something. */

import { randomBytes } from 'node:crypto';
import type { CallRecord, Recorder } from '../../exchange/recorder.ts';
import type { Audit } from './audit.ts';
import { auditEntries, type Outcome, outcomeOf } from './audit-entry.ts';

export type DecisionCounts = readonly { readonly labels: DecisionLabels; readonly count: number }[];

export interface DecisionLabels {
  readonly listener: string;
  readonly policy: string;
  readonly rule: string;
  readonly decision: Outcome;
}

interface Counted {
  readonly labels: DecisionLabels;
  count: number;
}

export class DecisionRecorder implements Recorder {
  /** By listener, policy, rule and outcome. */
  private readonly tally = new Map<string, Map<string, Map<string, Map<Outcome, Counted>>>>();
  private readonly counted: Counted[] = [];
  private readonly audit: Audit;

  constructor(audit: Audit) {
    this.audit = audit;
  }

  get counts(): DecisionCounts {
    return this.counted;
  }

  callEnded(record: CallRecord): void {
    const { listener, decisions, refusal } = record;
    if (decisions.length === 0 && refusal?.policy === undefined) return;
    let silent = true;
    for (const decision of decisions) {
      const outcome = outcomeOf(decision);
      silent &&= outcome === 'passed';
      this.add(listener, decision.policy, decision.rule, outcome);
    }
    if (refusal?.policy !== undefined) {
      silent = false;
      this.add(listener, refusal.policy, refusal.rule ?? 'refused', 'refused');
    }
    if (silent || !this.audit.writes) return;
    for (const entry of auditEntries(record, Date.now(), randomBytes(4).toString('hex'))) this.audit.write(entry);
  }

  streamOpened(): void {}

  streamClosed(): void {}

  private add(listener: string, policy: string, rule: string, decision: Outcome): void {
    // Maps of the words themselves: one key of them all would be put together, and hashed, for every decision.
    const ofListener = within(this.tally, listener, () => new Map<string, Map<string, Map<Outcome, Counted>>>());
    const ofPolicy = within(ofListener, policy, () => new Map<string, Map<Outcome, Counted>>());
    const ofRule = within(ofPolicy, rule, () => new Map<Outcome, Counted>());
    const counted = within(ofRule, decision, () => {
      const first = { labels: { listener, policy, rule, decision }, count: 0 };
      this.counted.push(first);
      return first;
    });
    counted.count++;
  }
}

function within<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Several that hear of the same calls. */
export function recordedBy(...recorders: readonly Recorder[]): Recorder {
  return {
    callEnded: (record) => {
      for (const recorder of recorders) recorder.callEnded(record);
    },
    streamOpened: (travel) => {
      for (const recorder of recorders) recorder.streamOpened(travel);
    },
    streamClosed: (travel) => {
      for (const recorder of recorders) recorder.streamClosed(travel);
    },
  };
}
