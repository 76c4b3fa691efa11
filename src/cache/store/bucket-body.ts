/**
 * A kept body that is read from a bucket, a request for each reading. Read whole, it is hashed on its way out, and its last
 * piece is given only when all of it is right.
 */

import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { type Body, type ByteRange, type Digest, WrongBody } from '../store.ts';
import type { Bucket } from './bucket.ts';
import { sendPiece } from './source.ts';

const WHOLE: ByteRange = { start: 0, end: null };

export interface BucketBodyOptions {
  readonly bucket: Bucket;
  readonly key: string;
  readonly digest: Digest;
  readonly size: number;
  onWrong(): void;
  onClose(): void;
}

export class BucketBody implements Body {
  readonly #options: BucketBodyOptions;
  readonly bytes = null;
  #closed = false;

  constructor(options: BucketBodyOptions) {
    this.#options = options;
  }

  get digest(): Digest {
    return this.#options.digest;
  }

  get size(): number {
    return this.#options.size;
  }

  async *pieces({ start, end }: ByteRange = WHOLE): AsyncGenerator<Buffer> {
    const until = Math.min(end ?? this.size, this.size);
    if (start >= until) return;
    const { bucket, key } = this.#options;
    const range = { range: `bytes=${start}-${until - 1}` };
    const whole = start === 0 && until === this.size;
    const answer = await bucket.ask({ method: 'GET', key, ...(whole ? {} : { headers: range }) });
    if (answer === null) throw new Error('the body is not in the bucket any more');
    try {
      yield* whole ? this.#proved(answer.body) : exactly(answer.body, until - start);
    } finally {
      answer.body.destroy();
    }
  }

  async *#proved(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    let held: Buffer | null = null;
    for await (const piece of pieces) {
      if (held !== null) yield held;
      hash.update(piece);
      held = piece;
    }
    if (hash.digest('hex') !== this.digest) {
      this.#options.onWrong();
      throw new WrongBody(`what is kept as sha256:${this.digest} is something else`);
    }
    if (held !== null) yield held;
  }

  async sendTo(socket: Writable, range: ByteRange = WHOLE): Promise<number> {
    let sent = 0;
    for await (const piece of this.pieces(range)) {
      await sendPiece(socket, piece);
      sent += piece.length;
    }
    return sent;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose();
  }
}

/** A server that does not know ranges would give something else. */
async function* exactly(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let got = 0;
  for await (const piece of pieces) {
    got += piece.length;
    if (got > size) break;
    yield piece;
  }
  if (got !== size)
    throw new WrongBody(`the bucket gave another range than the one of ${size} bytes that was asked for`);
}
