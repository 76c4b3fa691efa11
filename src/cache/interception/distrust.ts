/** Clients that refuse our CA: who has done so several times in a row is passed through, for a host and a network, for a while. */

import { LRUCache } from 'lru-cache';

const FAILURES = 3;
const PASS_MS = 600_000;
const MOST = 100_000;

interface Kept {
  readonly failures: number;
  readonly untilMs: number;
}

export class Distrust {
  private readonly kept = new LRUCache<string, Kept>({ max: MOST });
  private readonly onPassed: (host: string, network: string) => void;
  private readonly now: () => number;

  constructor(onPassed: (host: string, network: string) => void, now: () => number = Date.now) {
    this.onPassed = onPassed;
    this.now = now;
  }

  passes(host: string, network: string): boolean {
    return (this.kept.get(keyOf(host, network))?.untilMs ?? 0) > this.now();
  }

  /** A client ended its handshake, or never said a word after it. */
  failed(host: string, network: string): void {
    const key = keyOf(host, network);
    const failures = (this.kept.get(key)?.failures ?? 0) + 1;
    // Once it has been so, one failure more is enough.
    const passes = failures >= FAILURES;
    this.kept.set(key, { failures: Math.min(failures, FAILURES - 1), untilMs: passes ? this.now() + PASS_MS : 0 });
    if (passes) this.onPassed(host, network);
  }

  trusted(host: string, network: string): void {
    this.kept.delete(keyOf(host, network));
  }
}

function keyOf(host: string, network: string): string {
  return `${host} ${network}`;
}
