/** What the registry cache has done, in numbers, and what registries say of their quotas. */

import { LRUCache } from 'lru-cache';

export type Outcome = 'hit' | 'checked' | 'stale' | 'follower' | 'miss' | 'pass';

/** Whose quota it is: of our address, where nobody is named; of the account of the configuration (`credentials`); of what clients show. */
export type QuotaAccount = 'none' | 'configured' | 'clients';

export interface Quota {
  readonly registry: string;
  readonly account: QuotaAccount;
  /** Manifests within the window. */
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number | null;
  /** Whom the registry counts for, in its own words: an address, or an account. Empty where it has not said. */
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** How many of its manifests a registry still gives, before somebody should be told. */
const LOW_SHARE = 0.1;
/** How many it gives again, before somebody is told once more: what is left goes up and down by one all day. */
const ENOUGH_SHARE = 0.2;
/** Clients may ask for whatever hosts they like; those that were asked last are told of. */
const MOST_REGISTRIES = 200;
const MOST_TOLD = 1000;

export class MirrorTally {
  /** By `KIND OUTCOME`. */
  readonly answers = new Map<string, number>();
  /** By `REGISTRY ACCOUNT`. */
  readonly quotas = new Map<string, Quota>();
  /** Manifests that were not asked of a registry, by registry: what its quota was spared. */
  readonly manifestsSaved = new Map<string, number>();
  /** Private images that engines went to the registry themselves for, since a mirror gets no credentials. */
  bypasses = 0;
  bytesFromOrigins = 0;
  bytesFromCache = 0;
  /** By registry and whom it counts for: they have been told to have few left. */
  private readonly toldLow = new LRUCache<string, true>({ max: MOST_TOLD });
  private readonly onLow: (quota: Quota) => void;

  constructor(onLow: (quota: Quota) => void) {
    this.onLow = onLow;
  }

  answered(kind: 'manifest' | 'blob' | 'list', outcome: Outcome, registry: string): void {
    count(this.answers, `${kind} ${outcome}`);
    const spared = outcome === 'hit' || outcome === 'checked' || outcome === 'stale' || outcome === 'follower';
    if (kind === 'manifest' && spared)
      setLast(this.manifestsSaved, registry, (this.manifestsSaved.get(registry) ?? 0) + 1);
  }

  /** `ratelimit-limit: 100;w=21600` of Docker Hub, and `ratelimit-remaining` likewise. */
  readQuota(
    registry: string,
    account: QuotaAccount,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    const limit = readAmount(headers['ratelimit-limit']);
    const remaining = readAmount(headers['ratelimit-remaining']);
    if (limit === null || remaining === null) return;
    const quota: Quota = {
      registry,
      account,
      limit: limit.amount,
      remaining: remaining.amount,
      windowSeconds: limit.window,
      source: [headers['docker-ratelimit-source'] ?? ''].flat()[0] ?? '',
      at: Date.now(),
    };
    setLast(this.quotas, `${registry} ${account}`, quota);
    const whose = `${registry} ${account} ${quota.source}`;
    if (quota.remaining > quota.limit * ENOUGH_SHARE) this.toldLow.delete(whose);
    else if (quota.remaining <= quota.limit * LOW_SHARE && !this.toldLow.has(whose)) {
      this.toldLow.set(whose, true);
      this.onLow(quota);
    }
  }
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
