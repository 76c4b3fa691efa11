/** The engine's disk kept in bounds: what nobody needs goes, and what was not used for longest goes first. */

import { freedBytes } from '../../docker/joined-answers.ts';
import { thingsIn } from '../../docker/named-things.ts';
import { INSTALLATION_LABEL, NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { destroyNamespace } from './destroy.ts';
import type { EngineSide } from './engine-side.ts';
import { dropKept, type KeptImage, keptImages } from './kept-images.ts';
import { ownerOf } from './ownership.ts';
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
  /** An image's id, a namespace; of the cache what of it is meant. */
  readonly name: string;
  readonly usedAtMs: number | null;
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
const DESTROY_MS = 600_000;
const RUNS: ReadonlySet<string> = new Set(['running', 'paused', 'restarting']);

/** Percent of the engine's disk; null where nobody here can say. */
export type DiskUsed = () => Promise<number | null>;

/** `dryRun`: tells what would go; of the disk's, what could. @throws Refusal, Error where the engine does not answer */
export async function collectGarbage(
  side: EngineSide,
  used: DiskUsed,
  limits: GarbageLimits,
  dryRun: boolean,
): Promise<Collected> {
  const { high, low, keepImagesMs, idleMs } = limits;
  const garbage: Garbage[] = [];
  const take = async (image: KeptImage, why: Garbage['why']): Promise<void> => {
    if (!dryRun && !(await dropKept(side, image))) return;
    const { id, usedAtMs, bytes } = image;
    garbage.push({ kind: 'image', name: id, usedAtMs, bytes, why });
  };
  const disk = await used();
  const all = await keptImages(side);
  const expired = all.filter(({ usedAtMs }) => usedAtMs + keepImagesMs <= Date.now());
  for (const image of expired) await take(image, 'expired');
  if (disk === null || disk <= high) return { disk, garbage };
  for (const image of all.filter((one) => !expired.includes(one))) {
    if (!dryRun && ((await used()) ?? 0) <= low) return { disk, garbage };
    await take(image, 'disk');
  }
  if (dryRun || ((await used()) ?? 0) > low) {
    const idle = `${Math.ceil(keepImagesMs / 1000)}s`;
    const bytes = dryRun ? null : await pruneCache(side, idle);
    garbage.push({ kind: 'build cache', name: `not used for ${idle}`, usedAtMs: null, bytes, why: 'disk' });
  }
  for (const { name, usedAtMs } of idleMs === null ? [] : await idleNamespaces(side, idleMs)) {
    if (!dryRun && ((await used()) ?? 0) <= low) break;
    if (!dryRun && !(await destroyIdle(side, name, idleMs as number))) continue;
    garbage.push({ kind: 'namespace', name, usedAtMs, bytes: null, why: 'disk' });
  }
  return { disk, garbage };
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

async function pruneCache({ desk }: EngineSide, idle: string): Promise<number> {
  const query = { all: true, filters: { until: [idle] } };
  const { answer } = await desk.order('BuildPrune', { query, deadlineMs: PRUNE_MS });
  return freedBytes(answer);
}
