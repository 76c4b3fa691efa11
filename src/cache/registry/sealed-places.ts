/** Places of uploads: what a registry named stands sealed in our own URLs, so that nobody sends us elsewhere and nothing is to be remembered. */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const KEY_BYTES = 32;
const MAC_BYTES = 16;

export class SealedPlaces {
  private readonly key: Buffer;

  constructor(key: Buffer) {
    this.key = key;
  }

  /** As may stand in a path. */
  seal(repository: string, { href }: URL): string {
    return `${Buffer.from(href).toString('base64url')}.${this.mac(repository, href).toString('base64url')}`;
  }

  /** Null for what we have not sealed for this repository. */
  open(repository: string, sealed: string): URL | null {
    const [place, mac, ...more] = sealed.split('.');
    if (place === undefined || mac === undefined || more.length > 0) return null;
    const href = Buffer.from(place, 'base64url').toString();
    const said = Buffer.from(mac, 'base64url');
    const meant = this.mac(repository, href);
    return said.length === meant.length && timingSafeEqual(said, meant) ? new URL(href) : null;
  }

  private mac(repository: string, href: string): Buffer {
    return createHmac('sha256', this.key).update(`${repository}\n${href}`).digest().subarray(0, MAC_BYTES);
  }
}

/** The key in the file, which is made where there is none: uploads go on after a restart. */
export function readKey(file: string): Buffer {
  try {
    const key = readFileSync(file);
    if (key.length === KEY_BYTES) return key;
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT') throw fault;
  }
  const key = randomBytes(KEY_BYTES);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, key, { mode: 0o600 });
  renameSync(unfinished, file);
  return key;
}
