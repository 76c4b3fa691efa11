/** What policies decided: counted for the metrics, and written to the audit where it changed or refused something. */

import { randomBytes } from 'node:crypto';
import type { CallRecord, Recorder } from '../../exchange/recorder.ts';
import type { Audit } from './audit.ts';
import { auditEntries, type Outcome, outcomeOf } from './audit-entry.ts';

/** By listener, policy, rule and outcome. */
export type DecisionCounts = ReadonlyMap<string, { readonly labels: DecisionLabels; count: number }>;

export interface DecisionLabels {
  readonly listener: string;
  readonly policy: string;
  readonly rule: string;
  readonly decision: Outcome;
}

export class DecisionRecorder implements Recorder {
  private readonly tally = new Map<string, { readonly labels: DecisionLabels; count: number }>();
  private readonly audit: Audit;

  constructor(audit: Audit) {
    this.audit = audit;
  }

  get counts(): DecisionCounts {
    return this.tally;
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
    const key = `${listener} ${policy} ${rule} ${decision}`;
    const counted = this.tally.get(key);
    if (counted === undefined) this.tally.set(key, { labels: { listener, policy, rule, decision }, count: 1 });
    else counted.count++;
  }
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
