/** What the audit says of one decision. The form is a contract: docs/audit.md tells it, `v` is its version. */

import { readPlace, valueAt } from '../../docker/call-place.ts';
import { withoutSecrets } from '../../docker/secrets.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import type { Decision } from '../../exchange/judge.ts';
import type { Change } from '../../exchange/policy.ts';
import type { CallRecord } from '../../exchange/recorder.ts';
import { type Json, printJson } from '../../ground/json.ts';

export const auditVersion = 1;

export type Outcome = 'passed' | 'changed' | 'refused' | 'would-refuse';

const MOST_VALUE = 1024;
const MOST_TEXT = 512;
const MOST_OBJECTS = 50;

/** A line each for what changed the call or refused it; none where everything passed as it was. `call` tells them apart. */
export function auditEntries(record: CallRecord, timeMs: number, call: string): readonly Json[] {
  const told = record.decisions.filter((decision) => outcomeOf(decision) !== 'passed');
  const refused = record.refusal?.policy !== undefined;
  if (told.length === 0 && !refused) return [];
  const facts = factsOf(record, timeMs, call);
  const entries = told.map((decision) => ({ ...facts, ...decided(record.call, decision) }));
  return refused ? [...entries, { ...facts, ...refusedBy(record) }] : entries;
}

export function outcomeOf({ changes, wouldRefuse }: Decision): Outcome {
  if (wouldRefuse !== null) return 'would-refuse';
  return changes.length > 0 ? 'changed' : 'passed';
}

function factsOf(
  { listener, identity, endpoint, method, target, status, call }: CallRecord,
  timeMs: number,
  id: string,
) {
  return {
    v: auditVersion,
    time: new Date(timeMs).toISOString(),
    call: id,
    listener,
    user: identity?.user ?? null,
    groups: identity?.groups ?? [],
    by: identity?.by ?? null,
    owner: identity?.owner?.user ?? null,
    claims: identity?.claims ?? {},
    namespace: call?.namespace ?? null,
    project: identity?.claims.project_path ?? identity?.claims.project ?? null,
    endpoint: endpoint?.id ?? null,
    method,
    path: clipped(target.split('?', 1)[0] as string),
    objects: call === null ? [] : objectsOf(call),
    status,
  };
}

function decided(call: Call | null, decision: Decision) {
  const outcome = outcomeOf(decision);
  return {
    decision: outcome,
    policy: decision.policy,
    rule: decision.rule,
    refusal: null,
    field: null,
    value: null,
    message: decision.wouldRefuse === null ? null : clipped(decision.wouldRefuse),
    remedy: null,
    changes: decision.changes.map((change) => changed(call, change)),
  };
}

function refusedBy({ refusal, call }: CallRecord) {
  const place = refusal?.place ?? null;
  return {
    decision: 'refused',
    policy: refusal?.policy ?? null,
    rule: refusal?.rule ?? null,
    refusal: refusal?.id ?? null,
    field: place,
    value: place === null || call === null ? null : shown(call, place, undefined),
    message: clipped(refusal?.message ?? ''),
    remedy: refusal?.hint ?? null,
    changes: [],
  };
}

function changed(call: Call | null, { rule, place, from, to }: Change) {
  return { rule, field: place, from: call && shown(call, place, from), to: call && shown(call, place, to) };
}

/** The value as it may be written down; that of the call where none is given. */
function shown(call: Call, place: string, given: Json | undefined): Json {
  const path = readPlace(place);
  if (path === null) return null;
  const value = given === undefined ? (valueAt(call, path) ?? null) : given;
  const open = withoutSecrets(call.endpoint, path, value);
  const printed = printJson(open);
  return printed.length > MOST_VALUE ? `${printed.slice(0, MOST_VALUE)}…` : open;
}

function objectsOf(call: Call): readonly Json[] {
  const objects: Json[] = [];
  visitCall(call, ({ place, value, marks }) => {
    for (const mark of marks) {
      if ((mark.mark !== 'uses' && mark.mark !== 'makes') || typeof value !== 'string' || value === '') continue;
      if (objects.length < MOST_OBJECTS) objects.push({ kind: mark.kind, name: clipped(value), place });
      break;
    }
    return value;
  });
  return objects;
}

function clipped(text: string): string {
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
}
