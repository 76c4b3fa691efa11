/**
 * One socket, plain or TLS, as the wire's state machines use it: bytes come to whoever is the channel's user now, a
 * write says whether the kernel took everything, and reading can be stopped so that the bytes in hand stay untouched.
 */
import type net from 'node:net';
import { adoptAcceptedSocket, type OnRead, readSecured } from './accepted-socket.ts';
import type { ReadBuffers } from './read-buffers.ts';

export interface ChannelUser {
  /** The bytes may be used until this returns; or, when the channel was paused meanwhile, until it is resumed. */
  onBytes(buffer: Buffer, start: number, end: number): void;
  /** The other side sends no more (FIN, close_notify). */
  onEof(): void;
  /** All that was written is with the kernel, after a write that gave false. */
  onFlushed(): void;
  /** The socket is gone; the last that is heard of it. */
  onClosed(error: Error | null): void;
}

/** What an outbound socket must be made with: spread it into the options of `net.connect` or `tls.connect`. */
export interface DialOptions {
  readonly allowHalfOpen: true;
  readonly noDelay: true;
  readonly onread: OnRead;
}

/** After so many small reads in a row a large buffer goes back. */
const SMALL_READS = 16;

export class Channel {
  user: ChannelUser;
  bytesIn = 0;
  bytesOut = 0;
  /** Heard besides the user, whoever that is by then. */
  onGone: (() => void) | null = null;
  /** For who speaks over it by itself: nobody is accepted here any more, and it is to end as soon as nobody notices. */
  onLeave: (() => void) | null = null;
  /** The other side sends no more. */
  ended = false;
  closed = false;
  paused = false;

  /**
   * While set, a failed write does not close the socket but is told here, so that what the other side has said before it
   * closed can still be read: an engine answers and resets while we upload.
   */
  onWriteFailed: (() => void) | null = null;
  /** The bytes that are read may stay in use when `onBytes` has returned, with the channel paused or its buffer surrendered. */
  streams: boolean;

  readonly #buffers: ReadBuffers;
  #socket!: net.Socket;
  #encrypted = false;
  #buffer: Buffer | null = null;
  #surrendered = false;
  #lastRead = 0;
  #smallReads = 0;
  #delivering = false;
  #unflushed = false;
  #spilled: Buffer | null = null;
  #eofBehindSpill = false;
  #closeBehindSpill = false;
  #error: Error | null = null;
  readonly #onFlushed: () => void;

  private constructor(user: ChannelUser, buffers: ReadBuffers, streams: boolean) {
    this.user = user;
    this.#buffers = buffers;
    this.streams = streams;
    this.#onFlushed = () => {
      if (!this.#unflushed || this.#socket.writableLength > 0 || this.#socket.destroyed) return;
      this.#unflushed = false;
      this.user.onFlushed();
    };
  }

