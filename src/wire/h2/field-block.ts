/** Fields that come in one frame or several: nothing else may come in between (RFC 9113, section 4.3). */

import {
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  type FrameHead,
  HAS_PRIORITY,
  HEADERS,
  Http2Fault,
  PADDED,
} from './frames.ts';

const MAX_BLOCK_BYTES = 1024 * 1024;
const MAX_BLOCK_FRAMES = 1024;

export interface FieldBlock {
  readonly stream: number;
  /** Nothing follows on the stream. */
  readonly ends: boolean;
  readonly fields: Buffer;
}

/** Of one direction of a connection. */
export class FieldBlocks {
  private first: FrameHead | null = null;
  private pieces: Buffer[] = [];
  private bytes = 0;

  /** Every frame, as soon as it begins. @throws Http2Fault */
  begins({ type, stream }: FrameHead): void {
    const continued = this.first !== null && this.first.stream === stream;
    if (this.first === null ? type === CONTINUATION : type !== CONTINUATION || !continued)
      throw new Http2Fault('a header block is not continued');
  }

  /** Null where more is to come. @throws Http2Fault */
  add(frame: FrameHead, payload: Buffer): FieldBlock | null {
    if (frame.type === HEADERS) {
      if ((frame.flags & (PADDED | HAS_PRIORITY)) !== 0) throw new Http2Fault('padding and priorities are not read');
      this.first = frame;
    }
    this.pieces.push(payload);
    this.bytes += payload.length;
    if (this.bytes > MAX_BLOCK_BYTES || this.pieces.length > MAX_BLOCK_FRAMES)
      throw new Http2Fault('a header block is too large');
    if (this.first === null || (frame.flags & END_HEADERS) === 0) return null;
    const { stream, flags } = this.first;
    const block = { stream, ends: (flags & END_STREAM) !== 0, fields: Buffer.concat(this.pieces) };
    this.first = null;
    this.pieces = [];
    this.bytes = 0;
    return block;
  }
}
