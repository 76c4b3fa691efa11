/**
 * Whether a password is a user's: bcrypt on other threads, few at a time. What was found is remembered by a digest
 * under a key that only this process has.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { verify } from '@node-rs/bcrypt';
import { LRUCache } from 'lru-cache';

/** They share libuv's four threads and the processor with everybody's calls. */
const mostAtOnce = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 4)));
const mostWaiting = 256;

const remembered = {
  /** So that not every call costs a computation. */
  right: { max: 10_000, ttl: 3_600_000 },
  /** A job that tries one wrong password again and again. */
  wrong: { max: 1000, ttl: 60_000 },
};

// Of a random password that nobody has: what is computed for a user who does not exist.
const nobody = 'qYuarwYeF11dTjIcpCRLa.bidSQVWMTInJbS58PWq6sN8W0fteLGa';

export type Verdict = 'right' | 'wrong';
export type Verify = (password: Uint8Array, hash: string) => Promise<boolean>;

/** A password that is to be checked against a stored hash, or in vain for a user who does not exist. */
export interface Question {
  readonly password: Uint8Array;
  readonly hash: string;
  readonly digest: string;
}

/** The hash that a user who does not exist seems to have. */
export function nobodysHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${nobody}`;
}

export class PasswordCheck {
  readonly #verify: Verify;
  readonly #key = randomBytes(32);
  readonly #right = new LRUCache<string, true>(remembered.right);
  readonly #wrong = new LRUCache<string, true>(remembered.wrong);
  readonly #asked = new Map<string, Promise<Verdict | 'dropped'>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(verifyOne: Verify = (password, hash) => verify(password, hash)) {
    this.#verify = verifyOne;
  }

  /** The digest covers the stored hash, so that a changed password is a new question. */
  question(password: Uint8Array, hash: string): Question {
    const digest = createHmac('sha256', this.#key).update(hash).update('\n').update(password).digest('base64');
    return { password, hash, digest };
  }

  known({ digest }: Question): Verdict | undefined {
    if (this.#right.has(digest)) return 'right';
    return this.#wrong.has(digest) ? 'wrong' : undefined;
  }

  /**
   * Computes it when its turn comes, unless it is not wanted any more by then. Null at once where too many wait.
   * A question that is being computed is not computed twice.
   */
  ask(question: Question, wanted: () => boolean): Promise<Verdict | 'dropped'> | null {
    const { digest } = question;
    const asked = this.#asked.get(digest);
    if (asked !== undefined) return asked;
    if (this.#waiting.length >= mostWaiting) return null;
    const answer = this.#answer(question, wanted).finally(() => this.#asked.delete(digest));
    this.#asked.set(digest, answer);
    return answer;
  }

  async #answer({ password, hash, digest }: Question, wanted: () => boolean): Promise<Verdict | 'dropped'> {
    await this.#turn();
    try {
      if (!wanted()) return 'dropped';
      const right = await this.#verify(password, hash);
      (right ? this.#right : this.#wrong).set(digest, true);
      return right ? 'right' : 'wrong';
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Whoever ends passes the turn on. */
  async #turn(): Promise<void> {
    if (this.#running < mostAtOnce) {
      this.#running++;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
