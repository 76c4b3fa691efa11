/** One direction of what is joined: frames that pass, and ours between them. */

import type { Channel, ChannelUser } from '../channel.ts';
import { type FrameWalker, printFrame, printNumber, WINDOW_UPDATE } from './frames.ts';

const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** What is joined: a channel, or what is used as one. */
export interface SpliceEnd extends Pick<Channel, 'user' | 'closed' | 'ended' | 'pause' | 'resume' | 'destroy'> {
  write(bytes: Buffer): boolean;
  end(): void;
}

/** One connection as it is read, and the other one as it is written. */
export class Side implements ChannelUser {
  readonly closed: Promise<void>;
  /** What could not be read, or was not to be; null where somebody has just closed the connection. */
  fault: unknown = null;
  /** Reads what this one writes to. */
  other: Side | null = null;
  private readonly walker: FrameWalker;
  private readonly source: SpliceEnd;
  private readonly sink: SpliceEnd;
  private inserted: Buffer[] = [];
  private owedBytes = 0;
  /** What was written has not been taken as a whole. */
  private isFull = false;
  private close: () => void = () => {};

  constructor(source: SpliceEnd, sink: SpliceEnd, walkerFor: (side: Side) => FrameWalker) {
    this.source = source;
    this.sink = sink;
    this.walker = walkerFor(this);
    this.closed = new Promise((resolve) => {
      this.close = resolve;
    });
    source.user = this;
  }

  begin(bytes: Buffer): void {
    if (this.source.closed) {
      // It closed before it was joined: nobody else will hear of it.
      process.nextTick(() => this.onClosed());
      return;
    }
    this.source.resume();
    if (bytes.length > 0) this.onBytes(bytes, 0, bytes.length);
    if (this.source.ended) this.onEof();
  }

  pass(bytes: Buffer): void {
    if (this.sink.closed) return;
    if (this.sink.write(bytes)) return;
    this.isFull = true;
    this.source.pause();
  }

  /** Frames of ours, between two that pass. */
  insert(frames: Buffer): void {
    this.inserted.push(frames);
    this.between();
  }

  /**
   * Who reads what this side writes has taken so many bytes that nobody has given it room for again. Who does not read what it
   * is given is owed it: it may go on to send.
   */
  refund(bytes: number): void {
    this.owedBytes += bytes;
    this.between();
  }

  /** Writes what has waited, unless a part of a frame has passed. */
  between(): void {
    if (this.walker.midway) return;
    const waiting = this.inserted;
    this.inserted = [];
    for (const frames of waiting) this.pass(frames);
    if (this.owedBytes === 0 || this.isFull) return;
    const owed = Math.min(this.owedBytes, MAX_WINDOW_BYTES);
    this.owedBytes = 0;
    this.pass(printFrame(WINDOW_UPDATE, 0, 0, printNumber(owed)));
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.fault !== null) return;
    try {
      this.walker.push(buffer.subarray(start, end));
    } catch (fault) {
      // Also what is a fault of ours ends what it was met in, and nothing else.
      this.fault = fault;
      this.source.destroy();
      return;
    }
    this.between();
  }

  onEof(): void {
    this.sink.end();
  }

  /** What was written to this side's source is through: the other one may be read again. */
  onFlushed(): void {
    this.other?.taken();
  }

  private taken(): void {
    this.isFull = false;
    this.source.resume();
    this.between();
  }

  onClosed(): void {
    if (!this.sink.closed) this.sink.destroy();
    this.close();
  }
}
