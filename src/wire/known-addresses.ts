/**
 * What names lead to, looked up once in a while: a look-up takes a thread of the pool that files are read by too, for as
 * long as resolvers do not answer, and behind many a proxy they never do.
 */

import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { LRUCache } from 'lru-cache';

const KEPT_MS = 60_000;
const WAIT_MS = 2000;
/** Clients can name hosts without end. */
const MOST_NAMES = 1000;

export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (fault: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

export class KnownAddresses {
  private readonly resolve: LookupAll;
  private readonly names = new LRUCache<string, Promise<readonly string[]>>({ max: MOST_NAMES, ttl: KEPT_MS });

  constructor(resolve: LookupAll) {
    this.resolve = resolve;
  }

  /** Empty where the machine resolves nothing outside, and where that takes too long. */
  of(host: string): Promise<readonly string[]> {
    const before = this.names.get(host);
    if (before !== undefined) return before;
    const asked = new Promise<readonly string[]>((resolve) => {
      const timer = setTimeout(() => resolve([]), WAIT_MS);
      this.resolve(host, { all: true }, (fault, found) => {
        clearTimeout(timer);
        resolve(fault === null ? found.map(({ address }) => address) : []);
      });
    });
    this.names.set(host, asked);
    return asked;
  }
}
