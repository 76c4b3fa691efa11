/** Walks over the folder of a store: what there is at a start, and what lists show. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../store.ts';
import { type Changed, readRecordsAt } from './folder-records.ts';
import { isDigest, isRecordName, type Layout, shelves } from './layout.ts';

export interface FoundRecords {
  readonly name: string;
  readonly file: Changed;
  /** Milliseconds since 1970. */
  readonly lastUse: number;
}

const AT_ONCE = 8;

export async function* walkRecords(layout: Layout): AsyncGenerator<FoundRecords> {
  for (const shelf of shelves) yield* await readShelf(layout, shelf);
}

/** The names of files at the place of records, whole or not. */
export async function* recordNames(layout: Layout): AsyncGenerator<string> {
  for (const shelf of shelves) yield* (await readdir(join(layout.records, shelf)).catch(() => [])).filter(isRecordName);
}

/** The digests that bodies are there for, right or not. */
export async function* bodyNames(layout: Layout): AsyncGenerator<Digest> {
  for (const shelf of shelves) yield* (await readdir(join(layout.blobs, shelf)).catch(() => [])).filter(isDigest);
}

async function readShelf(layout: Layout, shelf: string): Promise<readonly FoundRecords[]> {
  const names = await readdir(join(layout.records, shelf)).catch(() => []);
  const found: FoundRecords[] = [];
  const left = names.filter(isRecordName);
  const work = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const one = await readOne(layout, name);
      if (one !== null) found.push(one);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

/** Null for what is gone by now, or is no record. */
async function readOne(layout: Layout, name: string): Promise<FoundRecords | null> {
  try {
    const [file, { mtimeMs }] = await Promise.all([readRecordsAt(layout, name), stat(layout.record(name))]);
    return file === null ? null : { name, file, lastUse: mtimeMs };
  } catch {
    return null;
  }
}
