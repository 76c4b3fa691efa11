/**
 * What a call uses may have been made elsewhere, with what this policy would refuse: a privileged container that is
 * entered, a volume that is a folder of the host. It is judged by how it was made, and named by its full id from then on.
 */

import { LRUCache } from 'lru-cache';
import type { Endpoint } from '../../../docker/endpoint.ts';
import {
  absence,
  containerOf,
  type EngineDefaults,
  engineDefaults,
  idOf,
  isPredefined,
  type Lender,
  lenders,
  requestFor,
} from '../../../docker/lends.ts';
import type { Kind } from '../../../docker/marks.ts';
import { type Leaf, visit } from '../../../docker/visit.ts';
import { visitCall } from '../../../docker/visit-call.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import type { Change, PolicyContext } from '../../../exchange/policy.ts';
import { isObject, type JsonObject } from '../../../ground/json.ts';
import { valueAt } from '../../../ground/json-path.ts';
import type { Changed } from './changed.ts';
import { type Bounds, ClosedList } from './closed-list.ts';
import type { Finding } from './finding.ts';

/** How long a chain of containers that use each other may be. */
const MOST_STEPS = 8;
/** Facts of an engine that change with its restart at most. */
const DEFAULTS_MS = 60_000;

export class Borrowed {
  private readonly name: string;
  private readonly bounds: Bounds;
  /** Full ids of containers that may be used: how a container was made never changes. */
  private readonly harmless = new LRUCache<string, true>({ max: 20_000 });
  private readonly defaults = new LRUCache<PolicyContext, EngineDefaults>({ max: 16, ttl: DEFAULTS_MS });

  constructor(name: string, bounds: Bounds) {
    this.name = name;
    this.bounds = bounds;
  }

  /** The call with full ids in place of names. @throws Refusal for what may not be used, or is not there */
  async resolve(call: Call, leaves: readonly Leaf[], context: PolicyContext): Promise<Changed> {
    const ids = new Map<string, string>();
    for (const leaf of leaves) {
      const kind = kindOf(leaf);
      const reference = String(leaf.value);
      const id = await this.judge(kind, reference, context, new Set(), (finding) => {
        const hint = 'it has more rights than this policy gives';
        const message = `must not use a ${kind} that was made with ${finding.place}`;
        throw refuse(this.name, `lent-${finding.rule}`, message, { place: leaf.place, hint });
      });
      // What the call names must be there; what that was made with may be gone by now.
      if (id === null && lenders[kind]?.missing !== null) throw absence(kind, reference, call.endpoint);
      if (kind === 'container' && id !== null && id !== reference) ids.set(reference, id);
    }
    return ids.size === 0 ? { call, changes: [] } : named(call, ids);
  }

  /** What engines do where a create says nothing. */
  async engineDefaults(context: PolicyContext): Promise<EngineDefaults> {
    const known = this.defaults.get(context);
    if (known !== undefined) return known;
    const defaults = engineDefaults(await context.lookUp('SystemInfo', {}));
    this.defaults.set(context, defaults);
    return defaults;
  }

  /** The full id; null for what is not there. */
  private async judge(
    kind: Kind,
    reference: string,
    context: PolicyContext,
    before: Set<string>,
    found: (finding: Finding) => never,
  ): Promise<string | null> {
    if (isPredefined(kind, reference)) return reference;
    if (kind === 'container' && this.harmless.has(reference)) return reference;
    const lender = lenders[kind];
    if (lender === undefined) throw new Error(`a ${kind} lends nothing that is known`);
    const inspection = await context.lookUp(lender.inspect, { [lender.parameter]: reference });
    if (!isObject(inspection)) return null;
    const id = idOf(inspection);
    if (before.has(`${kind} ${id}`)) return id;
    if (before.size >= MOST_STEPS) throw refuse(this.name, 'borrowed', 'too many containers use each other');
    before.add(`${kind} ${id}`);
    await this.judgeMaking(kind, lender, inspection, context, before, found);
    if (kind === 'container') this.harmless.set(id, true);
    return id;
  }

  private async judgeMaking(
    kind: Kind,
    { maker }: Lender,
    inspection: JsonObject,
    context: PolicyContext,
    before: Set<string>,
    found: (finding: Finding) => never,
  ): Promise<void> {
    const made = requestFor(kind, inspection, await this.engineDefaults(context));
    const list = new ClosedList('lent', this.bounds, () => made, found);
    visit(shapeOf(maker), made, list.look);
    for (const leaf of list.borrowed) await this.judge(kindOf(leaf), String(leaf.value), context, before, found);
    const container = containerOf(kind, inspection);
    if (container !== null) await this.judge('container', container, context, before, found);
  }
}

function shapeOf({ id, body }: Endpoint) {
  if (body.shape === undefined) throw new Error(`${id} takes no body`);
  return body.shape;
}

function kindOf({ marks, place }: Leaf): Kind {
  for (const mark of marks) if (mark.mark === 'uses') return mark.kind;
  throw new Error(`what ${place} borrows from is not said`);
}

/** A name may be given to something else between the look and the use; an id may not. */
function named(call: Call, ids: ReadonlyMap<string, string>): Changed {
  const changes: Change[] = [];
  const renamed = visitCall(call, ({ marks, value, shape, path, place }) => {
    const id = typeof value === 'string' && marks.some(({ mark }) => mark === 'borrows') ? ids.get(value) : undefined;
    if (id === undefined || !marks.some((mark) => mark.mark === 'uses' && mark.kind === 'container')) return value;
    // The engine shows all others as ids by itself.
    if (shape.kind === 'text' && shape.grammar?.name === 'volumes-from') {
      const from = valueAt(call.body, path);
      changes.push({ rule: 'full-ids', place, from, to: id, warning: null, given: path });
    }
    return id;
  });
  return { call: renamed, changes };
}
