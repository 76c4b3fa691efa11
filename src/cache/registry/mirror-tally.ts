/** What the registry cache has done, in numbers, and what registries say of their quotas. */

export type Outcome = 'hit' | 'checked' | 'stale' | 'follower' | 'miss' | 'pass';

export interface Quota {
  /** Manifests within the window. */
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** How many of its manifests a registry still gives, before somebody should be told. */
const LOW_SHARE = 0.1;
/** Clients may ask for whatever hosts they like; those that were asked last are told of. */
const MOST_REGISTRIES = 200;

export class MirrorTally {
  /** By `KIND OUTCOME`. */
  readonly answers = new Map<string, number>();
  /** By registry. */
  readonly quotas = new Map<string, Quota>();
  /** Manifests that were not asked of a registry, by registry: what its quota was spared. */
  readonly manifestsSaved = new Map<string, number>();
  /** Private images that engines went to the registry themselves for, since a mirror gets no credentials. */
  bypasses = 0;
  bytesFromOrigins = 0;
  bytesFromCache = 0;
  private readonly onLow: (registry: string, quota: Quota) => void;

  constructor(onLow: (registry: string, quota: Quota) => void) {
    this.onLow = onLow;
  }

  answered(kind: 'manifest' | 'blob' | 'list', outcome: Outcome, registry: string): void {
    count(this.answers, `${kind} ${outcome}`);
    const spared = outcome === 'hit' || outcome === 'checked' || outcome === 'stale' || outcome === 'follower';
    if (kind === 'manifest' && spared)
      setLast(this.manifestsSaved, registry, (this.manifestsSaved.get(registry) ?? 0) + 1);
  }

  /** `ratelimit-limit: 100;w=21600` of Docker Hub, and `ratelimit-remaining` likewise. */
  readQuota(registry: string, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    const limit = readAmount(headers['ratelimit-limit']);
    const remaining = readAmount(headers['ratelimit-remaining']);
    if (limit === null || remaining === null) return;
    const before = this.quotas.get(registry);
    const quota: Quota = {
      limit: limit.amount,
      remaining: remaining.amount,
      windowSeconds: limit.window,
      at: Date.now(),
    };
    setLast(this.quotas, registry, quota);
    if (isLow(quota) && (before === undefined || !isLow(before))) this.onLow(registry, quota);
  }
}

function isLow({ limit, remaining }: Quota): boolean {
  return remaining <= limit * LOW_SHARE;
}

function readAmount(
  header: string | string[] | undefined,
): { readonly amount: number; readonly window: number | null } | null {
  const [, amount, window] = /^(\d{1,9})(?:;w=(\d{1,9}))?\s*$/.exec([header ?? ''].flat()[0] ?? '') ?? [];
  return amount === undefined ? null : { amount: Number(amount), window: window === undefined ? null : Number(window) };
}

function setLast<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [first] = map.keys();
  if (map.size > MOST_REGISTRIES && first !== undefined) map.delete(first);
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
