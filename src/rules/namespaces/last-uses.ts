/** When calls of each namespace came last, as far as this process knows. */

import { LRUCache } from 'lru-cache';

const MOST = 5000;

export class LastUses {
  /** Milliseconds of the epoch. */
  private readonly atMs: LRUCache<string, number>;
  /** Of what is not known here, nothing is known from before then. */
  private unknownSinceMs = Date.now();

  constructor() {
    this.atMs = new LRUCache({
      max: MOST,
      dispose: (atMs, _, reason) => {
        if (reason === 'evict') this.unknownSinceMs = Math.max(this.unknownSinceMs, atMs);
      },
    });
  }

  note(namespace: string): void {
    this.atMs.set(namespace, Date.now());
  }

  /** Undefined where nobody here knows. */
  of(namespace: string): number | undefined {
    return this.atMs.get(namespace);
  }

  /** After then there was no call. */
  latest(namespace: string): number {
    return this.atMs.peek(namespace) ?? this.unknownSinceMs;
  }
}
