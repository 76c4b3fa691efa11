/** The messages of an answer, as they pass by. */

import { Transform, type TransformCallback } from 'node:stream';
import { framed } from './grpc.ts';
import { MessageReader } from './message-reader.ts';

/** Gives what the client is told in place of a message; null for nothing. */
export type Tell = (message: Uint8Array) => Uint8Array | null;

/** A fault ends the answer: a Refusal for what is not read. */
export class AnswerMessages extends Transform {
  private readonly reader: MessageReader;

  constructor(tell: Tell) {
    super();
    this.reader = new MessageReader((message) => {
      const told = tell(message);
      if (told !== null) this.push(framed(told));
    });
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.reader.push(piece);
      done();
    } catch (fault) {
      done(fault as Error);
    }
  }
}
