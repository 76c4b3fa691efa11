/** The files of records in a folder. The last use is the time of the file. */

import { mkdir, readdir, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isRecordName, type Layout, shelves } from './layout.ts';
import type { RecordPlace } from './places.ts';

export class FolderRecords implements RecordPlace {
  readonly #layout: Layout;
  readonly #newPath: () => string;

  constructor(layout: Layout, newPath: () => string) {
    this.#layout = layout;
    this.#newPath = newPath;
  }

  async read(name: string): Promise<Buffer | null> {
    return readFile(this.#layout.record(name)).catch(absent);
  }

  async write(name: string, bytes: Buffer): Promise<void> {
    const [path, target] = [this.#newPath(), this.#layout.record(name)];
    try {
      await writeFile(path, bytes, { mode: 0o600, flag: 'wx' });
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await rename(path, target);
    } catch (fault) {
      await unlink(path).catch(() => {});
      throw fault;
    }
  }

  async remove(name: string): Promise<boolean> {
    return (await unlink(this.#layout.record(name)).catch(absent)) === undefined;
  }

  async *walk(): AsyncGenerator<{ name: string; lastUse: number }> {
    for (const shelf of shelves) {
      for (const name of await readdir(join(this.#layout.records, shelf)).catch(() => [])) {
        if (!isRecordName(name)) continue;
        const found = await stat(this.#layout.record(name)).catch(() => null);
        if (found !== null) yield { name, lastUse: found.mtimeMs };
      }
    }
  }

  async touch(name: string, timeMs: number): Promise<void> {
    await utimes(this.#layout.record(name), timeMs / 1000, timeMs / 1000);
  }
}

function absent(fault: NodeJS.ErrnoException): null {
  if (fault.code === 'ENOENT') return null;
  throw fault;
}
