/**
 * Changing a small file so that readers see the old or the new one, and of two who change it at once neither is lost. The new
 * content is written to FILE.lock, which only one can create, and renamed over FILE.
 */

import { type FileHandle, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const patienceMs = 10_000;
const tryEveryMs = 25;

/**
 * Gives the content (nothing where there is no file) to `change` and writes what it gives back; null: nothing is
 * written. @throws Error when somebody else holds the lock for ten seconds, and what `change` throws
 */
export async function changeFile(path: string, change: (before: Buffer) => string | null): Promise<void> {
  const lock = `${path}.lock`;
  const file = await create(lock);
  let renamed = false;
  try {
    const before = await readFile(path).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code === 'ENOENT') return Buffer.alloc(0);
      throw fault;
    });
    const after = change(before);
    if (after === null) return;
    // Root may keep a file of the service's own account, or of its group.
    const owner = await stat(path).catch(() => null);
    if (owner !== null && process.geteuid?.() === 0) {
      await file.chown(owner.uid, owner.gid);
      await file.chmod(owner.mode & 0o640);
    }
    await file.writeFile(after);
    await file.sync();
    await rename(lock, path);
    renamed = true;
  } finally {
    await file.close();
    if (!renamed) await unlink(lock);
  }
}

async function create(lock: string): Promise<FileHandle> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await open(lock, 'wx', 0o600);
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
      if (performance.now() > until) {
        throw new Error(`${lock} is held by somebody else; remove it if no other command is at work`, { cause: fault });
      }
      await sleep(tryEveryMs * (0.5 + Math.random()));
    }
  }
}
