/** The messages of an answer, as they pass by. */

import { Transform, type TransformCallback } from 'node:stream';
import { framed } from './grpc.ts';

const PREFIX_BYTES = 5;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Gives what the client is told in place of a message; null for nothing. */
export type Tell = (message: Uint8Array) => Uint8Array | null;

/** A fault ends the answer. */
export class AnswerMessages extends Transform {
  private rest: Buffer = Buffer.alloc(0);
  private readonly tell: Tell;

  constructor(tell: Tell) {
    super();
    this.tell = tell;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.pass(Buffer.concat([this.rest, piece]));
      done();
    } catch (fault) {
      done(fault as Error);
    }
  }

  private pass(bytes: Buffer): void {
    let at = 0;
    while (bytes.length - at >= PREFIX_BYTES) {
      if (bytes[at] !== 0) throw new Error('a compressed message is not read');
      const length = bytes.readUInt32BE(at + 1);
      if (length > MAX_MESSAGE_BYTES) throw new Error('a message is too large');
      if (bytes.length - at - PREFIX_BYTES < length) break;
      const told = this.tell(bytes.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length));
      if (told !== null) this.push(framed(told));
      at += PREFIX_BYTES + length;
    }
    this.rest = Buffer.from(bytes.subarray(at));
  }
}
