/** Reads the head of an answer, with the framing that the request's method and the status give it (RFC 9112 §4, §6.3). */
import { badLineEnd, findHeadEnd, type HeadLimits, readFieldLines, refuseMixedFraming } from './field-lines.ts';
import type { KnownHeads } from './known-heads.ts';
import type { AnswerHead, Framing } from './message.ts';
import { CR, LF, SP, VALUE } from './octets.ts';
import { WireFault } from './wire-fault.ts';

export interface ReadAnswerHead {
  readonly head: AnswerHead;
  readonly bytes: number;
}

const NO_BODY: Framing = { kind: 'none' };
const CHUNKED: Framing = { kind: 'chunked' };
const UNTIL_CLOSE: Framing = { kind: 'close' };

/** Null while the head has not arrived whole. `method` is that of the request that is answered; `known` of the limits. */
export function readAnswerHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  method: string,
  scannedTo: number = start,
  known: KnownHeads<AnswerHead> | null = null,
): ReadAnswerHead | null {
  if (end > start && buffer[start] !== 0x48)
    throw new WireFault(502, 'bad-version', 'an answer does not begin with HTTP');
  const headEnd = findHeadEnd(buffer, start, end, limits, scannedTo);
  if (headEnd < 0) return null;
  const text = buffer.toString('latin1', start, headEnd);
  // The same head has another framing as the answer to HEAD.
  const kept = method === 'HEAD' ? null : known;
  const before = kept?.find(text);
  if (before !== undefined) return { head: before, bytes: headEnd - start };
  const version = text.slice(0, 9);
  if (version !== 'HTTP/1.1 ' && version !== 'HTTP/1.0 ') {
    throw new WireFault(502, 'bad-version', 'the version of the answer is neither HTTP/1.0 nor HTTP/1.1');
  }
  const minorVersion = version === 'HTTP/1.1 ' ? 1 : 0;
  let at = start + 9;
  let status = 0;
  for (let digits = 0; digits < 3; digits++) {
    const digit = (buffer[at++] as number) - 48;
    if (digit < 0 || digit > 9) throw badStatus();
    status = status * 10 + digit;
  }
  if (status < 100) throw badStatus();
  // The space before an empty reason is left out by some servers: it cannot be read in two ways.
  if (buffer[at] === SP) at++;
  else if (buffer[at] !== CR) throw badStatus();
  const reasonStart = at;
  while (VALUE[buffer[at] as number] === 1) at++;
  if (buffer[at] !== CR || buffer[at + 1] !== LF) throw badLineEnd(buffer, at);
  const reason = text.slice(reasonStart - start, at - start);

  const fields = readFieldLines(buffer, at + 2, headEnd, text, start, limits);
  refuseMixedFraming(fields, minorVersion);
  let framing: Framing;
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') framing = NO_BODY;
  else if (fields.chunked) framing = CHUNKED;
  else if (fields.length > 0) framing = { kind: 'length', bytes: fields.length };
  else framing = fields.length === 0 ? NO_BODY : UNTIL_CLOSE;
  const head: AnswerHead = {
    status,
    reason,
    headers: fields.headers,
    framing,
    keepAlive: framing !== UNTIL_CLOSE && (minorVersion === 1 ? !fields.close : fields.keepAlive && !fields.close),
    upgrade: fields.upgrade,
    onward: undefined,
  };
  kept?.keep(text, head);
  return { head, bytes: headEnd - start };
}

function badStatus(): WireFault {
  return new WireFault(502, 'bad-status', 'the status of the answer is not a number from 100 to 999');
}
