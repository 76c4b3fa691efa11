/** The numbers behind the names of users and groups: from the machine's files, else from its name service. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const ANSWER_MS = 5000;

export type AccountDatabase = 'passwd' | 'group';

/** Throws where there is no such account. */
export async function idOfAccount(database: AccountDatabase, name: string | number): Promise<number> {
  if (typeof name === 'number') return name;
  if (/^\d+$/.test(name)) return Number(name);
  const id =
    idIn(await readFile(`/etc/${database}`, 'utf8').catch(() => ''), name) ?? (await askNameService(database, name));
  if (id !== null) return id;
  throw new Error(`there is no ${database === 'passwd' ? 'user' : 'group'} ${name} on this machine`);
}

function idIn(entries: string, name: string): number | null {
  for (const line of entries.split('\n')) {
    const [entry, , id] = line.split(':');
    if (entry === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return null;
}

/** Accounts of a directory server stand in no file. */
function askNameService(database: AccountDatabase, name: string): Promise<number | null> {
  return new Promise((resolve) => {
    execFile('getent', ['--', database, name], { timeout: ANSWER_MS }, (error, output) => {
      resolve(error === null ? idIn(output, name) : null);
    });
  });
}
