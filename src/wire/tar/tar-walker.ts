/**
 * Passes a tar archive on as it comes, byte by byte, while somebody looks at its entries, who may hold some of them
 * back and add others at the end. Never holds more than the headers of one entry and what it is asked to keep.
 */

import type { BodySink } from '../message.ts';
import { compressionOf } from './compression.ts';
import {
  apply,
  BLOCK,
  type Extension,
  extend,
  isExtension,
  isGlobal,
  paddingOf,
  type RawHeader,
  readHeader,
  TarFault,
} from './tar-header.ts';

/** `keep`: the entry passes, and is shown whole; `hold`: it is shown whole instead of being passed. */
export type Treatment = 'pass' | 'keep' | 'hold';

export interface Entry {
  readonly header: RawHeader;
  /** With the headers before it, as they stood in the archive. Empty for what passes. */
  readonly headerBlocks: Buffer;
  /** Empty for what passes. */
  readonly content: Buffer;
}

export interface TarReader {
  /** Of the next entry. @throws TarFault, or whatever else is to end the call */
  treat(header: RawHeader): Treatment;
  /** Bytes of the entry that was treated last, as they pass; they are in use until the walker's write returns. */
  content?(bytes: Buffer): void;
  /** The entry is over. Whole blocks that are given back stand where a held one with contents stood. */
  read(entry: Entry): Buffer | null;
  /** The archive is over: what is to stand behind its last entry, in whole blocks. */
  finish(): Promise<Buffer>;
}

const NOTHING = Buffer.alloc(0);
const END = Buffer.alloc(2 * BLOCK);

type Place =
  | { readonly in: 'header' }
  /** A block of zeros has been read: another one, or the end, must follow. */
  | { readonly in: 'end' }
  /** `left` counts the padding. */
  | { readonly in: 'extension'; readonly header: RawHeader; left: number }
  | { readonly in: 'content'; readonly header: RawHeader; readonly treatment: Treatment; left: number }
  | { readonly in: 'nothing' };

export class TarWalker implements BodySink {
  onReady: (() => void) | null = null;
  private readonly onward: BodySink;
  private readonly reader: TarReader;
  private readonly fail: (fault: unknown) => void;
  private place: Place = { in: 'header' };
  private extension: Extension = {};
  /** What is not decided about yet: the beginning of a header, and the extensions before it. */
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private block = Buffer.alloc(BLOCK);
  private blockBytes = 0;
  private kept: Buffer[] = [];
  private headerBlocks: Buffer = NOTHING;
  private failed = false;
  private begun = false;
  private flushed = true;

  /** `fail` is told once, of what ends the call. */
  constructor(onward: BodySink, reader: TarReader, fail: (fault: unknown) => void) {
    this.onward = onward;
    this.reader = reader;
    this.fail = fail;
    onward.onReady = () => this.onReady?.();
  }

  write(chunk: Buffer): boolean {
    if (this.failed) return true;
    this.flushed = true;
    try {
      this.walk(chunk);
    } catch (fault) {
      this.stop(fault);
      return true;
    }
    return this.flushed;
  }

  end(): void {
    this.fillUp();
    if (this.failed) return;
    const { place } = this;
    const whole = place.in === 'nothing' || place.in === 'end' || (place.in === 'header' && this.blockBytes === 0);
    if (!whole || this.pendingBytes > 0) {
      this.stop(new TarFault('ends before its last entry does'));
      return;
    }
    this.reader.finish().then(
      (blocks) => {
        if (this.failed) return;
        if (blocks.length > 0) this.onward.write(blocks);
        this.onward.write(END);
        this.onward.end();
      },
      (fault: unknown) => this.stop(fault),
    );
  }

  /** The docker command leaves out the padding of the last entry, where it adds a Dockerfile to a context; Go reads that. */
  private fillUp(): void {
    const { place } = this;
    if (place.in !== 'content' || place.left > paddingOf(place.header.size)) return;
    this.write(Buffer.alloc(place.left));
  }

  abort(cause: Error): void {
    this.failed = true;
    this.onward.abort(cause);
  }

  private stop(fault: unknown): void {
    this.failed = true;
    this.fail(fault);
  }

  private pass(bytes: Buffer): void {
    if (bytes.length > 0 && !this.onward.write(bytes)) this.flushed = false;
  }

