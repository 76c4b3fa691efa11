/** Names of images that are too long for an engine, by their hash: written before the engine hears of them, never changed. */

import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';

const REMEMBERED = 1000;
/** Whoever has so many is not naming images but filling a disk. */
const MOST_NAMES = 100_000;

export interface LongNames {
  /** The hash of the name, which `recall` knows from now on, also after a crash. @throws Error where it cannot be kept */
  keep(name: string): string;
  /** Null for a hash that nobody kept. */
  recall(hash: string): string | null;
}

/** One file a name. A few of them in years, so that nobody waits for the disk: it is done at once. */
export class LongNamesFolder implements LongNames {
  private readonly folder: string;
  private readonly known = new LRUCache<string, string>({ max: REMEMBERED });
  private count: number | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  keep(name: string): string {
    const hash = createHash('sha256').update(name).digest('hex');
    if (this.recall(hash) !== null) return hash;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.count ??= readdirSync(this.folder).length;
    if (this.count >= MOST_NAMES) throw new Error(`there are ${MOST_NAMES} long names of images already`);
    this.count++;
    const file = join(this.folder, hash);
    const unfinished = `${file}.${process.pid}`;
    const descriptor = openSync(unfinished, 'w', 0o600);
    try {
      writeSync(descriptor, name);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(unfinished, file);
    syncFolder(this.folder);
    this.known.set(hash, name);
    return hash;
  }

  recall(hash: string): string | null {
    const known = this.known.get(hash);
    if (known !== undefined) return known;
    if (!/^[0-9a-f]{64}$/.test(hash)) return null;
    let name: string;
    try {
      name = readFileSync(join(this.folder, hash), 'utf8');
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw fault;
    }
    if (createHash('sha256').update(name).digest('hex') !== hash) return null;
    this.known.set(hash, name);
    return name;
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
