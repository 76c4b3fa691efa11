/** The records in the folder of a store: a file for each key, replaced whole; the ones that are in use also in memory. */

import { mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { StoredRecord } from '../store.ts';
import { type Layout, recordName } from './layout.ts';
import { printRecordFile, type RecordFile, readRecordFile } from './record-file.ts';
import { Turns } from './turns.ts';

/** Whoever can choose the headers that an answer varies on could else fill a key without end. */
const MOST_VARIANTS = 64;
/** After it the file counts again: another process may have changed it. */
const REMEMBERED_MS = 5_000;
const REMEMBERED_BYTES = 32 * 1024 * 1024;

interface Remembered {
  readonly records: readonly StoredRecord[];
  readonly bytes: number;
}

export interface Changed extends RecordFile {
  /** Of the file; 0 where it is gone. */
  readonly bytes: number;
}

/** Null: nothing. */
type Change = (records: readonly StoredRecord[]) => readonly StoredRecord[] | null;
type OnChanged = (name: string, changed: Changed) => void;

export class FolderRecords {
  readonly #layout: Layout;
  readonly #fillPath: () => string;
  readonly #remembered = new LRUCache<string, Remembered>({
    maxSize: REMEMBERED_BYTES,
    ttl: REMEMBERED_MS,
    sizeCalculation: ({ bytes }) => bytes + 512,
  });
  readonly #turns = new Turns();

  constructor(layout: Layout, fillPath: () => string) {
    this.#layout = layout;
    this.#fillPath = fillPath;
  }

  async get(key: string): Promise<readonly StoredRecord[]> {
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) return remembered.records;
    const name = recordName(key);
    return this.#turns.take(name, async () => {
      const found = await readRecordsAt(this.#layout, name);
      if (found === null || found.key !== key) return [];
      this.#remembered.set(key, found);
      return found.records;
    });
  }

  /** Whether something has changed. `onChanged` runs before anybody else's turn. */
  change(key: string, change: Change, onChanged: OnChanged): Promise<boolean> {
    return this.#change(recordName(key), key, change, onChanged);
  }

  /** Of a name alone, as walks and eviction know it: what stays of its records. */
  keepOnly(name: string, stays: (record: StoredRecord) => boolean, onChanged: OnChanged): Promise<boolean> {
    const change: Change = (records) => {
      const left = records.filter(stays);
      return left.length === records.length && records.length > 0 ? null : left;
    };
    return this.#change(name, null, change, onChanged);
  }

  /** Where there is a file that holds no records: whether there was one. */
  removeDamaged(name: string, onChanged: OnChanged): Promise<boolean> {
    return this.#turns.take(name, async () => {
      if ((await readRecordsAt(this.#layout, name)) !== null) return false;
      const removed = await unlink(this.#layout.record(name)).then(
        () => true,
        () => false,
      );
      // Nobody knows any more which key it was of.
      this.#remembered.clear();
      onChanged(name, { key: '', records: [], bytes: 0 });
      return removed;
    });
  }

  async #change(name: string, itsKey: string | null, change: Change, onChanged: OnChanged): Promise<boolean> {
    return this.#turns.take(name, async () => {
      const found = await readRecordsAt(this.#layout, name);
      const key = itsKey ?? found?.key ?? '';
      const next = change(found !== null && found.key === key ? found.records : [])?.slice(0, MOST_VARIANTS) ?? null;
      if (next === null) return false;
      this.#remembered.delete(key);
      if (next.length === 0) await unlink(this.#layout.record(name)).catch(absent);
      const bytes = next.length === 0 ? 0 : await this.#write(name, { key, records: next });
      if (bytes > 0) this.#remembered.set(key, { records: next, bytes });
      onChanged(name, { key, records: next, bytes });
      return true;
    });
  }

  async #write(name: string, file: RecordFile): Promise<number> {
    const [bytes, path, target] = [printRecordFile(file), this.#fillPath(), this.#layout.record(name)];
    try {
      await writeFile(path, bytes, { mode: 0o600, flag: 'wx' });
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await rename(path, target);
    } catch (fault) {
      await unlink(path).catch(() => {});
      throw fault;
    }
    return bytes.length;
  }
}

/** Null where it is not there, or not whole. */
export async function readRecordsAt(layout: Layout, name: string): Promise<Changed | null> {
  const bytes = await readFile(join(layout.records, name.slice(0, 2), name)).catch(absent);
  const read = bytes === null ? null : readRecordFile(bytes);
  return read === null || bytes === null || recordName(read.key) !== name ? null : { ...read, bytes: bytes.length };
}

function absent(fault: NodeJS.ErrnoException): null {
  if (fault.code === 'ENOENT') return null;
  throw fault;
}
