/**
 * Where things lie in the folder of a store:
 *
 *     blobs/AB/DIGEST      a body, named by its SHA-256
 *     records/AB/NAME      the records of one key (record-file.ts), named by a hash of the key
 *     fills/PROCESS.N      a body that is being written
 *
 * A name in `blobs` or `records` appears by a rename alone, so that it is whole or not there.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Digest } from '../store.ts';

const DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[0-9a-f]{40}$/;
const NAME_DIGITS = 40;

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

export function isRecordName(text: string): boolean {
  return NAME.test(text);
}

export function recordName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, NAME_DIGITS);
}

export class Layout {
  readonly folder: string;
  readonly blobs: string;
  readonly records: string;
  readonly fills: string;

  constructor(folder: string) {
    this.folder = folder;
    this.blobs = join(folder, 'blobs');
    this.records = join(folder, 'records');
    this.fills = join(folder, 'fills');
  }

  blob(digest: Digest): string {
    return join(this.blobs, digest.slice(0, 2), digest);
  }

  record(name: string): string {
    return join(this.records, name.slice(0, 2), name);
  }
}

/** Every shelf that there can be. */
export const shelves: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
