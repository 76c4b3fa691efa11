/**
 * How a process proves that it lives: it listens on a socket at a place that what it makes on an engine tells. Another
 * process takes it for ended only where that is certain: what it made is removed then.
 */

import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { hostname } from 'node:os';

export interface LockPlace {
  readonly path: string;
  /** Of the kernel: another one after each start of the machine. */
  readonly boot: string;
  readonly machine: string;
}

export type Standing = 'lives' | 'ended' | 'unknown';

const ANSWER_MS = 5000;

/** A lock of this machine, as it runs now. */
export async function placeHere(path: string): Promise<LockPlace> {
  const read = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();
  const boot = await read('/proc/sys/kernel/random/boot_id');
  const machine = (await read('/etc/machine-id')) || hostname();
  return { path, boot, machine };
}

/** `engineIsHere`: it is reached over a socket of this machine. */
export async function standingOf(lock: LockPlace, engineIsHere: boolean): Promise<Standing> {
  const here = await placeHere(lock.path);
  if (lock.boot !== here.boot && lock.machine !== here.machine) return 'unknown';
  const said = await knock(lock.path);
  if (said === 'answers') return 'lives';
  if (said === 'refuses') return 'ended';
  // Nothing outlives its kernel; but machines that were copied may be called the same.
  return lock.boot !== here.boot && engineIsHere ? 'ended' : 'unknown';
}

/** Holds it until what is given back is called, or the process ends. @throws where the folder does not take a socket */
export function holdLock(path: string): Promise<() => void> {
  const server = net.createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Its file goes when it is closed.
    server.listen({ path }, () => resolve(() => void server.close()));
  });
}

/** Only a refused connection says for sure that nobody listens: a file that is not there may be out of sight. */
function knock(path: string): Promise<'answers' | 'refuses' | 'absent'> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    const settle = (said: 'answers' | 'refuses' | 'absent'): void => {
      socket.destroy();
      resolve(said);
    };
    socket.setTimeout(ANSWER_MS, () => settle('answers'));
    socket.once('connect', () => settle('answers'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'ECONNREFUSED' ? 'refuses' : 'absent'));
  });
}
