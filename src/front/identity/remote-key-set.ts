/**
 * The keys of an issuer (JWKS), from a URL. Kept for a while, asked for again when a token names a key that is not there, and
 * still used when the issuer does not answer: its outage must not be ours.
 */

import type { AuthenticatorContext, AuthenticatorLog } from '../../exchange/authenticator.ts';
import { type KeyFinder, type KeySource, readKeySet } from './issuer-keys.ts';

const headers = { accept: 'application/jwk-set+json, application/json', 'user-agent': 'berthgate' };
const deadlineMs = 5000;
const mostBytes = 512 * 1024;
/** Keys are asked for again after so long... */
const freshMs = 300_000;
/** ...and used for so long at most when no answer comes. */
const usableMs = 24 * 3_600_000;
/** However many tokens name unknown keys, and however often the issuer fails. */
const leastPauseMs = 30_000;

export interface RemoteKeySetOptions {
  readonly url: URL;
  /** Reads the CA, PEM, that stands in for those of the system. */
  readonly ca: (() => Buffer) | undefined;
  readonly download: AuthenticatorContext['download'];
  readonly log: AuthenticatorLog;
  readonly now?: () => number;
}

export class RemoteKeySet implements KeySource {
  readonly #options: RemoteKeySetOptions;
  readonly #now: () => number;
  #keys: KeyFinder | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;
  /** Grows with each new set of keys. */
  generation = 0;

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** An issuer that does not answer now does not keep Berthgate from starting. */
  async start(): Promise<void> {
    this.#options.ca?.();
    await this.#refresh();
  }

  async stop(): Promise<void> {
    await this.#fetching;
  }

  async keys(unknownKey: boolean): Promise<KeyFinder | null> {
    const age = this.#now() - this.#fetchedAt;
    const mayTry = this.#now() - this.#triedAt >= leastPauseMs;
    if (this.#keys === null || age > usableMs || unknownKey) {
      if (mayTry || this.#fetching !== null) await this.#refresh();
    } else if (age > freshMs && mayTry) {
      // Nobody waits for what is only getting old.
      void this.#refresh();
    }
    return this.#now() - this.#fetchedAt > usableMs ? null : this.#keys;
  }

  /** Never rejects: what went wrong is logged, and the keys stay. */
  #refresh(): Promise<void> {
    this.#triedAt = this.#now();
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { url, ca, download, log } = this.#options;
    try {
      const keys = readKeySet(await download(url, { headers, ca: ca?.().toString(), mostBytes, deadlineMs }));
      this.#keys = keys;
      this.#fetchedAt = this.#now();
      this.generation++;
    } catch (fault) {
      log.warn({ url: url.href, error: (fault as Error).message }, 'the keys of an issuer cannot be read');
    }
  }
}
