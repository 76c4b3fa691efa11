/** The engine's disk kept in bounds: what nobody needs goes, and what was not used for longest goes first. */

import { imagesIn } from '../../docker/image-listings.ts';
import { freedBytes } from '../../docker/joined-answers.ts';
import { thingsIn } from '../../docker/named-things.ts';
import { INSTALLATION_LABEL, NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { destroyNamespace } from './destroy.ts';
import type { EngineSide } from './engine-side.ts';
import { dropKept, type KeptImage, keptImages } from './kept-images.ts';
import { ownerOf } from './ownership.ts';
import { keptSteps } from './shared-steps.ts';
import { survey } from './survey.ts';

export interface GarbageLimits {
  /** Percent of the disk: above it things go, down to `low`. */
  readonly high: number;
  readonly low: number;
  readonly keepImagesMs: number;
  /** For how long nobody has used a namespace that may go; null where none may. */
  readonly idleMs: number | null;
}

export interface Garbage {
  readonly kind: 'image' | 'build cache' | 'namespace';
  /** An image's id, a namespace; of BuildKit's cache what of it is meant. */
  readonly name: string;
  readonly usedAtMs: number;
  /** Null where the engine is to say; layers that others have too stay. */
  readonly bytes: number | null;
  readonly why: 'expired' | 'disk';
}

export interface Collected {
  /** Percent before anything went; null where nobody here can say. */
  readonly disk: number | null;
  readonly garbage: readonly Garbage[];
}

const PRUNE_MS = 600_000;
/** Parts of the cache that are closer to each other in time go at once. */
const CACHE_PART_MS = 600_000;
const DESTROY_MS = 600_000;
const RUNS: ReadonlySet<string> = new Set(['running', 'paused', 'restarting']);

/** Percent of the engine's disk; null where nobody here can say. */
export type DiskUsed = () => Promise<number | null>;

/** What may go while the disk is too full. */
interface Candidate extends Pick<Garbage, 'kind' | 'name' | 'bytes'> {
  readonly usedAtMs: number;
  /** Whether it went, with what it was by then. */
  take(): Promise<Pick<Garbage, 'bytes'> | null>;
}

/** `dryRun`: tells what would go; of the disk's, what could. @throws Refusal, Error where the engine does not answer */
export async function collectGarbage(
  side: EngineSide,
  used: DiskUsed,
  limits: GarbageLimits,
  dryRun: boolean,
): Promise<Collected> {
  const { high, low, keepImagesMs, idleMs } = limits;
  const garbage: Garbage[] = [];
  const disk = await used();
  const images = imagesIn(await side.desk.ask('ImageList', { query: { digests: true } }));
  const kept = keptImages(images);
  const expired = kept.filter(({ usedAtMs }) => usedAtMs + keepImagesMs <= Date.now());
  for (const image of expired) {
    if (dryRun || (await dropKept(side, image))) garbage.push({ ...imageIn(image), why: 'expired' });
  }
  if (disk === null || disk <= high) return { disk, garbage };
  const idle = idleMs === null ? [] : await idleNamespaces(side, idleMs);
  const taking = (image: KeptImage): Pick<Candidate, 'take'> => ({
    take: async () => ((await dropKept(side, image)) ? { bytes: image.bytes } : null),
  });
  const others: readonly Candidate[] = [
    ...kept.flatMap((image) => (expired.includes(image) ? [] : { ...imageIn(image), ...taking(image) })),
    ...keptSteps(side.addresses, images).map((image) => ({
      ...imageIn(image),
      kind: 'build cache' as const,
      ...taking(image),
    })),
    ...idle.map(({ name, usedAtMs }) => ({
      kind: 'namespace' as const,
      name,
      usedAtMs,
      bytes: null,
      take: async () => ((await destroyIdle(side, name, idleMs as number)) ? { bytes: null } : null),
    })),
  ];
  const cache = cacheOf(side, others, keepImagesMs);
  for (const { take, ...one } of lineOf(others, dryRun ? cache.slice(-1) : cache)) {
    if (!dryRun && ((await used()) ?? 0) <= low) break;
    const gone = dryRun ? one : await take();
    if (gone !== null) garbage.push({ ...one, ...gone, why: 'disk' });
  }
  return { disk, garbage };
}

/** What was not used for longest stands first; of the same age, the cache does. */
function lineOf(others: readonly Candidate[], cache: readonly Candidate[]): readonly Candidate[] {
  return [...cache, ...others].sort((one, other) => one.usedAtMs - other.usedAtMs);
}

function imageIn({ id, usedAtMs, bytes }: KeptImage) {
  return { kind: 'image' as const, name: id, usedAtMs, bytes };
}

/**
 * The build cache in parts, since an engine takes all of it away that was not used for so long: one before each of the others, one
 * for what is older than images may be, and all of it.
 */
function cacheOf(side: EngineSide, others: readonly Candidate[], keepImagesMs: number): readonly Candidate[] {
  const nowMs = Date.now();
  const times = [...others.map(({ usedAtMs }) => usedAtMs), nowMs - keepImagesMs].sort((one, other) => one - other);
  let lastMs = Number.NEGATIVE_INFINITY;
  const apart = times.filter((atMs) => {
    if (atMs - lastMs < CACHE_PART_MS) return false;
    lastMs = atMs;
    return true;
  });
  return [...apart, nowMs].map((usedAtMs) => {
    const idle = usedAtMs === nowMs ? null : `${Math.ceil((nowMs - usedAtMs) / 1000)}s`;
    const name = idle === null ? 'whatever no build uses' : `not used for ${idle}`;
    const take = async () => {
      const bytes = await pruneCache(side, idle);
      return bytes === 0 ? null : { bytes };
    };
    return { kind: 'build cache' as const, name, usedAtMs, bytes: null, take };
  });
}

/** Those in which nothing runs, and that nobody has called for so long; the one that was not used for longest first. */
async function idleNamespaces(side: EngineSide, idleMs: number) {
  const others = await ofOthers(side);
  const idle = [...(await survey(side))].flatMap(([name, things]) => {
    const runs = things.some(({ kind, state }) => kind === 'container' && state !== null && RUNS.has(state));
    const usedAtMs = side.uses.latest(name);
    return runs || isJobId(name) || others.has(name) || usedAtMs + idleMs > Date.now() ? [] : [{ name, usedAtMs }];
  });
  return idle.sort((one, other) => one.usedAtMs - other.usedAtMs);
}

/** Those with containers of another Berthgate, which alone knows when they were used. */
async function ofOthers({ desk, ledger }: EngineSide): Promise<ReadonlySet<string>> {
  const query = { all: true, filters: { label: [NAMESPACE_LABEL] } };
  const containers = thingsIn('container', await desk.ask('ContainerList', { query }));
  const theirs = containers.filter(({ labels: { [INSTALLATION_LABEL]: by = '' } }) => {
    return by !== '' && by !== ledger.installation.id;
  });
  return new Set(theirs.flatMap((container) => ownerOf(container) ?? []));
}

/** Whole, unless somebody has come back to it meanwhile. Whether nothing is left. */
async function destroyIdle(side: EngineSide, name: string, idleMs: number): Promise<boolean> {
  if (!(await idleNamespaces(side, idleMs)).some((one) => one.name === name)) return false;
  return (await destroyNamespace(side, name, () => {}, AbortSignal.timeout(DESTROY_MS))).length === 0;
}

/** `idle`: not used for so long; null for whatever is not in use. Gives the bytes that went. */
async function pruneCache({ desk }: EngineSide, idle: string | null): Promise<number> {
  const query = { all: true, ...(idle === null ? {} : { filters: { until: [idle] } }) };
  const { answer } = await desk.order('BuildPrune', { query, deadlineMs: PRUNE_MS });
  return freedBytes(answer);
}
