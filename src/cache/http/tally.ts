/** What the cache has done, for the metrics. */

export type ServedKind =
  /** From the store, as it is. */
  | 'fresh'
  /** From the store, after the origin has said that it is still right. */
  | 'revalidated'
  /** From the store, though its time is over. */
  | 'stale'
  /** From what another one's request is just fetching. */
  | 'follower'
  /** From the origin, and kept. */
  | 'miss'
  /** From the origin, for this one alone. */
  | 'pass'
  /** By the cache itself: errors. */
  | 'own';

export interface Served {
  readonly kind: ServedKind;
  readonly scheme: 'http' | 'https';
  /** Of the body. */
  readonly bytes: number;
}

export class HttpCacheTally {
  readonly requests = new Map<string, number>();
  bytesFromCache = 0;
  bytesFromOrigins = 0;
  bytesServed = 0;
  resumed = 0;
  readonly failures = new Map<string, number>();

  /** Gives whether that was a hit. */
  served({ kind, scheme, bytes }: Served): boolean {
    add(this.requests, `${kind} ${scheme}`);
    this.bytesServed += bytes;
    const isHit = kind === 'fresh' || kind === 'revalidated' || kind === 'stale' || kind === 'follower';
    if (isHit) this.bytesFromCache += bytes;
    return isHit;
  }

  failed(reason: string): void {
    add(this.failures, reason);
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
