/** A stream that is joined as a channel is. */

import type { Duplex } from 'node:stream';
import type { ChannelUser } from '../channel.ts';
import type { SpliceEnd } from './side.ts';

const nobody: ChannelUser = { onBytes() {}, onEof() {}, onFlushed() {}, onClosed() {} };

export class StreamEnd implements SpliceEnd {
  user: ChannelUser = nobody;
  ended = false;
  closed = false;
  private readonly stream: Duplex;

  /** @param stream which nobody has read from */
  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => this.user.onBytes(chunk, 0, chunk.length)).pause();
    stream.on('drain', () => this.user.onFlushed());
    stream.on('error', () => stream.destroy());
    stream.on('end', () => {
      this.ended = true;
      this.user.onEof();
    });
    stream.on('close', () => {
      this.closed = true;
      this.user.onClosed(null);
    });
  }

  /** The bytes are the writer's again when this returns. */
  write(bytes: Buffer): boolean {
    return !this.stream.writable || this.stream.write(Buffer.from(bytes));
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  end(): void {
    this.stream.end();
  }

  destroy(): void {
    this.stream.destroy();
  }
}
