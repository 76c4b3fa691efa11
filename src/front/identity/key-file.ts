/** The keys of an issuer, from a file. */

import type { AuthenticatorLog } from '../../exchange/authenticator.ts';
import { type KeyFinder, type KeySource, readKeySet } from './issuer-keys.ts';
import { WatchedFile } from './watched-file.ts';

export class KeyFile implements KeySource {
  readonly #file: WatchedFile<KeyFinder>;

  constructor(path: string, log: AuthenticatorLog) {
    this.#file = new WatchedFile({ path, what: 'the file of keys', secret: false, parse: readKeySet, log });
  }

  get generation(): number {
    return this.#file.generation;
  }

  start(): Promise<void> {
    return this.#file.start();
  }

  stop(): Promise<void> {
    return this.#file.stop();
  }

  async keys(): Promise<KeyFinder> {
    return this.#file.content;
  }
}
