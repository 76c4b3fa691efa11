/**
 * Images that jobs have pulled, kept on the engine for whoever comes next: under a name that leads to nobody. The next pull
 * of one asks its registry as always, with the credentials of whoever pulls, and finds the layers here.
 */

import { imagesIn, type ListedImage } from '../../docker/image-listings.ts';
import { reasonOf } from '../../docker/named-things.ts';
import type { EngineSide } from './engine-side.ts';
import { ownerIn } from './image-holdings.ts';
import { KEPT_REPOSITORY } from './names.ts';

const KEPT = new RegExp(`^${KEPT_REPOSITORY.replaceAll('.', '\\.')}:([0-9a-f]{64})-(\\d{1,12})$`);
const REMOVE_MS = 300_000;

export interface KeptImage {
  /** `sha256:…` */
  readonly id: string;
  /** The engine's names for it that are ours, of every time that it was kept. */
  readonly references: readonly string[];
  /** When it was used last. */
  readonly usedAtMs: number;
  /** With layers that other images may have too. */
  readonly bytes: number;
}

/** What the job has from registries stays, when the job goes. @throws Refusal, Error where the engine does not answer */
export async function keepPulled(side: EngineSide, job: string): Promise<void> {
  const seconds = Math.floor(Date.now() / 1000);
  for (const { id, digests, tags } of imagesIn(await side.desk.ask('ImageList', { query: { digests: true } }))) {
    // What was only built has no digest of a registry.
    if (!digests.some((name) => ownerIn(side, name) === job)) continue;
    const tag = `${id.replace(/^sha256:/, '')}-${seconds}`;
    const order = { parameters: { name: id }, query: { repo: KEPT_REPOSITORY, tag } };
    if ((await side.desk.order('ImageTag', order)).status >= 300) continue;
    // An image that is always in use would have one more name after each job.
    const former = tags.filter((name) => secondsIn(name) < seconds);
    for (const name of former) await side.desk.order('ImageDelete', { parameters: { name } });
  }
}

/** The one that was not used for longest first. */
export function keptImages(listed: readonly ListedImage[]): readonly KeptImage[] {
  const kept = listed.flatMap(({ id, tags, bytes }) => {
    const references = tags.filter((tag) => KEPT.test(tag));
    const times = references.map((tag) => secondsIn(tag) * 1000);
    return references.length === 0 ? [] : [{ id, references, usedAtMs: Math.max(...times), bytes }];
  });
  return kept.sort((one, other) => one.usedAtMs - other.usedAtMs);
}

/**
 * Its names that are ours; layers go that nobody else has. False where a container is made of it: then it is tried again when
 * that is gone. @throws Refusal where the engine does not answer
 */
export async function dropKept({ desk }: EngineSide, { references }: KeptImage): Promise<boolean> {
  let gone = true;
  for (const name of references) {
    gone &&= reasonOf(await desk.order('ImageDelete', { parameters: { name }, deadlineMs: REMOVE_MS })) === null;
  }
  return gone;
}

/** When it was kept, since 1970; NaN of any other name. */
function secondsIn(name: string): number {
  return Number(KEPT.exec(name)?.[2] ?? Number.NaN);
}
