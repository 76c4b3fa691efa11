/** What namespaces there are on an engine, and what each has: for administrators, asked of the engine itself. */

import { listedState } from '../../docker/inspected-container.ts';
import { listEndpoints, listIn, type NamedKind, thingIn } from '../../docker/named-things.ts';
import { NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import type { EngineSide } from './engine-side.ts';
import { clientName } from './names.ts';
import { labelled, ownerOf } from './ownership.ts';

export interface Holding {
  readonly kind: NamedKind;
  /** As its clients say it. */
  readonly name: string;
  /** The engine's; of a volume its name. */
  readonly id: string;
  /** Of a container: `running`, `exited`, …; null of everything else. */
  readonly state: string | null;
}

/** In the order in which things can be removed. */
const kinds: readonly NamedKind[] = ['container', 'network', 'volume'];

/** Of all namespaces. @throws Refusal, Error where the engine does not say */
export async function survey(side: EngineSide): Promise<ReadonlyMap<string, readonly Holding[]>> {
  const found = new Map<string, Holding[]>();
  await collect(side, NAMESPACE_LABEL, (owner, holding) => {
    const before = found.get(owner);
    if (before === undefined) found.set(owner, [holding]);
    else before.push(holding);
  });
  return found;
}

/** Of one. @throws Refusal, Error where the engine does not say */
export async function holdingsOf(side: EngineSide, namespace: string): Promise<readonly Holding[]> {
  const found: Holding[] = [];
  await collect(side, labelled(namespace), (owner, holding) => {
    if (owner === namespace) found.push(holding);
  });
  return found;
}

async function collect(side: EngineSide, label: string, put: (owner: string, holding: Holding) => void): Promise<void> {
  for (const kind of kinds) {
    const query = { ...(kind === 'container' ? { all: true } : {}), filters: { label: [label] } };
    for (const item of listIn(kind, await side.desk.ask(listEndpoints[kind], { query }))) {
      const thing = thingIn(kind, item);
      const owner = thing === null ? null : ownerOf(thing);
      if (thing === null || owner === null) continue;
      const name = clientName(owner, thing.name) as string;
      put(owner, { kind, name, id: thing.id, state: kind === 'container' ? listedState(item) : null });
    }
  }
}
