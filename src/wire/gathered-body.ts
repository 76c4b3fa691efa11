/**
 * A body of another server, gathered in large pieces of memory that is used again: a read that allocates has the collector
 * of garbage run forty times a gigabyte.
 */

import { Readable } from 'node:stream';
import type { ReadBuffers } from './read-buffers.ts';

/** How many full pieces wait until somebody takes them. */
const MOST_WAITING = 3;
/** What has come by then is worth a piece, however little it is. */
const MOMENT_MS = 10;
/** So many bytes are worth a piece at once. */
const WORTH_BYTES = 512 * 1024;

/** Where the bytes come from. */
export interface GatheredFrom {
  /** After `add` gave false. */
  resume(): void;
  /** Nobody wants the rest. */
  abort(): void;
}

export class GatheredBody extends Readable {
  readonly #from: GatheredFrom;
  readonly #buffers: ReadBuffers;
  readonly #full: Buffer[] = [];
  #filling: Buffer | null = null;
  #filled = 0;
  /** What there was no room for: it stays where it is until `resume`. */
  #rest: Buffer | null = null;
  #end: 'none' | 'whole' | Error = 'none';
  #wake = (): void => {};
  #pieces: AsyncGenerator<Buffer> | null = null;

  constructor(from: GatheredFrom, buffers: ReadBuffers) {
    super();
    this.#from = from;
    this.#buffers = buffers;
  }

  /** As `BodySink.write`: false until `resume`. */
  add(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.#full.length >= MOST_WAITING) {
        this.#rest = bytes.subarray(at);
        break;
      }
      this.#filling ??= this.#buffers.large();
      const copied = bytes.copy(this.#filling, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled < this.#filling.length) continue;
      this.#full.push(this.#filling);
      this.#filling = null;
      this.#filled = 0;
    }
    this.#wake();
    return this.#rest === null;
  }

  /** Somebody else is slow, not the server. */
  get waits(): boolean {
    return this.#rest !== null;
  }

  complete(): void {
    if (this.#end === 'none') this.#end = 'whole';
    this.#wake();
  }

  fail(fault: Error): void {
    if (this.#end === 'none') this.#end = fault;
    this.#wake();
  }

  /** Each piece is valid until the next one is asked for. To be used in place of reading the stream. @throws OutFault */
  async *pieces(): AsyncGenerator<Buffer> {
    let timer: NodeJS.Timeout | null = null;
    try {
      for (;;) {
        let isDue = false;
        for (;;) {
          const isReady = this.#full.length > 0 || this.#filled >= WORTH_BYTES || isDue;
          if (isReady || this.#end !== 'none') break;
          if (this.#filled > 0 && timer === null) {
            timer = setTimeout(() => {
              isDue = true;
              this.#wake();
            }, MOMENT_MS);
          }
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        if (timer !== null) clearTimeout(timer);
        timer = null;
        const piece = this.#take();
        if (piece === null) {
          if (this.#end instanceof Error) throw this.#end;
          return;
        }
        try {
          yield piece;
        } finally {
          this.#buffers.giveBack(Buffer.from(piece.buffer as ArrayBuffer));
        }
      }
    } finally {
      if (timer !== null) clearTimeout(timer);
    }
  }

  #take(): Buffer | null {
    let piece = this.#full.shift() ?? null;
    if (piece === null && this.#filling !== null) {
      piece = this.#filling.subarray(0, this.#filled);
      this.#filling = null;
      this.#filled = 0;
    }
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null && this.add(rest)) this.#from.resume();
    return piece;
  }

  override _read(): void {
    this.#pieces ??= this.pieces();
    this.#pieces.next().then(
      ({ done, value }) => this.push(done === true ? null : Buffer.from(value)),
      (fault: Error) => this.destroy(fault),
    );
  }

  override _destroy(fault: Error | null, done: (fault: Error | null) => void): void {
    this.fail(fault ?? new Error('nobody wants the rest'));
    this.#from.abort();
    done(fault);
  }

  /** The rest is not wanted: the connection goes where it has not come already. */
  async dump(): Promise<void> {
    this.on('error', () => {});
    this.destroy();
  }
}
