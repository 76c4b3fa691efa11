/**
 * Clients that refuse our CA: who has done so several times in a row is passed through, for a host and a network, for a while.
 * Those of OpenSSL, Java and Go say why they go (an alert of TLS); those of GnuTLS and Node.js, `apt`, `git` and `npm` with
 * them, just go, as one does that was killed.
 */

import { LRUCache } from 'lru-cache';

const FAILURES = 3;
const PASS_MS = 600_000;
/** So long after a request a client that goes without a word does not do so because of our CA. */
const TRUSTING_MS = 60_000;
const MOST = 100_000;

interface Client {
  readonly network: string;
  readonly address: string;
}

interface Left extends Client {
  readonly said: boolean;
}

interface Kept {
  readonly failures: number;
  readonly untilMs: number;
}

export class Distrust {
  private readonly kept = new LRUCache<string, Kept>({ max: MOST });
  /** By host and client: when it last asked for something. */
  private readonly trusting = new LRUCache<string, number>({ max: MOST });
  private readonly onPassed: (host: string, network: string) => void;
  private readonly now: () => number;

  constructor(onPassed: (host: string, network: string) => void, now: () => number = Date.now) {
    this.onPassed = onPassed;
    this.now = now;
  }

  passes(host: string, network: string): boolean {
    return (this.kept.get(keyOf(host, network))?.untilMs ?? 0) > this.now();
  }

  /** A client was shown our certificate and left, with an alert of TLS (`said`) or without. Whether that is held against us. */
  failed(host: string, { network, address, said }: Left): boolean {
    if (!said && (this.trusting.get(keyOf(host, address)) ?? 0) > this.now() - TRUSTING_MS) return false;
    const key = keyOf(host, network);
    const failures = (this.kept.get(key)?.failures ?? 0) + 1;
    // Once it has been so, one failure more is enough.
    const passes = failures >= FAILURES;
    this.kept.set(key, { failures: Math.min(failures, FAILURES - 1), untilMs: passes ? this.now() + PASS_MS : 0 });
    if (passes) this.onPassed(host, network);
    return true;
  }

  trusted(host: string, { network, address }: Client): void {
    this.kept.delete(keyOf(host, network));
    this.trusting.set(keyOf(host, address), this.now());
  }
}

function keyOf(host: string, whose: string): string {
  return `${host} ${whose}`;
}
