/** What namespaces there are on an engine, and what each has: for administrators, asked of the engine itself. */

import { listedState } from '../../docker/inspected-container.ts';
import { listEndpoints, listIn, type NamedKind, thingIn } from '../../docker/named-things.ts';
import { NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EngineSide } from './engine-side.ts';
import { imagesHeld } from './image-holdings.ts';
import { clientName } from './names.ts';
import { labelled, ownerOf } from './ownership.ts';
import { imagesOfSteps, stepContainersOf } from './step-containers.ts';

export interface Holding {
  readonly kind: NamedKind | 'image';
  /** As its clients say it; of what no client has named the engine's. */
  readonly name: string;
  /** The engine's; of a volume its name, of an image one of its names. */
  readonly id: string;
  /** Of a container: `running`, `exited`, …; null of everything else. */
  readonly state: string | null;
  /** Of an image, which may have several names: its id. */
  readonly image?: string;
}

/** In the order in which things can be removed. */
const kinds: readonly NamedKind[] = ['container', 'network', 'volume'];

/** Of all namespaces. @throws Refusal, Error where the engine does not say */
export async function survey(side: EngineSide): Promise<ReadonlyMap<string, readonly Holding[]>> {
  const found = new Map<string, Holding[]>();
  await collect(side, null, (owner, holding) => {
    const before = found.get(owner);
    if (before === undefined) found.set(owner, [holding]);
    else before.push(holding);
  });
  return found;
}

/**
 * Of one. `images`: ids of what it is known to have had, which may have lost its name since. @throws Refusal, Error where
 * the engine does not say
 */
export async function holdingsOf(
  side: EngineSide,
  namespace: string,
  images: ReadonlySet<string> = new Set(),
): Promise<readonly Holding[]> {
  const found: Holding[] = [];
  const put: Put = (owner, holding) => {
    if (owner === namespace) found.push(holding);
  };
  await collect(side, namespace, put, images);
  return found;
}

type Put = (owner: string, holding: Holding) => void;

/** Of all namespaces where none is named. */
async function collect(
  side: EngineSide,
  namespace: string | null,
  put: Put,
  images: ReadonlySet<string> = new Set(),
): Promise<void> {
  const label = namespace === null ? NAMESPACE_LABEL : labelled(namespace);
  const networks = new Set<string>();
  for (const kind of kinds) {
    const query = { ...(kind === 'container' ? { all: true } : {}), filters: { label: [label] } };
    for (const item of listIn(kind, await side.desk.ask(listEndpoints[kind], { query }))) {
      const thing = thingIn(kind, item);
      const owner = thing === null ? null : ownerOf(thing);
      if (thing === null || owner === null) continue;
      const name = clientName(owner, thing.name) as string;
      put(owner, { kind, name, id: thing.id, state: kind === 'container' ? listedState(item) : null });
      if (kind === 'network') networks.add(thing.id);
    }
  }
  const steps = namespace === null ? [] : await stepContainersOf(side.desk, namespace, networks);
  for (const { id, name } of steps) put(namespace as string, { kind: 'container', name, id, state: null });
  const isJob = namespace !== null && isJobId(namespace);
  const known = new Set([...images, ...(isJob ? await imagesOfSteps(side, namespace, steps) : [])]);
  for (const { owner, name, reference, image } of await imagesHeld(side, namespace, known)) {
    put(owner, { kind: 'image', name, id: reference, state: null, image });
  }
}
