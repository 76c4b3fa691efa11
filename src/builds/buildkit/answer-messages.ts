/** The messages of an answer, as they pass by. */

import { Transform, type TransformCallback } from 'node:stream';

const PREFIX_BYTES = 5;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Bytes go through as they came; `look` is told each whole message before its last byte does. A fault ends the answer. */
export class AnswerMessages extends Transform {
  private rest: Buffer = Buffer.alloc(0);
  private readonly look: (message: Uint8Array) => void;

  constructor(look: (message: Uint8Array) => void) {
    super();
    this.look = look;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.messages(Buffer.concat([this.rest, piece]));
      done(null, piece);
    } catch (fault) {
      done(fault as Error);
    }
  }

  private messages(bytes: Buffer): void {
    let at = 0;
    while (bytes.length - at >= PREFIX_BYTES) {
      if (bytes[at] !== 0) throw new Error('a compressed message is not read');
      const length = bytes.readUInt32BE(at + 1);
      if (length > MAX_MESSAGE_BYTES) throw new Error('a message is too large');
      if (bytes.length - at - PREFIX_BYTES < length) break;
      this.look(bytes.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length));
      at += PREFIX_BYTES + length;
    }
    this.rest = Buffer.from(bytes.subarray(at));
  }
}
