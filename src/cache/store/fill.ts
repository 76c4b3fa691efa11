/**
 * A body that is being written and read at once: its first bytes in memory, then a file, and where the disk fails, a window
 * in memory that moves on with its readers, so that nobody's download breaks for want of room on our disk.
 */

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import {
  type Body,
  type ByteRange,
  type Committed,
  type Digest,
  type Fill,
  FillBroken,
  type FillOptions,
  type NewRecord,
  type NotKept,
  WrongBody,
} from '../store.ts';
import { HashBeside, type HashThread } from './hash-thread.ts';
import { OpenFile } from './open-file.ts';
import type { SendBuffers } from './send-buffers.ts';
import { piecesOf, type Source, sendSource } from './source.ts';
import { Window } from './window.ts';

/** A body up to this size has no file before it is whole. */
const IN_MEMORY = 64 * 1024;
/** From here on hashing takes longer than to have another thread do it. */
const HASHED_BESIDE = 4 * 1024 * 1024;

/** What the fill needs of its store. */
export interface FillHost {
  readonly buffers: SendBuffers;
  readonly hashThread: HashThread;
  /** What is larger is not kept. */
  readonly largestBody: number;
  /** Where the file is to be. */
  readonly path: string;
  /** Whether something went, so that it is worth another try. */
  makeRoom(bytes: number): Promise<boolean>;
  /** So much more of it is about to lie there. Whether it may; null: yes, without waiting. */
  grow(bytes: number): Promise<boolean> | null;
  /** Nothing of it lies there any more but what is kept. */
  letGo(): void;
  /** Takes a whole, proved body, either in memory or in the file at `path`. @throws Error of the disk */
  keep(body: WholeBody, records: readonly NewRecord[]): Promise<void>;
  onEnd(notKept: NotKept | null): void;
}

export interface WholeBody {
  readonly digest: Digest;
  readonly size: number;
  readonly content: Buffer | FileHandle;
}

export class FolderFill implements Fill {
  readonly #host: FillHost;
  readonly #expected: FillOptions;
  readonly #hash: Hash | HashBeside;
  readonly #window = new Window();
  readonly #followers = new Set<Follower>();
  #memory: Buffer[] | null = [];
  #file: OpenFile | null = null;
  /** How much is in memory or in the file, from the beginning on. */
  #based = 0;
  #written = 0;
  #notKept: NotKept | null = null;
  #end: 'none' | 'whole' | Error = 'none';
  #digest: Digest | null = null;
  #waiting: (() => void)[] = [];
  #committing: Promise<unknown> | null = null;

  constructor(host: FillHost, expected: FillOptions) {
    this.#host = host;
    this.#expected = expected;
    const size = expected.size ?? 0;
    if (size > host.largestBody) this.#notKept = 'larger than the store';
    const isLarge = size >= HASHED_BESIDE && this.#notKept === null;
    this.#hash = isLarge ? host.hashThread.begin() : createHash('sha256');
  }

  get written(): number {
    return this.#written;
  }

  get notKept(): NotKept | null {
    return this.#notKept;
  }

  get digest(): Digest | null {
    return this.#digest;
  }

  get size(): number | null {
    return this.#end === 'whole' ? this.#written : (this.#expected.size ?? null);
  }

  get ended(): boolean {
    return this.#end === 'whole';
  }

