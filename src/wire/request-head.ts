/** Reads the head of a request: one way to read every message, or a fault (RFC 9112 §2, §3). */
import {
  badLineEnd,
  type FieldLines,
  findHeadEnd,
  type HeadLimits,
  readFieldLines,
  refuseMixedFraming,
} from './field-lines.ts';
import type { KnownHeads } from './known-heads.ts';
import type { Framing, RequestHead } from './message.ts';
import { CR, LF, SP, TARGET, TOKEN } from './octets.ts';
import { WireFault } from './wire-fault.ts';

export interface ReadRequestHead {
  readonly head: RequestHead;
  /** How many bytes from `start` on the head takes. */
  readonly bytes: number;
}

const NO_BODY: Framing = { kind: 'none' };
const CHUNKED: Framing = { kind: 'chunked' };
const SLASH = 47;
const STAR = 42;
const METHOD_BYTES = 32;
/** Credentials stay in memory no longer than their call. */
const SECRET = /auth|cookie|token/i;

/** The characters that Go's server takes in a Host (httpguts.ValidHostHeader). */
const HOST = /^[!$%&'()*+,\-.:;=@[\]_~0-9A-Za-z]*$/;

/** Null while the head has not arrived whole. `scannedTo` as in `findHeadEnd`; `known` is of the same limits. */
export function readRequestHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  scannedTo: number = start,
  known: KnownHeads<RequestHead> | null = null,
): ReadRequestHead | null {
  if (end > start && TOKEN[buffer[start] as number] === 0) {
    throw new WireFault(400, 'bad-method', 'a request does not begin with a method');
  }
  const headEnd = findHeadEnd(buffer, start, end, limits, scannedTo);
  if (headEnd < 0) return null;
  const text = buffer.toString('latin1', start, headEnd);
  const before = known?.find(text);
  if (before !== undefined) return { head: before, bytes: headEnd - start };

  let at = start;
  while (TOKEN[buffer[at] as number] === 1) at++;
  const methodEnd = at;
  if (buffer[at] !== SP || at - start > METHOD_BYTES) {
    throw new WireFault(400, 'bad-method', 'the method is not a token followed by one space');
  }
  const targetStart = ++at;
  while (TARGET[buffer[at] as number] === 1) at++;
  const targetEnd = at;
  if (targetEnd === targetStart || buffer[at] !== SP) {
    throw new WireFault(400, 'bad-target', 'the request target is not visible ASCII followed by one space');
  }
  const versionStart = at + 1;
  const version = text.slice(versionStart - start, versionStart - start + 8);
  at = versionStart + 8;
  const method = text.slice(0, methodEnd - start);
  const target = text.slice(targetStart - start, targetEnd - start);
  let minorVersion: 0 | 1 = 1;
  if (version !== 'HTTP/1.1') {
    if (version !== 'HTTP/1.0') throw badVersion(method, version);
    minorVersion = 0;
  }
  if (buffer[at] !== CR || buffer[at + 1] !== LF) {
    if (buffer[at] === CR || buffer[at] === LF) throw badLineEnd(buffer, at);
    throw badVersion(method, version);
  }
  if (limits.proxyTargets !== true || !PROXY_TARGET.test(target)) checkTarget(buffer, method, targetStart, targetEnd);

  const fields = readFieldLines(buffer, at + 2, headEnd, text, start, limits);
  refuseMixedFraming(fields, minorVersion);
  checkHost(fields, minorVersion);
  const head: RequestHead = {
    method,
    target,
    minorVersion,
    headers: fields.headers,
    framing: fields.chunked ? CHUNKED : fields.length > 0 ? { kind: 'length', bytes: fields.length } : NO_BODY,
    keepAlive: minorVersion === 1 ? !fields.close : fields.keepAlive && !fields.close,
    upgrade: fields.upgrade,
    expectsContinue: expectsContinue(fields, minorVersion),
    meaning: undefined,
  };
  if (known !== null && head.framing === NO_BODY && (method === 'GET' || method === 'HEAD') && !SECRET.test(text)) {
    known.keep(text, head);
  }
  return { head, bytes: headEnd - start };
}

function badVersion(method: string, version: string): WireFault {
  if (method === 'PRI' && version === 'HTTP/2.0') {
    return new WireFault(505, 'http2-preface', 'HTTP/2 with prior knowledge is not spoken here');
  }
  return new WireFault(505, 'bad-version', 'the version is neither HTTP/1.0 nor HTTP/1.1');
}

/** Whoever serves them looks at them once more. */
const PROXY_TARGET = /^(?:https?:\/\/|[A-Za-z0-9._-]+:\d+$|\[[0-9A-Fa-f:.]+\]:\d+$)/i;

function checkTarget(buffer: Buffer, method: string, targetStart: number, targetEnd: number): void {
  const first = buffer[targetStart];
  if (method === 'CONNECT') throw new WireFault(405, 'connect-method', 'CONNECT is not served here');
  if (first === SLASH) return;
  if (first === STAR && targetEnd - targetStart === 1 && method === 'OPTIONS') return;
  throw new WireFault(400, 'target-form', 'the request target does not begin with a slash');
}

function checkHost(fields: FieldLines, minorVersion: number): void {
  if (fields.hosts > 1) throw new WireFault(400, 'doubled-host', 'Host is given twice');
  if (fields.hosts === 0) {
    if (minorVersion === 1) throw new WireFault(400, 'missing-host', 'HTTP/1.1 requires Host');
  } else if (!HOST.test(fields.host)) {
    throw new WireFault(400, 'bad-host', 'Host holds characters that no host has');
  }
}

function expectsContinue(fields: FieldLines, minorVersion: number): boolean {
  if (fields.expect === null) return false;
  if (fields.expect.toLowerCase() !== '100-continue') {
    throw new WireFault(417, 'unknown-expectation', 'the only expectation that is met is 100-continue');
  }
  // RFC 9110 §10.1.1: an expectation of a 1.0 client is ignored.
  return minorVersion === 1;
}
