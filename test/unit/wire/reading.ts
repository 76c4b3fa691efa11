/** What the tests of the wire read with. */
import { expect } from 'vitest';
import { WireFault } from '../../../src/wire/wire-fault.ts';

export const LIMITS = { headBytes: 16 * 1024, headers: 100 };

/** The code of the fault that `read` ends with; fails when it ends otherwise. */
export function faultOf(read: () => unknown): string {
  try {
    const got = read();
    expect.unreachable(`no fault but ${JSON.stringify(got).slice(0, 200)}`);
  } catch (fault) {
    if (fault instanceof WireFault) return fault.code;
    throw fault;
  }
}

/** In a buffer that is larger than the message, with the rest of an older read around it. */
export function amidRubbish(text: string): { buffer: Buffer; start: number; end: number } {
  const message = Buffer.from(text, 'latin1');
  const buffer = Buffer.from(
    `GET /old HTTP/1.1\r\n\r\n${' '.repeat(message.length)}\r\n\r\nold: rubbish\r\n\r\n`,
    'latin1',
  );
  const start = 21;
  message.copy(buffer, start);
  return { buffer, start, end: start + message.length };
}
