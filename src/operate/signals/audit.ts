/** The audit: one JSON line for each decision that changed or refused a call, appended to a file of its own. */

import { closeSync, openSync } from 'node:fs';
import pino from 'pino';
import { type Json, printJson } from '../../ground/json.ts';
import type { Log } from './log.ts';

const MODE = 0o600;
/** A disk that takes nothing more must not take the memory too. */
const WAITING_BYTES = 64 * 1024 * 1024;

type Destination = ReturnType<typeof pino.destination>;

export class Audit {
  private readonly log: Log;
  private file: string | null = null;
  private stream: Destination | null = null;
  private readonly atExit = (): void => this.flush();

  constructor(log: Log) {
    this.log = log;
    process.on('exit', this.atExit);
  }

  /** Throws where the file cannot be appended to; `open` would not be heard then. */
  check(file: string | null): void {
    if (file === null) return;
    try {
      closeSync(openSync(file, 'a', MODE));
    } catch (fault) {
      throw new Error(`log.audit: ${(fault as Error).message}`, { cause: fault });
    }
  }

  /** From now on into this file; also the same one is opened anew. */
  open(file: string | null): void {
    let next: Destination | null;
    try {
      next = file === null ? null : this.begin(file);
    } catch (fault) {
      this.log.error({ file, reason: (fault as Error).message }, 'the audit cannot be opened: the old one goes on');
      return;
    }
    // Lines that wait go where they were meant to go.
    this.flush();
    this.stream?.end();
    this.stream = next;
    this.file = file;
  }

  /** Another file may stand under the name by now. */
  reopen(): void {
    this.open(this.file);
  }

  write(entry: Json): void {
    this.stream?.write(`${printJson(entry)}\n`);
  }

  get writes(): boolean {
    return this.stream !== null;
  }

  /** What was written is in the file when this returns. */
  flush(): void {
    try {
      this.stream?.flushSync();
    } catch {
      // The file takes nothing: that was told already.
    }
  }

  close(): void {
    this.flush();
    this.stream?.end();
    this.stream = null;
    process.off('exit', this.atExit);
  }

  private begin(file: string): Destination {
    // Opened here, so that what is written can be flushed from the first line on.
    const dest = openSync(file, 'a', MODE);
    // At once: a write that is under way beside the calls could neither be waited for at exit nor kept in its order.
    const stream = pino.destination({ dest, sync: true, maxLength: WAITING_BYTES });
    stream.on('error', (fault: Error) => this.log.error({ file, reason: fault.message }, 'the audit is not written'));
    stream.on('drop', () => this.log.error({ file }, 'the audit is not written: too much waits for the disk'));
    return stream;
  }
}
