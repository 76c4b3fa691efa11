/** What processes that are no more have left half written. */

import { randomBytes } from 'node:crypto';
import { readdir, readFile, readlink, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Also where it cannot be known who lives: nobody writes to a fill once in so long. */
const OLDEST_MS = 24 * 3600 * 1000;

/** Says which process it is, so that another one can tell whether it lives. */
export async function fillPrefix(): Promise<string> {
  const place = `${await processSpace()}.${process.pid}.${await startTime(process.pid)}`;
  return `${place}.${randomBytes(4).toString('hex')}`;
}

export async function removeDeadFills(folder: string): Promise<number> {
  const space = await processSpace();
  let removed = 0;
  for (const name of await readdir(folder)) {
    if (!(await isDead(join(folder, name), name, space))) continue;
    await unlink(join(folder, name)).then(
      () => removed++,
      () => {},
    );
  }
  return removed;
}

async function isDead(path: string, name: string, space: string): Promise<boolean> {
  const [its, pid, time] = name.split('.');
  if (its === space && space !== '0') return (await startTime(Number(pid))) !== time;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > OLDEST_MS;
}

/** Process ids mean something within one namespace and one boot alone; '0' where the system does not say. */
async function processSpace(): Promise<string> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).replaceAll(/[^0-9a-f]/g, '').slice(0, 8);
    return `${boot}-${(await readlink('/proc/self/ns/pid')).replaceAll(/\D/g, '')}`;
  } catch {
    return '0';
  }
}

/** In ticks since the boot; '0' for no process. */
async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program, which comes before, may hold blanks and parentheses.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
}
