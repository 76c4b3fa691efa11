/** Records by key: changed one after the other, and remembered for a while. */

import { LRUCache } from 'lru-cache';
import type { StoredRecord } from '../store.ts';
import { recordName } from './layout.ts';
import type { RecordPlace } from './places.ts';
import { printRecordFile, type RecordFile, readRecordFile } from './record-file.ts';
import { Turns } from './turns.ts';

/** Whoever can choose the headers that an answer varies on could else fill a key without end. */
const MOST_VARIANTS = 64;
const REMEMBERED_BYTES = 32 * 1024 * 1024;
const AT_ONCE = 16;

export interface Changed extends RecordFile {
  /** Of the file; 0 where it is gone. */
  readonly bytes: number;
}

export interface FoundRecords {
  readonly name: string;
  readonly file: Changed;
  /** Milliseconds since 1970. */
  readonly lastUse: number;
}

/** Null: nothing. */
type Change = (records: readonly StoredRecord[]) => readonly StoredRecord[] | null;
type OnChanged = (name: string, changed: Changed) => void;

export class Records {
  readonly #place: RecordPlace;
  readonly #remembered: LRUCache<string, Changed>;
  readonly #turns = new Turns();

  /** @param rememberedMs after it the place is asked again, since another process may have changed it */
  constructor(place: RecordPlace, rememberedMs: number) {
    this.#place = place;
    this.#remembered = new LRUCache({
      maxSize: REMEMBERED_BYTES,
      ttl: rememberedMs,
      sizeCalculation: ({ bytes }) => bytes + 512,
    });
  }

  /** Null where the place has to be asked. */
  remembered(key: string): readonly StoredRecord[] | null {
    return this.#remembered.get(key)?.records ?? null;
  }

  async get(key: string): Promise<readonly StoredRecord[]> {
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) return remembered.records;
    const name = recordName(key);
    return this.#turns.take(name, async () => {
      const found = await this.#read(name);
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
      if ((await this.#read(name)) !== null) return false;
      const removed = await this.#place.remove(name);
      // Nobody knows any more which key it was of.
      this.#remembered.clear();
      onChanged(name, { key: '', records: [], bytes: 0 });
      return removed;
    });
  }

  /** All that can be read. */
  async *walk(): AsyncGenerator<FoundRecords> {
    let group: { name: string; lastUse: number }[] = [];
    for await (const one of this.#place.walk()) {
      group.push(one);
      if (group.length < AT_ONCE) continue;
      yield* await this.#readAll(group);
      group = [];
    }
    yield* await this.#readAll(group);
  }

  /** Those that cannot be read are left out. */
  async #readAll(group: readonly { name: string; lastUse: number }[]): Promise<readonly FoundRecords[]> {
    const read = group.map(async ({ name, lastUse }) => {
      const file = await this.#read(name).catch(() => null);
      return file === null ? [] : [{ name, file, lastUse }];
    });
    return (await Promise.all(read)).flat();
  }

  async #change(name: string, itsKey: string | null, change: Change, onChanged: OnChanged): Promise<boolean> {
    return this.#turns.take(name, async () => {
      const found = await this.#read(name);
      const key = itsKey ?? found?.key ?? '';
      const next = change(found !== null && found.key === key ? found.records : [])?.slice(0, MOST_VARIANTS) ?? null;
      if (next === null) return false;
      this.#remembered.delete(key);
      const file = { key, records: next };
      const bytes = next.length === 0 ? null : printRecordFile(file);
      if (bytes === null) await this.#place.remove(name);
      else await this.#place.write(name, bytes);
      const changed = { ...file, bytes: bytes?.length ?? 0 };
      if (bytes !== null) this.#remembered.set(key, changed);
      onChanged(name, changed);
      return true;
    });
  }

  /** Null where it is not there, or not whole. */
  async #read(name: string): Promise<Changed | null> {
    const bytes = await this.#place.read(name);
    const file = bytes === null ? null : readRecordFile(bytes);
    return file === null || bytes === null || recordName(file.key) !== name ? null : { ...file, bytes: bytes.length };
  }
}
