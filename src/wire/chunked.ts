/** The chunked coding (RFC 9112 §7.1): a strict decoder that works on bytes as they come, and the printer. */
import { type HeadLimits, readFieldLines } from './field-lines.ts';
import type { RawHeaders } from './message.ts';
import { CR, LF, VALUE } from './octets.ts';
import { WireFault } from './wire-fault.ts';

/** A chunk line: size and extensions. Extensions are read over and never passed on; Go bounds the line as well. */
const LINE_BYTES = 4096;
/** 13 hexadecimal digits stay below 2^53. */
const SIZE_DIGITS = 13;
/** Extensions of all chunks together: they are bytes that nobody sees, so they must not flow for ever (CVE-2023-39326). */
const EXTENSION_BYTES = 16 * 1024;

const SEMICOLON = 59;
const NO_TRAILERS: RawHeaders = [];

type State = 'size' | 'extension' | 'line-end' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done';

export class ChunkDecoder {
  /** After `decode`: the payload is `[from, to)` of the same buffer. */
  from = 0;
  to = 0;
  /** After `decode`: the first byte that was not consumed; less than `end` only when `done`. */
  next = 0;
  done = false;
  trailers: RawHeaders = NO_TRAILERS;

  readonly #limits: HeadLimits;
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  #trailerBytes: Buffer | null = null;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Decodes `[start, end)` in place: the payload of all chunks is moved together, so that it leaves as one piece. */
  decode(buffer: Buffer, start: number, end: number): void {
    let at = start;
    this.from = start;
    this.to = start;
    while (at < end && !this.done) {
      if (this.#state === 'data') {
        const taken = Math.min(this.#size, end - at);
        if (this.from === this.to) this.from = this.to = at;
        if (this.to !== at) buffer.copyWithin(this.to, at, at + taken);
        this.to += taken;
        at += taken;
        this.#size -= taken;
        if (this.#size === 0) this.#state = 'data-cr';
      } else if (this.#state === 'trailers') {
        at = this.#takeTrailers(buffer, at, end);
      } else {
        this.#takeFramingByte(buffer[at++] as number);
      }
    }
    this.next = at;
  }

  #takeFramingByte(byte: number): void {
    switch (this.#state) {
      case 'size':
        this.#takeSizeByte(byte);
        break;
      case 'extension':
        if (++this.#lineBytes > LINE_BYTES || ++this.#extensionBytes > EXTENSION_BYTES) {
          throw new WireFault(400, 'chunk-extensions-too-large', 'the chunk extensions are too large');
        }
        if (byte === CR) this.#state = 'line-end';
        else if (VALUE[byte] === 0) throw badChunk('a control character stands in a chunk extension');
        break;
      case 'line-end':
        if (byte !== LF) throw badChunk('a chunk size line does not end with CRLF');
        this.#state = this.#size === 0 ? 'trailers' : 'data';
        break;
      case 'data-cr':
        if (byte !== CR) throw badChunk('the data of a chunk does not end with CRLF');
        this.#state = 'data-lf';
        break;
      default:
        if (byte !== LF) throw badChunk('the data of a chunk does not end with CRLF');
        this.#state = 'size';
        this.#size = 0;
        this.#digits = 0;
        this.#lineBytes = 0;
    }
  }

  #takeSizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS) throw badChunk('a chunk size has too many digits');
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw badChunk('a chunk does not begin with its size');
    if (byte === CR) this.#state = 'line-end';
    else if (byte === SEMICOLON) this.#state = 'extension';
    else throw badChunk('a chunk size is followed by neither CRLF nor an extension');
  }

  #takeTrailers(buffer: Buffer, start: number, end: number): number {
    const kept = this.#trailerBytes;
    // The usual end, a bare CRLF, is taken without a copy.
    if (kept === null && end - start >= 2 && buffer[start] === CR && buffer[start + 1] === LF) {
      this.done = true;
      return start + 2;
    }
    const held = kept === null ? 0 : kept.length;
    const all =
      kept === null ? Buffer.from(buffer.subarray(start, end)) : Buffer.concat([kept, buffer.subarray(start, end)]);
    // An empty line at the very beginning ends the section; later ones end it behind a field line.
    const stop = all.length >= 2 && all[0] === CR && all[1] === LF ? 2 : endOfFields(all, held);
    if ((stop < 0 ? all.length : stop) > this.#limits.headBytes) {
      throw new WireFault(431, 'trailers-too-large', 'the trailers are too large');
    }
    if (stop < 0) {
      refuseBareLf(all, held);
      this.#trailerBytes = all;
      return end;
    }
    if (stop > 2) {
      const text = all.toString('latin1', 0, stop);
      this.trailers = readFieldLines(all, 0, stop, text, 0, this.#limits).headers;
    }
    this.#trailerBytes = null;
    this.done = true;
    return start + (stop - held);
  }
}

function endOfFields(all: Buffer, held: number): number {
  const found = all.indexOf('\r\n\r\n', Math.max(0, held - 3), 'latin1');
  return found < 0 ? -1 : found + 4;
}

function refuseBareLf(all: Buffer, from: number): void {
  for (let at = from; at < all.length; at++) {
    const byte = all[at] as number;
    if (byte === LF) {
      if (at === 0 || all[at - 1] !== CR) throw badChunk('a trailer line ends with LF alone');
    } else if (byte !== CR && VALUE[byte] === 0) throw badChunk('a control character stands in the trailers');
  }
}

function badChunk(message: string): WireFault {
  return new WireFault(400, 'bad-chunk', message);
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** The line before a chunk of `bytes` bytes; the data and a CRLF follow. */
export function printChunkLine(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}
