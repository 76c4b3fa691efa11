/**
 * A kept body that is read from its file. Where this process has not yet seen that the file holds what its name says, it is
 * hashed on its way out: the last piece is given only when all of it is right.
 */

import { createHash, type Hash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { type Body, type ByteRange, type Digest, WrongBody } from '../store.ts';
import type { OpenFile } from './open-file.ts';
import type { SendBuffers } from './send-buffers.ts';
import { piecesOf, type Source, sendSource } from './source.ts';

export interface Proving {
  proved: boolean;
  /** It is wrong: nobody else may open it. */
  onWrong(): void;
  onProved(): void;
  onClose(): void;
}

/** On a busy machine each read waits for its turn of a thread; each has up to 1 MiB. */
const READS_AHEAD = 2;

const WHOLE: ByteRange = { start: 0, end: null };

export class StoredBody implements Body {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes = null;
  readonly #file: OpenFile;
  readonly #buffers: SendBuffers;
  readonly #proving: Proving;
  #closed = false;

  constructor(digest: Digest, size: number, file: OpenFile, buffers: SendBuffers, proving: Proving) {
    this.digest = digest;
    this.size = size;
    this.#file = file;
    this.#buffers = buffers;
    this.#proving = proving;
  }

  async *pieces(range: ByteRange = WHOLE): AsyncGenerator<Buffer> {
    yield* piecesOf(await this.#source(range), range, this.#buffers);
  }

  async sendTo(socket: Writable, range: ByteRange = WHOLE): Promise<number> {
    return sendSource(await this.#source(range), socket, range, this.#buffers);
  }

  async #source({ start, end }: ByteRange): Promise<Source> {
    const source = new FileSource(this.#file, this.size);
    if (this.#proving.proved) return source;
    const proved = new ProvedSource(source, this.digest, this.#proving);
    if (start === 0 && (end === null || end >= this.size)) return proved;
    for await (const _ of piecesOf(proved, WHOLE, this.#buffers));
    return source;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.release();
    this.#proving.onClose();
  }
}

class FileSource implements Source {
  readonly #file: OpenFile;
  readonly readable: number;
  readonly readsAhead = READS_AHEAD;
  readonly ended = true;

  constructor(file: OpenFile, size: number) {
    this.#file = file;
    this.readable = size;
  }

  read(buffer: Buffer, start: number, end: number): Promise<Buffer> {
    return this.#file.readFully(buffer.subarray(0, Math.min(buffer.length, end - start)), start);
  }

  async more(): Promise<void> {}
}

/** To be read from its beginning to its end. */
class ProvedSource implements Source {
  readonly #source: FileSource;
  readonly #digest: Digest;
  readonly #proving: Proving;
  readonly #hash: Hash = createHash('sha256');
  readonly ended = true;

  constructor(source: FileSource, digest: Digest, proving: Proving) {
    this.#source = source;
    this.#digest = digest;
    this.#proving = proving;
  }

  get readable(): number {
    return this.#source.readable;
  }

  async read(buffer: Buffer, start: number, end: number): Promise<Buffer> {
    const piece = await this.#source.read(buffer, start, end);
    this.#hash.update(piece);
    if (start + piece.length < this.readable) return piece;
    if (this.#hash.digest('hex') !== this.#digest) {
      this.#proving.onWrong();
      throw new WrongBody(`what is kept as sha256:${this.#digest} is something else`);
    }
    this.#proving.onProved();
    return piece;
  }

  async more(): Promise<void> {}
}
