/** Which process has left something: ids of processes are given again, so more than the id is written down. */

import { readFile, readlink } from 'node:fs/promises';

/** Of this process; without anything that a name of a file could not hold. */
export async function processMark(): Promise<string> {
  return `${await processSpace()}.${process.pid}.${await startTime(process.pid)}`;
}

/** `mark` may be followed by `.` and more. Null where nobody here can tell: of another boot, or among other processes. */
export async function livesProcess(mark: string): Promise<boolean | null> {
  const [its, pid, time] = mark.split('.');
  const space = await processSpace();
  if (its !== space || space === '0') return null;
  return (await startTime(Number(pid))) === time;
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
