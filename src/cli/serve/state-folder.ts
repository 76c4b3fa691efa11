/** The folder of what must outlive the process: ours alone (RED-TEAM 71). */

import { chmod, lstat, mkdir } from 'node:fs/promises';

/** Throws with the reason where it cannot be trusted. */
export async function openStateFolder(path: string, uid: number): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error(`state ${path}: is no folder, or a symbolic link to one`);
  if (found.uid !== uid) throw new Error(`state ${path}: belongs to the user ${found.uid}, not to us (${uid})`);
  if ((found.mode & 0o022) !== 0) {
    throw new Error(`state ${path}: others may write into it, and may have: look at what it holds, then chmod 0700`);
  }
  if ((found.mode & 0o077) !== 0) await chmod(path, 0o700);
}
