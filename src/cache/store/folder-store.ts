/** The store in a folder: names appear by renames, from files in a folder beside them. */

import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FolderBodies } from './folder-bodies.ts';
import { FolderRecords } from './folder-records.ts';
import { Layout } from './layout.ts';
import { Ledger } from './ledger.ts';
import { fillPrefix, removeDeadFills } from './left-fills.ts';
import { PlacedStore } from './placed-store.ts';
import { SendBuffers } from './send-buffers.ts';

const REMEMBERED_MS = 5_000;
const MEMORY_BYTES = 64 * 1024 * 1024;

export interface FolderStoreOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** For small bodies. */
  readonly memoryBytes?: number;
}

export class FolderStore extends PlacedStore {
  /** @throws Error where the folder cannot be had, or is not ours alone */
  static async open({ folder, maxBytes, memoryBytes = MEMORY_BYTES }: FolderStoreOptions): Promise<FolderStore> {
    const layout = new Layout(folder);
    await mkdir(layout.folder, { recursive: true, mode: 0o700 });
    await checkOwn(layout.folder);
    for (const inner of [layout.blobs, layout.records, layout.fills])
      await mkdir(inner, { recursive: true, mode: 0o700 });
    await removeDeadFills(layout.fills);
    const prefix = await fillPrefix();
    let count = 0;
    const newPath = (): string => join(layout.fills, `${prefix}.${count++}`);
    const [ledger, buffers] = [new Ledger(maxBytes), new SendBuffers()];
    return new FolderStore({
      bodies: new FolderBodies({ layout, ledger, buffers, memoryBytes }),
      records: new FolderRecords(layout, newPath),
      rememberedMs: REMEMBERED_MS,
      ledger,
      buffers,
      maxBytes,
      largestBody: Number.POSITIVE_INFINITY,
      fills: layout.fills,
      newPath,
    });
  }
}

/** What others may write there would be served to everybody. @throws Error with the reason */
async function checkOwn(folder: string): Promise<void> {
  const found = await lstat(folder);
  if (!found.isDirectory()) throw new Error('is no folder, or a symbolic link to one');
  const uid = process.geteuid?.();
  if (uid !== undefined && found.uid !== uid) throw new Error(`belongs to the user ${found.uid}, not to us (${uid})`);
  if ((found.mode & 0o022) !== 0) throw new Error('others may write into it, and may have: empty it, then chmod 0700');
}
