/** What tells one installation of Berthgate from another one on the same engine: a number that lies in its state. */

import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ID = /^[0-9a-f]{32}$/;

/** Made at the first start. @throws where the folder cannot be read or written */
export async function installationId(state: string): Promise<string> {
  const file = join(state, 'installation');
  const found = (await readFile(file, 'utf8').catch(absent)).trim();
  if (ID.test(found)) return found;
  const made = randomBytes(16).toString('hex');
  // In one piece, or not at all.
  await writeFile(`${file}.new`, `${made}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return made;
}

function absent(fault: NodeJS.ErrnoException): string {
  if (fault.code === 'ENOENT') return '';
  throw fault;
}
