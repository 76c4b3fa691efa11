/** Bytes that users and namespaces hold on the engine's disk: sampled, since the engine has to look at every file to tell. */

import { type Holder, NOBODY } from '../../../docker/holder.ts';
import { type UsedDisk, usedDisk } from '../../../docker/holdings.ts';
import { formatReference, readReference, tagged } from '../../../docker/image-reference.ts';
import { namedImages } from '../../../docker/named-images.ts';
import type { Call } from '../../../exchange/call.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import { BuildCache } from './build-cache.ts';

/** Which of the sums a call can add to. */
export type Stock = 'imageBytes' | 'layerBytes' | 'volumeBytes' | 'buildCacheBytes';

const fills: Readonly<Record<string, readonly Stock[]>> = {
  ContainerCreate: ['layerBytes', 'volumeBytes'],
  ContainerStart: ['layerBytes', 'volumeBytes'],
  VolumeCreate: ['volumeBytes'],
  ImageCreate: ['imageBytes'],
  ImageLoad: ['imageBytes'],
  ImageCommit: ['imageBytes'],
  ImageBuild: ['imageBytes', 'buildCacheBytes'],
  BuildkitSolve: ['imageBytes'],
  Session: ['buildCacheBytes'],
  Grpc: ['buildCacheBytes'],
};

/** Whether the call leaves something in the build cache. */
export function builds({ endpoint }: Call): boolean {
  return fills[endpoint.id]?.includes('buildCacheBytes') === true;
}

export function stocksOf({ endpoint }: Call): readonly Stock[] {
  return fills[endpoint.id] ?? [];
}

/** A sample is good for so long where it says that there is room. */
const GOOD_MS = 60_000;
/** And so long where it says that there is none: somebody may have made some. */
const FULL_MS = 2000;
/** The engine measures every volume and every layer. */
const ANSWER_MS = 120_000;

interface Sample {
  readonly used: UsedDisk;
  readonly atMs: number;
}

export class Disk {
  private readonly engine: EngineDesk;
  private readonly now: () => number;
  readonly cache = new BuildCache();
  private sample: Sample | null = null;
  private asking: Promise<Sample> | null = null;
  /** References that holders have pulled or given since the process was started. */
  private readonly named = new Map<Holder, Set<string>>();

  constructor(engine: EngineDesk, now: () => number = Date.now) {
    this.engine = engine;
    this.now = now;
  }

  /**
   * The bytes of a holder; measured anew where the last measure is old, or says more than `max`. `prefix`: how the names of
   * all its images begin, where they do.
   */
  async held(holder: Holder, stock: Stock, max: number, prefix: string | null = null): Promise<number> {
    const { sample } = this;
    if (sample !== null && !(stock === 'buildCacheBytes' && this.cache.hasOthers(holder))) {
      const bytes = this.sum(sample.used, holder, stock, prefix);
      const ageMs = this.now() - sample.atMs;
      if (bytes < max ? ageMs < GOOD_MS : ageMs < FULL_MS) return bytes;
    }
    const { used } = await this.measure();
    return this.sum(used, holder, stock, prefix);
  }

  /** What the call has pulled or named is the holder's. */
  note(holder: Holder, call: Call): void {
    const references = namedImages(call).flatMap(({ use, text }) => {
      const reference = use === 'pull' || use === 'tag' ? readReference(text) : null;
      return reference === null ? [] : [formatReference(tagged(reference))];
    });
    if (references.length === 0) return;
    const named = this.named.get(holder) ?? new Set();
    for (const reference of references) named.add(reference);
    this.named.set(holder, named);
  }

  private measure(): Promise<Sample> {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  private async ask(): Promise<Sample> {
    const seen = this.cache.look();
    let used: UsedDisk | null = null;
    try {
      used = usedDisk(await this.engine.ask('SystemDataUsage', { query: { verbose: true }, deadlineMs: ANSWER_MS }));
    } finally {
      seen(used?.cached ?? null);
    }
    this.sample = { used, atMs: this.now() };
    this.forget(used);
    return this.sample;
  }

  /** Names that the engine does not have any more are nobody's. */
  private forget({ images }: UsedDisk): void {
    const there = new Set(images.flatMap(({ names }) => names.map(whole)));
    for (const [holder, named] of this.named) {
      const kept = new Set([...named].filter((name) => there.has(name)));
      if (kept.size === 0) this.named.delete(holder);
      else this.named.set(holder, kept);
    }
  }

  private sum(used: UsedDisk, holder: Holder, stock: Stock, prefix: string | null): number {
    const { images, containers, volumes, cached } = used;
    const bytes = (things: readonly { readonly bytes: number }[]): number =>
      things.reduce((sum, thing) => sum + thing.bytes, 0);
    if (stock === 'buildCacheBytes') return this.cache.sum(cached, holder);
    const own = containers.filter((container) => container.holder === holder);
    if (stock === 'volumeBytes') {
      const mounted = new Set(own.flatMap((container) => container.volumes));
      return bytes(
        volumes.filter((volume) => volume.holder === holder || (volume.holder === NOBODY && mounted.has(volume.name))),
      );
    }
    if (stock === 'layerBytes') return bytes(own);
    const named = this.named.get(holder);
    const run = new Set(own.map(({ imageId }) => imageId));
    const isOwn = (name: string): boolean =>
      prefix === null ? named?.has(whole(name)) === true : name.startsWith(prefix);
    return bytes(images.filter(({ id, names }) => run.has(id) || names.some(isOwn)));
  }
}

function whole(name: string): string {
  const reference = readReference(name);
  return reference === null ? name : formatReference(reference);
}
