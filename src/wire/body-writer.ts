/** Prints one body onto a channel in its framing; a length that is given is kept to the byte. */
import type { Channel } from './channel.ts';
import { printChunkLine } from './chunked.ts';
import type { Framing, RawHeaders } from './message.ts';
import { printFields } from './print-head.ts';

/** Up to this size it costs less to copy what leaves together into one piece than to gather it. */
const COPIED_BYTES = 8 * 1024;
/** Up to this size it costs less to make it text than to have memory for it. */
const AS_TEXT_BYTES = 512;
const LAST_CHUNK = '0\r\n';
const CRLF = '\r\n';

export class BodyWriter {
  readonly #channel: Channel;
  readonly #framing: Framing['kind'];
  #left: number;
  #terminated = false;

  constructor(channel: Channel, framing: Framing) {
    this.#channel = channel;
    this.#framing = framing.kind;
    this.#left = framing.kind === 'length' ? framing.bytes : 0;
  }

  /** How many bytes of a given length are still owed. */
  get owed(): number {
    return this.#left;
  }

  /** As `BodySink.write`; `before` is a head that leaves together with the chunk. */
  write(chunk: Buffer, last: boolean, before = ''): boolean {
    if (chunk.length === 0 || this.#framing === 'none') {
      return before === '' ? true : this.#channel.write(before);
    }
    if (this.#framing === 'length') {
      if (chunk.length > this.#left) throw new RangeError('a body is longer than the length that was announced');
      this.#left -= chunk.length;
    }
    if (this.#framing !== 'chunked') return writeTogether(this.#channel, before, chunk, '');
    this.#terminated = last;
    const after = last ? `${CRLF}${LAST_CHUNK}${CRLF}` : CRLF;
    return writeTogether(this.#channel, before + printChunkLine(chunk.length), chunk, after);
  }

  /** False when the body is shorter than announced: its connection must not be used on. */
  end(trailers?: RawHeaders): boolean {
    if (this.#framing === 'length') return this.#left === 0;
    if (this.#framing === 'chunked' && !this.#terminated) {
      this.#terminated = true;
      const fields = trailers === undefined || trailers.length === 0 ? '' : printFields(trailers);
      this.#channel.write(`${LAST_CHUNK}${fields}${CRLF}`);
    }
    return true;
  }
}

/** Text, bytes and text in one write. */
export function writeTogether(channel: Channel, before: string, bytes: Buffer, after: string): boolean {
  if (bytes.length <= COPIED_BYTES) {
    if (bytes.length <= AS_TEXT_BYTES) return channel.write(before + bytes.toString('latin1') + after);
    return channel.writeCopied(before, bytes, after);
  }
  if (before === '' && after === '') return channel.write(bytes);
  channel.cork();
  if (before !== '') channel.write(before);
  channel.write(bytes);
  if (after !== '') channel.write(after);
  return channel.uncork();
}
