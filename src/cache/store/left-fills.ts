/** What processes that are no more have left half written. */

import { randomBytes } from 'node:crypto';
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { livesProcess, processMark } from '../../ground/process-mark.ts';

/** Also where it cannot be known who lives: nobody writes to a fill once in so long. */
const OLDEST_MS = 24 * 3600 * 1000;

/** Says which process it is, so that another one can tell whether it lives. */
export async function fillPrefix(): Promise<string> {
  return `${await processMark()}.${randomBytes(4).toString('hex')}`;
}

export async function removeDeadFills(folder: string): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder)) {
    if (!(await isDead(join(folder, name), name))) continue;
    await unlink(join(folder, name)).then(
      () => removed++,
      () => {},
    );
  }
  return removed;
}

async function isDead(path: string, name: string): Promise<boolean> {
  const lives = await livesProcess(name);
  if (lives !== null) return !lives;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > OLDEST_MS;
}
