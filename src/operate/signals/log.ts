/**
 * The log: JSON lines, or text for people. A name can hold no line break that begins a line of its own: values are
 * printed as JSON in both forms (RED-TEAM 69). What may be secret (headers, query values, bodies) is never given to it.
 */

import pino from 'pino';
import { textLine } from './text-line.ts';

export type Log = pino.Logger;
type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
  /** A file descriptor or a file; the default is standard error, since standard output belongs to the commands. */
  readonly to?: number | string;
}

export interface OpenLog {
  readonly log: Log;
  /** One line, printed already as the log would: for what is written with every call. */
  write(line: string): void;
  /** Writes now what still waits, but for what is being written. */
  flush(): void;
  /** For the end of the process: what was logged is written when this resolves, and nothing can be logged any more. */
  close(): Promise<void>;
}

/** Who reads the log may have stopped reading. */
const CLOSING_MS = 1000;

/** Who reads the log may stop reading: what waits then is bounded, and new lines are left out. */
const WAITING_BYTES = 16 * 1024 * 1024;

/** Lines of so long are written together: a thousand calls a second are a few writes of the file then. */
const GATHER_MS = 10;

export function openLog({ level, format, to = 2 }: LogOptions): OpenLog {
  const file = pino.destination({ dest: to, sync: false, maxLength: WAITING_BYTES });
  // Nobody reads the log any more: that must not end the calls.
  file.on('error', () => {});
  let gathered = '';
  let closing: Promise<void> | null = null;
  const pass = (): void => {
    const lines = gathered;
    gathered = '';
    if (lines !== '') file.write(lines);
  };
  const write = (line: string): void => {
    // A stream that is cut at the end still has its line: a fault here would be logged, which is one again.
    if (closing !== null) return;
    if (gathered === '') setTimeout(pass, GATHER_MS);
    gathered += format === 'json' ? line : textLine(line);
  };
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, { write });
  return {
    log,
    write,
    flush: () => {
      try {
        pass();
        file.flushSync();
      } catch {
        // The destination is gone or cannot take more: it is tried again with the next line.
      }
    },
    close: () => {
      closing ??= new Promise((resolve) => {
        setTimeout(resolve, CLOSING_MS).unref();
        file.once('close', resolve);
        pass();
        file.end();
      });
      return closing;
    },
  };
}
