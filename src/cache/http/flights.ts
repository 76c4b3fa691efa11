/** Who asks the origin for what: many who want the same at the same time send one request. */

import type { RawHeaders } from '../../wire/message.ts';
import type { Fill, StoredRecord } from '../store.ts';
import type { OriginAnswer } from './origin.ts';
import type { StoredAnswer } from './stored-answer.ts';

export type Coming = Omit<StoredAnswer, 'length'> & { readonly length: number | null };

export type Landing =
  /** It is being kept, and is for all. */
  | {
      readonly kind: 'kept';
      readonly answer: Coming;
      readonly fill: Fill;
      readonly cookies: RawHeaders;
      /** Also those may have it who come only now. */
      readonly isFresh: boolean;
      /** It has been kept, or has failed. */
      readonly ended: Promise<void>;
    }
  /** What is stored is right. */
  | { readonly kind: 'refreshed'; readonly record: StoredRecord; readonly answer: StoredAnswer }
  /** It is for the one alone that has asked. */
  | { readonly kind: 'alone'; readonly answer: OriginAnswer; readonly reason: string }
  | { readonly kind: 'failed'; readonly fault: unknown };

export class Flights {
  private readonly flying = new Map<string, Promise<Landing>>();

  get(key: string): Promise<Landing> | null {
    return this.flying.get(key) ?? null;
  }

  /** Others join until what has landed is there for all. */
  begin(key: string, land: () => Promise<Landing>): Promise<Landing> {
    const landing = land().catch((fault: unknown): Landing => ({ kind: 'failed', fault }));
    this.flying.set(key, landing);
    void landing
      .then((landed) => (landed.kind === 'kept' && landed.isFresh ? landed.ended : undefined))
      .finally(() => {
        if (this.flying.get(key) === landing) this.flying.delete(key);
      });
    return landing;
  }

  /** Nobody joins any more what was asked for before this. */
  forget(url: string): void {
    for (const key of this.flying.keys()) if (key.startsWith(`${url}\n`)) this.flying.delete(key);
  }
}
