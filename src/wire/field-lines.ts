/** The field lines of a head, and what among them decides about framing and the connection (RFC 9112 §5, §6). */
import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './octets.ts';
import { WireFault } from './wire-fault.ts';

export interface HeadLimits {
  /** The whole head: start line, fields and the empty line. */
  readonly headBytes: number;
  /** How many field lines. */
  readonly headers: number;
  /** Also what clients ask of a proxy: `http://…` and CONNECT (RFC 9112 §3.2). */
  readonly proxyTargets?: boolean;
}

export interface FieldLines {
  readonly headers: string[];
  /** Content-Length, or -1 where there is none. */
  length: number;
  chunked: boolean;
  /** `Connection: close` and `Connection: keep-alive`. */
  close: boolean;
  keepAlive: boolean;
  /** Whether there was a line of that name. */
  connection: boolean;
  upgrade: string | null;
  expect: string | null;
  hosts: number;
  host: string;
}

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');

/**
 * Where the head ends (after its empty line), or -1 while it has not arrived. What can never become a head is refused
 * at once. `scannedTo`: up to where an earlier call has looked, so that a head that drips in costs linear time.
 */
export function findHeadEnd(buffer: Buffer, start: number, end: number, limits: HeadLimits, scannedTo: number): number {
  const from = Math.max(scannedTo - 3, start);
  const found = buffer.indexOf(HEAD_END, from);
  // The buffer is one that is read into again and again: what lies beyond `end` is from an earlier read.
  if (found >= 0 && found + 4 <= end) {
    if (found + 4 - start > limits.headBytes) throw headTooLarge(limits);
    return found + 4;
  }
  if (end - start >= limits.headBytes) throw headTooLarge(limits);
  for (let at = from; at < end; at++) {
    const byte = buffer[at] as number;
    if (byte === LF) {
      if (at === start || buffer[at - 1] !== CR) throw new WireFault(400, 'bare-lf', 'a line ends with LF alone');
    } else if (byte !== CR && VALUE[byte] === 0) {
      throw new WireFault(400, 'control-character', 'a control character stands in the head');
    }
  }
  return -1;
}

function headTooLarge(limits: HeadLimits): WireFault {
  return new WireFault(431, 'head-too-large', `the head is larger than ${limits.headBytes} bytes`);
}

/** Reads the field lines in `[at, end)`, where `end` comes from {@link findHeadEnd}; `text` is the head from `base` on. */
export function readFieldLines(
  buffer: Buffer,
  at: number,
  end: number,
  text: string,
  base: number,
  limits: HeadLimits,
): FieldLines {
  const fields: FieldLines = {
    headers: [],
    length: -1,
    chunked: false,
    close: false,
    keepAlive: false,
    connection: false,
    upgrade: null,
    expect: null,
    hosts: 0,
    host: '',
  };
  const last = end - 2;
  let left = limits.headers;
  while (at < last) {
    const nameStart = at;
    while (TOKEN[buffer[at] as number] === 1) at++;
    const nameEnd = at;
    if (buffer[at] !== COLON || nameEnd === nameStart) throw badName(buffer, nameStart, at);
    at++;
    while (buffer[at] === SP || buffer[at] === HTAB) at++;
    const valueStart = at;
    while (VALUE[buffer[at] as number] === 1) at++;
    if (buffer[at] !== CR || buffer[at + 1] !== LF) throw badLineEnd(buffer, at);
    let valueEnd = at;
    while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--;
    at += 2;
    if (--left < 0) throw new WireFault(431, 'too-many-headers', `the head has more than ${limits.headers} fields`);
    const name = text.slice(nameStart - base, nameEnd - base);
    const value = text.slice(valueStart - base, valueEnd - base);
    fields.headers.push(name, value);
    const letters = nameEnd - nameStart;
    if (letters === 4 || letters === 6 || letters === 7 || letters === 10 || letters === 14 || letters === 17) {
      note(fields, name.toLowerCase(), value);
    }
  }
  return fields;
}

function note(fields: FieldLines, name: string, value: string): void {
  switch (name) {
    case 'host':
      fields.hosts++;
      fields.host = value;
      break;
    case 'expect':
      fields.expect = fields.expect === null ? value : `${fields.expect}, ${value}`;
      break;
    case 'upgrade': {
      const lower = value.toLowerCase();
      fields.upgrade = fields.upgrade === null ? lower : `${fields.upgrade}, ${lower}`;
      break;
    }
    case 'connection':
      // Go's server also finds `close` between spaces, and looks for `keep-alive` in the first line alone: a connection must
      // not be thought open by one side only.
      for (const word of value.toLowerCase().split(/[\t ,]+/)) {
        if (word === 'close') fields.close = true;
        else if (word === 'keep-alive' && !fields.connection) fields.keepAlive = true;
      }
      fields.connection = true;
      break;
    case 'content-length':
      if (fields.length >= 0) throw new WireFault(400, 'doubled-content-length', 'Content-Length is given twice');
      fields.length = readContentLength(value);
      break;
    case 'transfer-encoding':
      // RFC 9112 §6.1 allows lists; every list is one more way to be read differently by the next hop.
      if (fields.chunked) throw new WireFault(400, 'doubled-transfer-encoding', 'Transfer-Encoding is given twice');
      if (value.toLowerCase() !== 'chunked') {
        throw new WireFault(501, 'unknown-transfer-encoding', 'the only Transfer-Encoding that is read is chunked');
      }
      fields.chunked = true;
      break;
  }
}

function readContentLength(value: string): number {
  if (!/^[0-9]{1,16}$/.test(value) || Number(value) > Number.MAX_SAFE_INTEGER) {
    throw new WireFault(400, 'bad-content-length', 'Content-Length is not one decimal number up to 2^53-1');
  }
  return Number(value);
}

/** Content-Length beside Transfer-Encoding is the classic of request smuggling (RFC 9112 §6.3 rule 3). */
export function refuseMixedFraming(fields: FieldLines, minorVersion: number): void {
  if (!fields.chunked) return;
  if (fields.length >= 0) {
    throw new WireFault(400, 'mixed-framing', 'Content-Length and Transfer-Encoding stand together');
  }
  if (minorVersion === 0) {
    throw new WireFault(400, 'transfer-encoding-in-http10', 'HTTP/1.0 knows no Transfer-Encoding');
  }
}

export function badLineEnd(buffer: Buffer, at: number): WireFault {
  const byte = buffer[at];
  if (byte === CR) return new WireFault(400, 'bare-cr', 'a CR stands without its LF');
  if (byte === LF) return new WireFault(400, 'bare-lf', 'a line ends with LF alone');
  return new WireFault(400, 'control-character', 'a control character stands in the head');
}

function badName(buffer: Buffer, nameStart: number, at: number): WireFault {
  const byte = buffer[at];
  if (at === nameStart && (byte === SP || byte === HTAB)) {
    return new WireFault(400, 'folded-line', 'a field line begins with white space (obsolete folding)');
  }
  if (byte === SP || byte === HTAB) {
    return new WireFault(400, 'space-before-colon', 'white space stands in or after a field name');
  }
  if (byte === CR || byte === LF) return new WireFault(400, 'no-colon', 'a field line has no colon');
  return new WireFault(400, 'bad-field-name', 'a field name is not a token');
}
