/**
 * Unix sockets that appear under their name with the right owner and mode from the first moment: bound in a private
 * folder and renamed into place, which also replaces what a dead process left without a moment of absence.
 */

import { chmodSync, lchownSync, lstatSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp } from 'node:fs/promises';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { type AccountDatabase, idOfAccount } from './account-ids.ts';

export interface SocketAccess {
  readonly mode: number;
  readonly owner?: string | number | undefined;
  readonly group?: string | number | undefined;
  /** Whoever listens there is replaced: the folder is ours alone. */
  readonly replaces?: boolean;
}

/** How many clients may wait to be accepted; the kernel's own bound (net.core.somaxconn) is 4096. */
export const BACKLOG = 4096;

/** sockaddr_un has 108 bytes, the last one a zero. */
const MOST_PATH_BYTES = 107;
const LIVE_ANSWER_MS = 2000;

/** Throws with the reason. The server listens when this resolves. Gives back how to remove the socket's file. */
export async function bindUnix(server: net.Server, path: string, access: SocketAccess): Promise<() => void> {
  refuseLong(path, path);
  await makeFolder(dirname(path));
  if (access.replaces !== true) await refuseTaken(path);
  const ids = await idsOf(access);
  const room = await mkdtemp(join(dirname(path), '.bg'));
  try {
    const bound = join(room, 's');
    refuseLong(bound, path);
    await listenOn(server, { path: bound, backlog: BACKLOG });
    applyAccess(bound, access.mode, ids);
    renameSync(bound, path);
  } catch (fault) {
    server.close();
    rmSync(join(room, 's'), { force: true });
    throw fault;
  } finally {
    rmdirSync(room);
  }
  return removerOf(path);
}

/** For a socket that another process bound: gives it the access that is configured now. */
export async function adoptUnix(path: string, access: SocketAccess): Promise<() => void> {
  (await prepareUnixAccess(path, access))();
  return removerOf(path);
}

/** Looks up who is meant; what is given back changes the socket's file. */
export async function prepareUnixAccess(path: string, access: SocketAccess): Promise<() => void> {
  const ids = await idsOf(access);
  return () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) applyAccess(path, access.mode, ids);
  };
}

/** `fd`: a descriptor of this process that listens already. */
export function listenOn(server: net.Server, options: net.ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What is longer would be cut off silently. */
function refuseLong(bound: string, path: string): void {
  if (Buffer.byteLength(bound) > MOST_PATH_BYTES) throw new Error(`${path}: the path is too long for a socket`);
}

async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  // The umask may have taken bits away.
  for (let made = folder; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
}

async function refuseTaken(path: string): Promise<void> {
  const found = await lstat(path).catch((fault: NodeJS.ErrnoException) => {
    if (fault.code === 'ENOENT') return null;
    throw fault;
  });
  if (found === null) return;
  if (found.isSymbolicLink()) throw new Error(`${path} is a symbolic link: it is not followed, and not replaced`);
  if (!found.isSocket()) throw new Error(`${path} is there and is no socket: it is not replaced`);
  if (await answers(path)) throw new Error(`${path}: another process listens there`);
}

/** Whether somebody listens. Only a refused connection says for sure that nobody does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    const settle = (live: boolean): void => {
      socket.destroy();
      resolve(live);
    };
    socket.setTimeout(LIVE_ANSWER_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (fault: NodeJS.ErrnoException) =>
      settle(fault.code !== 'ECONNREFUSED' && fault.code !== 'ENOENT'),
    );
  });
}

interface Ids {
  readonly uid: number | null;
  readonly gid: number | null;
}

async function idsOf({ owner, group }: SocketAccess): Promise<Ids> {
  const idOf = (database: AccountDatabase, name: string | number | undefined): Promise<number | null> =>
    name === undefined ? Promise.resolve(null) : idOfAccount(database, name);
  return { uid: await idOf('passwd', owner), gid: await idOf('group', group) };
}

/** First the owner, then the mode: at no moment more than the configured ones may open it. */
function applyAccess(path: string, mode: number, { uid, gid }: Ids): void {
  if (uid !== null || gid !== null) {
    const now = lstatSync(path);
    lchownSync(path, uid ?? now.uid, gid ?? now.gid);
  }
  chmodSync(path, mode);
}

function removerOf(path: string): () => void {
  const ours = lstatSync(path, { throwIfNoEntry: false });
  return () => {
    const now = lstatSync(path, { throwIfNoEntry: false });
    // By then it may be the socket of a process that came after us.
    if (ours !== undefined && now !== undefined && now.dev === ours.dev && now.ino === ours.ino) unlinkSync(path);
  };
}
