/** The file of `htpasswd -B`: `USER:BCRYPT` a line. Other kinds of hashes can be guessed fast, and are refused. */

import { isPlainName } from './plain-name.ts';

export interface Htpasswd {
  /** The hash of each user. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Of the most expensive hash: what a user who does not exist must cost too. */
  readonly cost: number;
}

/** 2^15 rounds take about two seconds; beyond that one password would block the others for too long. */
const highestCost = 15;
const lowestCost = 4;
const defaultCost = 10;

/** @throws Error that names the line, and nothing of what stands in it but the user */
export function readHtpasswd(bytes: Buffer): Htpasswd {
  const hashes = new Map<string, string>();
  let cost = 0;
  for (const [i, line] of bytes.toString('utf8').split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const fault = (what: string) => new Error(`line ${i + 1}: ${what}`);
    const colon = line.indexOf(':');
    const user = line.slice(0, Math.max(colon, 0));
    if (!isPlainName(user)) throw fault('must be USER:HASH');
    if (hashes.has(user)) throw fault(`the user ${user} stands there a second time`);
    const hash = line.slice(colon + 1).trimEnd();
    const found = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash);
    if (found === null) throw fault(`the password of ${user} is not a bcrypt hash ($2y$): use htpasswd -B`);
    const rounds = Number(found[1]);
    if (rounds < lowestCost || rounds > highestCost) {
      throw fault(`the bcrypt cost of ${user} must be from ${lowestCost} to ${highestCost}, not ${rounds}`);
    }
    hashes.set(user, hash);
    cost = Math.max(cost, rounds);
  }
  return { hashes, cost: cost === 0 ? defaultCost : cost };
}

/** Apache's AuthGroupFile: `GROUP: USER USER` a line. Gives the groups of each user. @throws Error */
export function readGroupFile(bytes: Buffer): ReadonlyMap<string, readonly string[]> {
  const groupsOf = new Map<string, string[]>();
  for (const [i, line] of bytes.toString('utf8').split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const group = line.slice(0, Math.max(colon, 0)).trim();
    if (!isPlainName(group)) throw new Error(`line ${i + 1}: must be GROUP: USER USER`);
    for (const user of line.slice(colon + 1).split(/\s+/)) {
      if (user === '') continue;
      const groups = groupsOf.get(user) ?? [];
      if (!groups.includes(group)) groups.push(group);
      groupsOf.set(user, groups);
    }
  }
  return groupsOf;
}