  /** What must be proved is not told whole before. */
  get readable(): number {
    const mustBeProved = this.#expected.digest !== undefined || this.#expected.size !== undefined;
    return mustBeProved && this.#end !== 'whole' ? Math.max(0, this.#written - 1) : this.#written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#refuseEnded();
    if (bytes.length === 0) return;
    if (this.#notKept === null && this.#written + bytes.length > this.#host.largestBody)
      this.#lose('larger than the store');
    const keeping = this.#notKept === null ? this.#keepBytes(bytes) : null;
    if (!(this.#hash instanceof HashBeside)) this.#hash.update(bytes);
    await keeping;
    if (this.#hash instanceof HashBeside) await this.#hashBeside(this.#hash, bytes);
    if (this.#notKept !== null) this.#window.add(this.#written, bytes);
    this.#written += bytes.length;
    this.#wake();
    if (this.#notKept !== null) await this.#window.settle(this.#followers);
  }

  async #keepBytes(bytes: Uint8Array): Promise<void> {
    if (this.#memory !== null && this.#based + bytes.length <= IN_MEMORY) {
      this.#memory.push(Buffer.from(bytes));
      this.#based += bytes.length;
      return;
    }
    try {
      if (this.#memory !== null) {
        this.#file = new OpenFile(await open(this.#host.path, 'wx+', 0o600));
        await this.#writeAt(Buffer.concat(this.#memory), 0);
        this.#memory = null;
      }
      await this.#writeAt(bytes, this.#based);
      this.#based += bytes.length;
    } catch (fault) {
      this.#lose(reasonOf(fault));
    }
  }

  /** From the file as far as there is one. */
  async #hashBeside(hash: HashBeside, bytes: Uint8Array): Promise<void> {
    if (this.#notKept === null) {
      if (this.#file !== null) hash.addFrom(this.#file, this.#based);
      return;
    }
    if (hash.position < this.#based) await hash.add(Buffer.concat(this.#memory ?? []));
    await hash.add(bytes);
  }

  async #writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const mayGrow = this.#host.grow(bytes.length);
    if (mayGrow !== null && !(await mayGrow)) throw new NoRoom();
    const { handle } = this.#file as OpenFile;
    let at = 0;
    let roomMade = false;
    while (at < bytes.length) {
      try {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      } catch (fault) {
        if (roomMade || reasonOf(fault) !== 'disk full' || !(await this.#host.makeRoom(bytes.length))) throw fault;
        roomMade = true;
      }
    }
  }

  #lose(reason: NotKept): void {
    this.#notKept = reason;
    if (this.#file !== null) void unlink(this.#host.path).catch(() => {});
    this.#letGo();
  }

  follow(): Body | null {
    if (this.#isGone()) return null;
    const follower = new Follower(this, this.#host.buffers, () => {
      this.#followers.delete(follower);
      this.#window.drop(this.#followers);
      this.#letGo();
    });
    this.#followers.add(follower);
    return follower;
  }

  #isGone(): boolean {
    if (this.#window.start !== null && this.#window.start > this.#based) return true;
    return this.#based > 0 && this.#memory === null && this.#file === null;
  }

  read(buffer: Buffer, start: number, end: number): Buffer | Promise<Buffer> {
    if (start >= this.#based) return this.#window.read(start, end);
    const until = Math.min(end, this.#based, start + buffer.length);
    if (this.#memory !== null) return fromPieces(this.#memory, start, until);
    if (this.#file === null) throw new FillBroken('the beginning is not there any more');
    return this.#file.readFully(buffer.subarray(0, until - start), start);
  }

  async more(position: number): Promise<void> {
    while (this.readable <= position && this.#end === 'none') {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.readable <= position && this.#end instanceof Error) throw this.#end;
  }

  commit(records: readonly NewRecord[]): Promise<Committed> {
    const committed = this.#commit(records);
    this.#committing = committed.catch(() => {});
    return committed;
  }

  async #commit(records: readonly NewRecord[]): Promise<Committed> {
    this.#refuseEnded();
    const [digest, size] = [await this.#proof(), this.#written];
    const wrong = wrongness(this.#expected, digest, size);
    if (wrong !== null) {
      await this.#endWith(wrong);
      throw wrong;
    }
    this.#digest = digest;
    this.#end = 'whole';
    this.#wake();
    if (this.#notKept === null) await this.#keep(digest, size, records);
    this.#host.onEnd(this.#notKept);
    this.#letGo();
    return this.#notKept === null ? { kept: true, digest, size } : { kept: false, digest, size, reason: this.#notKept };
  }

  #refuseEnded(): void {
    if (this.#end !== 'none') throw new Error('this fill has ended');
  }

  #proof(): Digest | Promise<Digest> {
    if (!(this.#hash instanceof HashBeside)) return this.#hash.digest('hex');
    return this.#hash.digest().catch(async (fault: Error) => {
      await this.#endWith(new FillBroken(fault.message));
      throw fault;
    });
  }

  async #keep(digest: Digest, size: number, records: readonly NewRecord[]): Promise<void> {
    // The last of its readers may go meanwhile.
    const file = this.#file?.retain() ?? null;
    const content = file === null ? Buffer.concat(this.#memory ?? []) : file.handle;
    try {
      await this.#host.keep({ digest, size, content }, records);
    } catch (fault) {
      this.#notKept = reasonOf(fault);
      await unlink(this.#host.path).catch(() => {});
    } finally {
      file?.release();
    }
  }

  async abort(reason: string): Promise<void> {
    // What is whole already is kept: whoever closes the store waits for it.
    await this.#committing;
    if (this.#end === 'none') await this.#endWith(new FillBroken(reason));
  }

  async #endWith(fault: Error): Promise<void> {
    this.#end = fault;
    this.#wake();
    if (this.#hash instanceof HashBeside) this.#hash.abandon();
    if (this.#file !== null) await unlink(this.#host.path).catch(() => {});
    this.#host.onEnd(this.#notKept);
    this.#letGo();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** The file is closed when nobody can ask for more of it. */
  #letGo(): void {
    if (this.#followers.size > 0 || (this.#end === 'none' && this.#notKept === null)) return;
    this.#file?.release();
    this.#file = null;
    this.#host.letGo();
  }
}

/** What is being filled at a time is more than the store may have. */
class NoRoom extends Error {}

/** Whoever reads a fill, from its beginning on. */
export class Follower implements Body, Source {
  readonly #fill: FolderFill;
  readonly #buffers: SendBuffers;
  readonly #onClose: () => void;
  /** Before it nothing is needed any more. */
  position = 0;
  /** It was too slow for the window. */
  left = false;
  heldMs = 0;
  #closed = false;
  readonly bytes = null;

  constructor(fill: FolderFill, buffers: SendBuffers, onClose: () => void) {
    this.#fill = fill;
    this.#buffers = buffers;
    this.#onClose = onClose;
  }

  get digest(): Digest | null {
    return this.#fill.digest;
  }

  get size(): number | null {
    return this.#fill.size;
  }

  get readable(): number {
    return this.#fill.readable;
  }

  get ended(): boolean {
    return this.#fill.ended;
  }

  read(buffer: Buffer, start: number, end: number): Buffer | Promise<Buffer> {
    if (this.left) throw new FillBroken('it was read too slowly, and there is no room to keep it');
    this.position = start;
    return this.#fill.read(buffer, start, end);
  }

  more(position: number): Promise<void> {
    this.position = position;
    return this.#fill.more(position);
  }

  pieces(range: ByteRange = { start: 0, end: null }): AsyncIterable<Buffer> {
    return piecesOf(this, range, this.#buffers);
  }

  sendTo(socket: Parameters<Body['sendTo']>[0], range: ByteRange = { start: 0, end: null }): Promise<number> {
    return sendSource(this, socket, range, this.#buffers);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
  }
}

function wrongness(expected: FillOptions, digest: Digest, size: number): WrongBody | null {
  if (expected.size !== undefined && expected.size !== size) {
    return new WrongBody(`it has ${size} bytes, and ${expected.size} were announced`);
  }
  if (expected.digest !== undefined && expected.digest !== digest) {
    return new WrongBody(`its digest is sha256:${digest}, and sha256:${expected.digest} was asked for`);
  }
  return null;
}

function fromPieces(pieces: readonly Buffer[], start: number, end: number): Buffer {
  let at = 0;
  for (const piece of pieces) {
    if (start < at + piece.length) return piece.subarray(start - at, end - at);
    at += piece.length;
  }
  throw new RangeError(`there is nothing at ${start}`);
}

function reasonOf(fault: unknown): NotKept {
  if (fault instanceof NoRoom) return 'larger than the store';
  const { code } = fault as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'disk full' : 'fault of the disk';
}
