/** One end of a tunnel as a Node stream, for protocols that Node speaks itself. */
import { Duplex } from 'node:stream';
import type { Channel, ChannelUser } from './channel.ts';
import type { TunnelEnd } from './tunnel.ts';

export class ChannelStream extends Duplex implements ChannelUser {
  readonly #channel: Channel;
  #flushed: ((error?: Error) => void) | null = null;

  constructor({ channel, bytes }: TunnelEnd) {
    super({ allowHalfOpen: true });
    this.#channel = channel;
    channel.user = this;
    if (bytes.length > 0) this.push(Buffer.from(bytes));
    if (channel.ended) this.push(null);
    if (channel.closed) process.nextTick(() => this.onClosed(null));
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    // The bytes are the channel's again when this returns.
    if (!this.push(Buffer.from(buffer.subarray(start, end)))) this.#channel.pause();
  }

  onEof(): void {
    this.push(null);
  }

  onFlushed(): void {
    const tell = this.#flushed;
    this.#flushed = null;
    tell?.();
  }

  onClosed(error: Error | null): void {
    const tell = this.#flushed;
    this.#flushed = null;
    tell?.(error ?? new Error('the connection was closed'));
    this.destroy(error ?? undefined);
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#channel.closed) done(new Error('the connection is closed'));
    else if (this.#channel.write(chunk)) done();
    else this.#flushed = done;
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#channel.closed) this.#channel.destroy();
    done(error);
  }
}
