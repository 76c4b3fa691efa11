/**
 * The end of a namespace: everything that it has on an engine is removed, and whatever comes meanwhile, until there is
 * nothing. Who is interrupted begins again: what is left is what the engine has.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { attachedTo } from '../../docker/inspected-container.ts';
import { reasonOf } from '../../docker/named-things.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EngineSide } from './engine-side.ts';
import { isNameless, removeImageName } from './image-holdings.ts';
import { keepPulled } from './kept-images.ts';
import { type Holding, holdingsOf } from './survey.ts';

export type DestroyStep =
  | { readonly step: 'removed'; readonly thing: Holding }
  /** Tried again a little later. */
  | { readonly step: 'waiting'; readonly thing: Holding | null; readonly reason: string };

export interface Left {
  readonly thing: Holding;
  readonly reason: string;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** What was on its way when the namespace was closed is there by then. */
const QUIET_MS = 500;
/** Rounds in which nothing at all could be removed, though the engine answered. */
const FRUITLESS_ROUNDS = 6;
/** Of one namespace, as far as the others leave room. */
const TOGETHER = 4;
const REMOVE_MS = 300_000;

/** A network ends after its containers, a volume and an image too; what has no name before that which says whose it is. */
const ORDER: readonly (readonly [string, (thing: Holding) => boolean])[] = [
  ['containers', ({ kind }) => kind === 'container'],
  ['networks', ({ kind }) => kind === 'network'],
  ['volumes', ({ kind }) => kind === 'volume'],
  ['steps', (thing) => thing.kind === 'image' && isNameless(thing)],
  ['images', (thing) => thing.kind === 'image' && !isNameless(thing)],
];

/**
 * Meanwhile the namespace takes no call that changes anything. Gives what the engine would not remove, in its words;
 * an engine that is not there is waited for. @throws the reason of `signal` when it is aborted
 */
export function destroyNamespace(
  side: EngineSide,
  namespace: string,
  onStep: (step: DestroyStep) => void,
  signal: AbortSignal,
): Promise<readonly Left[]> {
  return side.closing.during(namespace, () => toTheEnd(side, namespace, onStep, signal));
}

async function toTheEnd(
  side: EngineSide,
  namespace: string,
  onStep: (step: DestroyStep) => void,
  signal: AbortSignal,
): Promise<readonly Left[]> {
  let fruitless = 0;
  let pauseMs = FIRST_PAUSE_MS;
  let wasEmpty = false;
  const images = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const round = await oneRound(side, namespace, images, onStep, signal);
    if (round === null || round.left.length > 0) {
      if (round !== null) {
        fruitless = round.removed === 0 ? fruitless + 1 : 0;
        if (fruitless === FRUITLESS_ROUNDS) return round.left;
        if (round.removed > 0) pauseMs = FIRST_PAUSE_MS;
      }
      wasEmpty = false;
      await pause(pauseMs, undefined, { signal });
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    } else if (round.removed > 0) {
      wasEmpty = false;
    } else {
      if (wasEmpty) return [];
      // What has come in before may make something yet.
      wasEmpty = !side.changing.has(namespace);
      await pause(QUIET_MS, undefined, { signal });
    }
  }
}

/**
 * Null where the engine does not answer. `images`: the ids of all that were met, since an engine that dies while it removes
 * one has taken its name away first.
 */
async function oneRound(
  side: EngineSide,
  namespace: string,
  images: Set<string>,
  onStep: (step: DestroyStep) => void,
  signal: AbortSignal,
): Promise<{ readonly removed: number; readonly left: readonly Left[] } | null> {
  try {
    const holdings = await holdingsOf(side, namespace, images);
    for (const { image } of holdings) if (image !== undefined) images.add(image);
    if (side.keepsPulled && isJobId(namespace)) await keepPulled(side, namespace);
    const left: Left[] = [];
    let removed = 0;
    for (const [what, fits] of ORDER) {
      // Whose the container of a build's step is, its network alone says.
      if (what === 'networks' && left.length > 0) continue;
      const turns = turnsOf(holdings.filter(fits));
      const work = async (): Promise<void> => {
        for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
          for (const thing of turn) {
            signal.throwIfAborted();
            const reason = await side.removals.take(() => remove(side, namespace, thing));
            onStep(reason === null ? { step: 'removed', thing } : { step: 'waiting', thing, reason });
            if (reason !== null) left.push({ thing, reason });
            else removed++;
          }
        }
      };
      await Promise.all(Array.from({ length: TOGETHER }, work));
    }
    return { removed, left };
  } catch (fault) {
    signal.throwIfAborted();
    onStep({ step: 'waiting', thing: null, reason: (fault as Error).message });
    return null;
  }
}

/** Names of one image come one after another: of two that go at once, Docker 20.10 says of one that it is unknown. */
function turnsOf(things: readonly Holding[]): Holding[][] {
  const turns = new Map<string, Holding[]>();
  for (const thing of things) {
    const key = thing.image ?? thing.id;
    const turn = turns.get(key);
    if (turn === undefined) turns.set(key, [thing]);
    else turn.push(thing);
  }
  return [...turns.values()];
}

/** Null when it is gone; else why it is not. @throws Refusal where the engine does not answer */
async function remove(side: EngineSide, owner: string, { kind, id, name, image }: Holding): Promise<string | null> {
  const { directory, desk } = side;
  if (kind === 'image') return removeImageName(side, { owner, name, reference: id, image: image as string });
  if (kind === 'network') {
    // Who is on it and not of the namespace was put there by somebody on the engine itself.
    for (const container of attachedTo(await desk.ask('NetworkInspect', { parameters: { id } }))) {
      const body = { Container: container, Force: true };
      await desk.order('NetworkDisconnect', { parameters: { id }, body });
    }
  }
  const reason = reasonOf(
    await (kind === 'container'
      ? desk.order('ContainerDelete', { parameters: { id }, query: { force: true, v: true }, deadlineMs: REMOVE_MS })
      : kind === 'network'
        ? desk.order('NetworkDelete', { parameters: { id } })
        : desk.order('VolumeDelete', { parameters: { name: id }, query: { force: true } })),
  );
  if (reason === null) directory.lose(kind, id);
  return reason;
}
