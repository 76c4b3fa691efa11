/** A small body that is kept in memory. */

import type { Writable } from 'node:stream';
import type { Body, ByteRange, Digest } from '../store.ts';
import { sendPiece } from './source.ts';

export class MemoryBody implements Body {
  readonly digest: Digest;
  readonly bytes: Buffer;

  constructor(digest: Digest, bytes: Buffer) {
    this.digest = digest;
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  async *pieces({ start, end }: ByteRange = { start: 0, end: null }): AsyncGenerator<Buffer> {
    const piece = this.bytes.subarray(start, end ?? this.size);
    if (piece.length > 0) yield piece;
  }

  async sendTo(socket: Writable, { start, end }: ByteRange = { start: 0, end: null }): Promise<number> {
    const piece = this.bytes.subarray(start, end ?? this.size);
    await sendPiece(socket, piece);
    return piece.length;
  }

  close(): void {}
}