  /** Over a socket that a server accepted. Reading begins at once: the user hears of bytes in a later turn. */
  static accept(socket: net.Socket, user: ChannelUser, buffers: ReadBuffers): Channel {
    const channel = new Channel(user, buffers, false);
    const onread = channel.#makeOnRead();
    const adopted = 'encrypted' in socket ? null : adoptAcceptedSocket(socket, onread);
    channel.#listen(adopted ?? socket);
    if (adopted !== null || (channel.#encrypted && readSecured(socket, onread))) return channel;
    channel.#readByEvents(socket);
    return channel;
  }

  /** Over a socket that `dial` begins to connect. */
  static dial(dial: (options: DialOptions) => net.Socket, user: ChannelUser, buffers: ReadBuffers): Channel {
    const channel = new Channel(user, buffers, true);
    const socket = dial({ allowHalfOpen: true, noDelay: true, onread: channel.#makeOnRead() });
    const destroy = socket.destroy;
    let failed = false;
    socket.destroy = (error?: Error) => {
      const tell = channel.onWriteFailed;
      const ofWrite = (error as NodeJS.ErrnoException | undefined)?.syscall === 'write';
      if (!ofWrite || (tell === null && !failed)) return destroy.call(socket, error);
      // Writes that were made in the same turn fail one by one; the first has been told.
      failed = true;
      channel.onWriteFailed = null;
      tell?.();
      return socket;
    };
    channel.#listen(socket);
    return channel;
  }

  get socket(): net.Socket {
    return this.#socket;
  }

  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** True when the kernel took everything, so that a buffer is free again; else `onFlushed` follows. Text is latin1. */
  write(data: string | Buffer): boolean {
    this.bytesOut += data.length;
    this.#socket.write(data as string, 'latin1', this.#onFlushed);
    if (this.#socket.writableLength === 0) return true;
    this.#unflushed = true;
    return false;
  }

  /** Text, bytes and text in one piece. The bytes are free again at once. */
  writeCopied(before: string, bytes: Buffer, after: string): boolean {
    const size = before.length + bytes.length + after.length;
    const { gathered } = this.#buffers;
    // TLS keeps what it is given for a while.
    const shares = size <= gathered.length && !this.#encrypted;
    const all = shares ? gathered.subarray(0, size) : Buffer.allocUnsafe(size);
    if (before !== '') all.write(before, 0, 'latin1');
    all.set(bytes, before.length);
    if (after !== '') all.write(after, before.length + bytes.length, 'latin1');
    const flushed = this.write(all);
    if (shares && !flushed) this.#buffers.loseGathered();
    return flushed;
  }

  /** Several writes between `cork` and `uncork` leave together; the last of them tells. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): boolean {
    this.#socket.uncork();
    this.#unflushed = this.#socket.writableLength > 0;
    return !this.#unflushed;
  }

  /** Sends what is written, then FIN; `onSent` when that is done. */
  end(onSent?: () => void): void {
    this.#socket.end(onSent);
  }

  destroy(): void {
    this.#socket.destroy();
    if (this.#closeBehindSpill) this.#tellClosed();
  }

  /** A TCP client sees a reset: an answer that breaks off must not look like a clean end. */
  reset(): void {
    const socket = this.#socket;
    if (socket.destroyed) {
      this.destroy();
      return;
    }
    if (!this.#encrypted && socket.remoteAddress !== undefined && socket.localPort !== undefined) {
      socket.resetAndDestroy();
    } else socket.destroy();
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    if (!this.#delivering) this.#socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#delivering) return;
    if (this.#spilled !== null || this.#eofBehindSpill) process.nextTick(this.#deliverSpilled, this);
    else this.#socket.resume();
  }

  /** The bytes that were delivered last stay in use: the channel reads into another buffer from now on. */
  surrenderBuffer(): void {
    this.#surrendered = true;
  }

  #makeOnRead(): OnRead {
    return {
      buffer: () => this.#nextBuffer(),
      callback: (bytes, buffer) => {
        this.#lastRead = bytes;
        this.#deliver(buffer, bytes);
        return !this.paused;
      },
    };
  }

  #nextBuffer(): Buffer {
    const buffers = this.#buffers;
    const now = this.#buffer ?? buffers.shared;
    let next = now;
    if (this.#surrendered) {
      this.#surrendered = false;
      next = buffers.another(now);
    } else if (this.paused) {
      // Of what came in one piece TLS gives the rest all the same: not into the bytes that are in use.
      if (this.#encrypted) return buffers.shared;
    } else {
      if (!this.streams) next = buffers.shared;
      else if (now === buffers.shared) next = buffers.medium();
      else if (this.#lastRead === now.length) next = buffers.isLarge(now) ? now : buffers.large();
      else if (this.#lastRead >= now.length >> 3) this.#smallReads = 0;
      else if (++this.#smallReads >= SMALL_READS && buffers.isLarge(now)) next = buffers.medium();
      if (next !== now) {
        this.#smallReads = 0;
        buffers.giveBack(now);
      }
    }
    this.#buffer = next;
    return next;
  }

  #deliver(buffer: Buffer, bytes: number): void {
    this.bytesIn += bytes;
    if (this.paused) {
      // Node may begin to read once more when resume() and pause() fall into one turn.
      const copy = Buffer.from(buffer.subarray(0, bytes));
      this.#spilled = this.#spilled === null ? copy : Buffer.concat([this.#spilled, copy]);
      return;
    }
    // A stream that has just begun may still be read into the buffer that all share: its bytes are copied out once.
    const mine = this.streams && buffer === this.#buffers.shared ? Buffer.from(buffer.subarray(0, bytes)) : buffer;
    this.#delivering = true;
    try {
      this.user.onBytes(mine, 0, bytes);
    } finally {
      this.#delivering = false;
    }
  }

  #deliverSpilled(channel: Channel): void {
    const spilled = channel.#spilled;
    if (channel.paused || channel.closed) return;
    if (spilled !== null) {
      channel.#spilled = null;
      channel.bytesIn -= spilled.length;
      channel.#deliver(spilled, spilled.length);
    }
    if (channel.paused) return;
    if (channel.#eofBehindSpill) {
      channel.#eofBehindSpill = false;
      channel.#takeEof();
      if (channel.#closeBehindSpill) channel.#tellClosed();
    } else channel.#socket.resume();
  }

  #takeEof(): void {
    if (this.paused && this.#spilled !== null) {
      this.#eofBehindSpill = true;
      return;
    }
    if (this.ended) return;
    this.ended = true;
    this.user.onEof();
  }

  #listen(socket: net.Socket): void {
    this.#socket = socket;
    this.#encrypted = 'encrypted' in socket;
    socket.on('end', () => this.#takeEof());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      if (this.#buffer !== null && !this.paused && !this.#surrendered) this.#buffers.giveBack(this.#buffer);
      this.#buffer = null;
      // It has said all, and closes since we had said all before: what it said is still to be heard.
      if (this.#eofBehindSpill) this.#closeBehindSpill = true;
      else this.#tellClosed();
    });
  }

  #tellClosed(): void {
    this.#closeBehindSpill = false;
    this.closed = true;
    this.user.onClosed(this.#error);
    this.onGone?.();
  }

  #readByEvents(socket: net.Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#deliver(chunk, chunk.length);
      if (this.paused) socket.pause();
    });
    socket.resume();
  }
}