  /** `run` is where in the chunk the stretch begins that passes as a whole. */
  private walk(chunk: Buffer): void {
    let run = 0;
    let at = 0;
    const passRun = (to: number): void => {
      if (run < to) this.pass(chunk.subarray(run, to));
      run = to;
    };
    while (at < chunk.length) {
      const { place } = this;
      if (place.in === 'nothing') {
        run = chunk.length;
        break;
      }
      if (place.in === 'header' || place.in === 'end') {
        const taken = Math.min(BLOCK - this.blockBytes, chunk.length - at);
        const direct = this.blockBytes === 0 && taken === BLOCK && this.pendingBytes === 0;
        const block = direct ? chunk.subarray(at, at + BLOCK) : this.collectBlock(chunk, at, taken);
        if (block === null) {
          passRun(at);
          run = at + taken;
        } else if (this.takeBlock(block)) {
          if (!direct) {
            // What was held of it goes first.
            passRun(at);
            run = at + taken;
            this.passPending(block);
          }
        } else {
          passRun(at);
          run = at + taken;
        }
        at += taken;
        continue;
      }
      const taken = Math.min(place.left, chunk.length - at);
      const bytes = chunk.subarray(at, at + taken);
      const passes = place.in === 'content' && place.treatment !== 'hold';
      if (!passes) {
        passRun(at);
        run = at + taken;
      }
      this.takeContent(place, bytes);
      at += taken;
    }
    passRun(chunk.length);
  }

  /** Null while the block is not whole. */
  private collectBlock(chunk: Buffer, at: number, taken: number): Buffer | null {
    chunk.copy(this.block, this.blockBytes, at, at + taken);
    this.blockBytes += taken;
    if (this.blockBytes < BLOCK) return null;
    const { block } = this;
    this.block = Buffer.alloc(BLOCK);
    this.blockBytes = 0;
    return block;
  }

  /** Whether the block passes now, with what was pending before it. */
  private takeBlock(block: Buffer): boolean {
    if (!this.begun) {
      this.begun = true;
      // The engine would unpack it: what is a tar here can be something else there.
      if (compressionOf(block) !== null) throw new TarFault('is packed twice');
    }
    if (isZero(block)) return this.takeZero();
    if (this.place.in === 'end') throw new TarFault('goes on behind its end');
    const raw = readHeader(block);
    if (isExtension(raw)) {
      this.hold(block);
      this.enter({ in: 'extension', header: raw, left: raw.size + paddingOf(raw.size) });
      return false;
    }
    if (isGlobal(raw)) {
      if (this.pendingBytes > 0) throw new TarFault('parts an entry from its header');
      this.enter({ in: 'content', header: raw, treatment: 'pass', left: raw.size + paddingOf(raw.size) });
      return true;
    }
    const header = apply(raw, this.extension);
    this.extension = {};
    const treatment = this.reader.treat(header);
    if (treatment !== 'pass') this.headerBlocks = Buffer.concat([...this.pending, block]);
    if (treatment === 'hold') this.dropPending();
    this.enter({ in: 'content', header, treatment, left: header.size + paddingOf(header.size) });
    return treatment !== 'hold';
  }

  private takeZero(): false {
    if (this.pendingBytes > 0) throw new TarFault('ends behind a header');
    this.place = this.place.in === 'end' ? { in: 'nothing' } : { in: 'end' };
    return false;
  }

  private enter(place: Place & { left: number }): void {
    this.place = place;
    if (place.left === 0) this.leave(place);
  }

  private takeContent(place: Place & { left: number }, bytes: Buffer): void {
    if (place.in === 'content' && !isGlobal(place.header)) this.show(place, bytes);
    place.left -= bytes.length;
    if (place.in === 'extension') this.hold(bytes);
    else if (place.in === 'content' && place.treatment !== 'pass') this.kept.push(Buffer.from(bytes));
    if (place.left === 0) this.leave(place);
  }

  /** Without the padding. */
  private show({ header, left }: { readonly header: RawHeader; readonly left: number }, bytes: Buffer): void {
    const contents = Math.min(bytes.length, left - paddingOf(header.size));
    if (contents > 0) this.reader.content?.(bytes.subarray(0, contents));
  }

  private leave(place: Place & { left: number }): void {
    this.place = { in: 'header' };
    if (place.in === 'extension') {
      const { size } = place.header;
      const all = Buffer.concat(this.pending);
      const from = all.length - size - paddingOf(size);
      extend(this.extension, place.header, all.subarray(from, from + size));
      return;
    }
    if (place.in !== 'content' || isGlobal(place.header)) return;
    const content = place.treatment === 'pass' ? NOTHING : Buffer.concat(this.kept).subarray(0, place.header.size);
    this.kept = [];
    const instead = this.reader.read({ header: place.header, headerBlocks: this.headerBlocks, content });
    this.headerBlocks = NOTHING;
    if (instead !== null) this.pass(instead);
  }

  private hold(bytes: Buffer): void {
    this.pending.push(Buffer.from(bytes));
    this.pendingBytes += bytes.length;
  }

  private dropPending(): void {
    this.pending = [];
    this.pendingBytes = 0;
  }

  private passPending(block: Buffer): void {
    for (const piece of this.pending) this.pass(piece);
    this.dropPending();
    this.pass(block);
  }
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZEROS);
}

const ZEROS = Buffer.alloc(BLOCK);
