/**
 * Who was seen to have the right to a repository: the registry itself has answered their own credentials. What nobody has
 * proven is not given from the cache, whatever lies there (RED-TEAM 61, 68).
 */

import { LRUCache } from 'lru-cache';
import type { Digest, Store } from '../store.ts';
import type { Asker } from './asker.ts';

/** Long enough for a pull, and short for who has lost a right. */
const FRESH_MS = 5 * 60_000;
const MOST_PROVEN = 100_000;

export class ProvenRights {
  private readonly store: Store;
  private readonly boundMs: number;
  /** When it was seen, by the asker's key. */
  private readonly seen = new LRUCache<string, number>({ max: MOST_PROVEN });

  /** @param boundMs for how long a right holds while the registry cannot be asked */
  constructor(store: Store, boundMs: number) {
    this.store = store;
    this.boundMs = boundMs;
  }

  /** No need to ask again. */
  isFresh({ key }: Asker): boolean {
    return Date.now() - (this.seen.get(key) ?? 0) < FRESH_MS;
  }

  prove({ key }: Asker): void {
    this.seen.set(key, Date.now());
  }

  /** The registry does not let them any more. */
  forget({ key }: Asker): void {
    this.seen.delete(key);
  }

  /** Kept beside a body of the repository: it outlives the process. Only after a proof. */
  async keep({ name, anonymous, key }: Asker, digest: Digest): Promise<void> {
    const at = this.seen.get(key);
    if (!anonymous || at === undefined) return;
    const [before] = await this.store.get(publicKey(name));
    if (before !== undefined && at - timeOf(before.meta) < FRESH_MS) return;
    await this.store.put({ key: publicKey(name), variant: '', meta: { at } }, digest);
  }

  /** Whether it is theirs while nobody can ask the registry: they had it not long ago, or everybody had. */
  async holds({ key, name }: Asker): Promise<boolean> {
    if (Date.now() - (this.seen.get(key) ?? 0) < this.boundMs) return true;
    const [open] = await this.store.get(publicKey(name));
    return open !== undefined && Date.now() - timeOf(open.meta) < this.boundMs;
  }

  /** As `forget`; what those without credentials may not have is not for everybody. */
  async lose(asker: Asker): Promise<void> {
    this.forget(asker);
    if (asker.anonymous) await this.store.delete(publicKey(asker.name));
  }
}

function publicKey(name: string): string {
  return `public:${name}`;
}

function timeOf(meta: unknown): number {
  const { at } = meta as { readonly at?: unknown };
  return typeof at === 'number' ? at : 0;
}
