/** What bodies are read from, and the two ways of reading: piece by piece, and to a socket. */

import type { Writable } from 'node:stream';
import type { ByteRange } from '../store.ts';
import type { SendBuffers } from './send-buffers.ts';

/** Bytes that can be read at any place, and of which more may come. */
export interface Source {
  /** How far it can be read now. */
  readonly readable: number;
  /** Nothing comes after `readable`. */
  readonly ended: boolean;
  /** How many reads may be under way, where each gives all that it is asked for; absent: one. */
  readonly readsAhead?: number;
  /** Bytes from `start`, at least one and at most to `end`, in `buffer` or in memory of its own. */
  read(buffer: Buffer, start: number, end: number): Buffer | Promise<Buffer>;
  /** Resolves when it can be read beyond `position`, or has ended. @throws where it has broken */
  more(position: number): Promise<void>;
}

/** How far it is to be read; null while nobody knows. */
function endOf(source: Source, { end }: ByteRange): number | null {
  if (source.ended) return end === null ? source.readable : Math.min(end, source.readable);
  return end;
}

/** Above it a read of a large buffer is worth its memory. */
const LARGE_FROM = 256 * 1024;

/** While one piece is with whoever asked for it the next ones are read, where they are there. */
export async function* piecesOf(source: Source, range: ByteRange, buffers: SendBuffers): AsyncGenerator<Buffer> {
  let position = range.start;
  const readings: Reading[] = [];
  let next = position;
  const begin = (): void => {
    while (readings.length < (source.readsAhead ?? 1)) {
      const end = endOf(source, range);
      const until = Math.min(end ?? source.readable, source.readable);
      if (until <= next) return;
      const buffer = buffers.take(until - next >= LARGE_FROM);
      const to = Math.min(until, next + buffer.length);
      const piece = read(source, buffer, next, to);
      piece.catch(ignore);
      readings.push({ buffer, piece });
      next = to;
    }
  };
  try {
    for (;;) {
      begin();
      const reading = readings.shift();
      if (reading === undefined) {
        const end = endOf(source, range);
        if (end !== null && position >= end) return;
        await source.more(position);
        continue;
      }
      const { buffer, piece: coming } = reading;
      try {
        const piece = await coming;
        position += piece.length;
        if (readings.length === 0) next = position;
        // A body of one piece, and the end of one, need no second buffer.
        begin();
        yield piece;
      } finally {
        buffers.giveBack(buffer);
      }
    }
  } finally {
    // They are read to their end: the buffers are somebody else's only then.
    for (const left of readings) void left.piece.then(ignore, ignore).then(() => buffers.giveBack(left.buffer));
  }
}

interface Reading {
  readonly buffer: Buffer;
  readonly piece: Promise<Buffer>;
}

/** Also what is thrown at once comes as a rejection. */
async function read(source: Source, buffer: Buffer, start: number, end: number): Promise<Buffer> {
  return source.read(buffer, start, end);
}

function ignore(): void {}

/** A client that takes longer for a piece gets by with one small buffer: a thousand slow ones must not hold gigabytes. */
const SLOW_MS = 100;

/** While one piece is being written the next one is read. */
export async function sendSource(
  source: Source,
  socket: Writable,
  range: ByteRange,
  buffers: SendBuffers,
): Promise<number> {
  let position = range.start;
  let fast = true;
  let writing: Promise<void> | null = null;
  let busy: Buffer | null = null;
  const closed = watchClose(socket);
  try {
    for (;;) {
      const end = endOf(source, range);
      if (end !== null && position >= end) break;
      if (source.readable <= position) {
        await Promise.race([source.more(position), closed.promise]);
        continue;
      }
      const until = Math.min(end ?? source.readable, source.readable);
      const buffer = buffers.take(fast && until - position >= LARGE_FROM);
      let piece: Buffer;
      try {
        piece = await source.read(buffer, position, Math.min(until, position + buffer.length));
        if (writing !== null) {
          const began = performance.now();
          await writing;
          fast = performance.now() - began < SLOW_MS;
        }
      } catch (fault) {
        buffers.giveBack(buffer);
        throw fault;
      }
      if (busy !== null) buffers.giveBack(busy);
      busy = buffer;
      // Of a client that goes, Node never says of some writes what has become of them.
      writing = Promise.race([write(socket, piece), closed.promise]);
      // Taken care of where it is awaited; until then its fault is nobody's.
      writing.catch(() => {});
      position += piece.length;
      if (!fast) {
        const began = performance.now();
        await writing;
        fast = performance.now() - began < SLOW_MS;
        writing = null;
        buffers.giveBack(busy);
        busy = null;
      }
    }
    await writing;
    return position - range.start;
  } finally {
    closed.stop();
    // A socket that still writes from it keeps it for good.
    if (busy !== null) {
      if (socket.writableLength === 0 && !socket.destroyed) buffers.giveBack(busy);
      else buffers.lose(busy);
    }
  }
}

/** One piece, and nothing after it is begun before it is written. */
export async function sendPiece(socket: Writable, piece: Buffer): Promise<void> {
  const closed = watchClose(socket);
  try {
    await Promise.race([write(socket, piece), closed.promise]);
  } finally {
    closed.stop();
  }
}

function write(socket: Writable, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(piece, (fault) => (fault ? reject(fault) : resolve()));
  });
}

interface Closing {
  readonly promise: Promise<never>;
  stop(): void;
}

function watchClose(socket: Writable): Closing {
  let onClose = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    onClose = () => reject(new Error('the socket was closed'));
  });
  promise.catch(() => {});
  if (socket.destroyed) onClose();
  else socket.once('close', onClose);
  return { promise, stop: () => void socket.off('close', onClose) };
}
