/**
 * Joins two connections of HTTP/2 frame by frame: who asks on one side is served by who serves on the other, with the windows
 * that they give each other, so that what is large passes as bytes. In between calls can be refused, answers be watched and
 * ended, and calls of our own be made.
 *
 * Both sides are told that the other one keeps no table of header fields, so that blocks can be left out and put in.
 */

import type { RawHeaders } from '../message.ts';
import * as h2 from './frames.ts';
import { type FrameHead, FrameWalker, Http2Fault, printFrame, printNumber } from './frames.ts';
import { NO_TABLE, printFieldBlock, readFieldBlock } from './hpack.ts';
import { Side, type SpliceEnd } from './side.ts';

/** What we may say to who serves at once: kept back of what it lets the other side say. */
const RESERVE_BYTES = 16 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_BLOCK_BYTES = 1024 * 1024;
/** What is held of one answer: many times what clients say at once. */
const MAX_HELD_BYTES = 1024 * 1024;
const MAX_HELD_FRAMES = 1024;
/** What every side takes in one frame (RFC 9113, section 6.5.2). */
const MAX_FRAME_BYTES = 16_384;
const INITIAL_WINDOW_SIZE = 4;
const USUAL_WINDOW_BYTES = 65_535;
const CANCEL = 8;

/**
 * Sees the answer to one call, a frame's payload at a time: it passes with all that was held before, is held, or the answer ends
 * with these fields instead.
 */
export type Watch = (payload: Buffer) => 'pass' | 'hold' | { readonly endedBy: RawHeaders };

export type Verdict = 'pass' | { readonly refusedBy: RawHeaders } | { readonly watch: Watch };

interface Opened {
  readonly channel: SpliceEnd;
  /** What was read from it already. */
  readonly bytes: Buffer;
}

interface Watched {
  readonly watch: Watch;
  held: Buffer[];
  heldBytes: number;
}

interface OwnCall {
  readonly pieces: Buffer[];
  length: number;
  settle(answer: Buffer | null): void;
}

/** Streams are named as who asks names them, but for the second halves of functions that say so. */
export class Http2Splice {
  readonly ended: Promise<void>;
  private readonly asker: Side;
  private readonly server: Side;
  private readonly judge: (fields: RawHeaders) => Verdict;
  /** Streams of ours, as who serves names them, in their order. */
  private readonly own: number[] = [];
  private readonly calls = new Map<number, OwnCall>();
  /** Streams of which nothing passes any more. */
  private readonly over = new Set<number>();
  private readonly watched = new Map<number, Watched>();
  private lastAsked = -1;
  private block: { readonly frame: FrameHead; readonly pieces: Buffer[]; length: number } | null = null;
  private reserve = 0;
  private streamWindow = USUAL_WINDOW_BYTES;
  private greeted = false;
  private closing = false;

  /** @param judge is given the fields of each call, names and values in turns */
  constructor(asker: Opened, server: Opened, judge: (fields: RawHeaders) => Verdict) {
    this.judge = judge;
    const [asking, serving] = [asker.channel, server.channel];
    this.asker = new Side(asking, serving, (side) => new FrameWalker(this.fromAsker(side), h2.PREFACE));
    this.server = new Side(serving, asking, (side) => new FrameWalker(this.fromServer(side)));
    this.asker.other = this.server;
    this.server.other = this.asker;
    this.ended = Promise.all([this.asker.closed, this.server.closed]).then(() => {
      this.closing = true;
      for (const call of this.calls.values()) call.settle(null);
    });
    this.asker.begin(asker.bytes);
    this.server.begin(server.bytes);
  }

  /** Asks who serves. Null where it says that it is no more there, does not answer in time, or gives us no room to ask. */
  ask(fields: RawHeaders, body: Buffer, timeoutMs: number): Promise<Buffer | null> {
    if (!this.greeted || this.closing || body.length > Math.min(this.reserve, this.streamWindow))
      return Promise.resolve(null);
    this.reserve -= body.length;
    const stream = Math.max(this.toServer(this.lastAsked), this.own.at(-1) ?? -1) + 2;
    this.own.push(stream);
    const head = printFrame(h2.HEADERS, h2.END_HEADERS, stream, printFieldBlock(fields));
    this.asker.insert(Buffer.concat([head, printFrame(h2.DATA, h2.END_STREAM, stream, body)]));
    return new Promise((resolve) => {
      const settle = (answer: Buffer | null): void => {
        clearTimeout(timer);
        if (this.calls.delete(stream)) resolve(answer);
      };
      const timer = setTimeout(() => this.giveUp(stream), timeoutMs);
      this.calls.set(stream, { pieces: [], length: 0, settle });
    });
  }

  private giveUp(stream: number): void {
    this.asker.insert(printFrame(h2.RST_STREAM, 0, stream, printNumber(CANCEL)));
    this.calls.get(stream)?.settle(null);
  }

  /** Ours lie between those that pass. */
  private toServer(stream: number): number {
    let there = stream;
    for (const own of this.own) if (own <= there) there += 2;
    return there;
  }

  private toAsker(there: number): number {
    let stream = there;
    for (const own of this.own) if (own < there) stream -= 2;
    return stream;
  }

  private fromAsker(side: Side): ConstructorParameters<typeof FrameWalker>[0] {
    return {
      pass: (bytes) => side.pass(bytes),
      destinationOf: ({ type, flags, stream }) => {
        if (this.block !== null && type !== h2.CONTINUATION) throw new Http2Fault('a header block is not continued');
        switch (type) {
          case h2.HEADERS:
          case h2.CONTINUATION:
          case h2.PRIORITY:
            return null;
          case h2.SETTINGS:
            return (flags & h2.ACK) === 0 ? null : 0;
          default:
            if (stream === 0) return 0;
            if (this.over.has(stream) || (type === h2.RST_STREAM && this.watched.has(stream))) return null;
            return this.toServer(stream);
        }
      },
      take: (frame, payload) => {
        switch (frame.type) {
          case h2.HEADERS:
          case h2.CONTINUATION:
            return this.addToBlock(side, frame, payload);
          case h2.SETTINGS:
            this.greeted = true;
            return side.pass(withoutTable(payload));
          case h2.DATA:
            return this.server.refund(frame.length);
          case h2.RST_STREAM:
            if (!this.watched.has(frame.stream)) return;
            side.pass(printFrame(h2.RST_STREAM, 0, this.toServer(frame.stream), payload));
            return this.forget(frame.stream);
          default:
            // What else there is to say of a call that is over, and priorities, which bind nobody.
            return;
        }
      },
    };
  }

  private addToBlock(side: Side, frame: FrameHead, payload: Buffer): void {
    if (frame.type === h2.HEADERS) {
      if ((frame.flags & (h2.PADDED | h2.HAS_PRIORITY)) !== 0)
        throw new Http2Fault('padding and priorities are not read');
      this.block = { frame, pieces: [], length: 0 };
    }
    const { block } = this;
    if (block === null || block.frame.stream !== frame.stream) throw new Http2Fault('a header block of nothing');
    block.pieces.push(payload);
    block.length += payload.length;
    if (block.length > MAX_BLOCK_BYTES) throw new Http2Fault('a header block is too large');
    if ((frame.flags & h2.END_HEADERS) === 0) return;
    this.block = null;
    const { stream, flags } = block.frame;
    if (this.over.has(stream)) return;
    if (stream > this.lastAsked) {
      this.lastAsked = stream;
      const verdict = this.judge(readFieldBlock(Buffer.concat(block.pieces)));
      if (verdict !== 'pass' && 'refusedBy' in verdict) {
        this.end(stream, verdict.refusedBy);
        return;
      }
      if (verdict !== 'pass') this.watched.set(stream, { watch: verdict.watch, held: [], heldBytes: 0 });
    }
    // A call of ours that waits has a lower number.
    side.between();
    const there = this.toServer(stream);
    block.pieces.forEach((piece, at) => {
      const last = at === block.pieces.length - 1 ? h2.END_HEADERS : 0;
      const first = at === 0 ? flags & h2.END_STREAM : 0;
      side.pass(printFrame(at === 0 ? h2.HEADERS : h2.CONTINUATION, first | last, there, piece));
    });
  }

  /** The call is answered by us. */
  private end(stream: number, fields: RawHeaders): void {
    const block = printFieldBlock(fields);
    if (block.length > MAX_FRAME_BYTES) throw new Http2Fault('an answer of ours is too long');
    this.over.add(stream);
    this.server.insert(printFrame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, block));
  }

  /** An answer that was watched goes no further: what was held takes no room. */
  private forget(stream: number): void {
    const watched = this.watched.get(stream);
    if (watched === undefined) return;
    this.watched.delete(stream);
    this.over.add(stream);
    this.asker.refund(watched.heldBytes);
  }

  /** The call that is answered on a stream of who serves. */
  private askedOn(there: number): number {
    const stream = this.toAsker(there);
    if (there % 2 === 0 || stream > this.lastAsked) throw new Http2Fault('an answer to what was not asked');
    return stream;
  }

  /** Streams are named as who serves names them. */
  private fromServer(side: Side): ConstructorParameters<typeof FrameWalker>[0] {
    return {
      pass: (bytes) => side.pass(bytes),
      destinationOf: ({ type, flags, stream }) => {
        switch (type) {
          case h2.HEADERS:
          case h2.CONTINUATION:
          case h2.PRIORITY:
          case h2.GOAWAY:
            return null;
          case h2.PUSH_PROMISE:
            throw new Http2Fault('nothing is pushed here');
          case h2.SETTINGS:
            return (flags & h2.ACK) === 0 ? null : 0;
          default: {
            if (stream === 0) return type === h2.WINDOW_UPDATE ? null : 0;
            if (this.own.includes(stream)) return null;
            const asked = this.askedOn(stream);
            return this.over.has(asked) || (type === h2.DATA && this.watched.has(asked)) ? null : asked;
          }
        }
      },
      take: (frame, payload) => {
        if (this.own.includes(frame.stream)) return this.takeAnswer(frame, payload);
        const stream = frame.stream === 0 ? 0 : this.toAsker(frame.stream);
        const isOver = this.over.has(stream);
        switch (frame.type) {
          case h2.HEADERS:
          case h2.CONTINUATION:
            side.inBlock = (frame.flags & h2.END_HEADERS) === 0;
            if (!isOver) side.pass(printFrame(frame.type, frame.flags, this.askedOn(frame.stream), payload));
            return;
          case h2.SETTINGS:
            this.streamWindow = windowIn(payload) ?? this.streamWindow;
            return side.pass(withoutTable(payload));
          case h2.GOAWAY:
            return side.pass(printFrame(h2.GOAWAY, 0, 0, this.goodbye(payload)));
          case h2.WINDOW_UPDATE:
            if (stream === 0) this.widen(side, payload);
            return;
          case h2.DATA:
            return isOver ? this.asker.refund(frame.length) : this.watch(side, stream, frame, payload);
          default:
            return;
        }
      },
    };
  }

  /** A part of the room is kept for us. */
  private widen(side: Side, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Fault('a window of no size');
    const room = payload.readUInt32BE() & 0x7fff_ffff;
    const kept = Math.min(room, RESERVE_BYTES - this.reserve);
    this.reserve += kept;
    if (room > kept) side.pass(printFrame(h2.WINDOW_UPDATE, 0, 0, printNumber(room - kept)));
  }

  private goodbye(payload: Buffer): Buffer {
    if (payload.length < 8) throw new Http2Fault('a goodbye that breaks off');
    this.closing = true;
    const last = payload.readUInt32BE() & 0x7fff_ffff;
    for (const [stream, call] of [...this.calls]) if (stream > last) call.settle(null);
    const told = Buffer.from(payload);
    // The largest number stands for all that are to come.
    if (last < 0x7fff_fffe) told.writeUInt32BE(Math.max(this.toAsker(last), 0));
    return told;
  }

  private watch(side: Side, stream: number, frame: FrameHead, payload: Buffer): void {
    if ((frame.flags & h2.PADDED) !== 0) throw new Http2Fault('padding is not read');
    const watched = this.watched.get(stream) as Watched;
    const verdict = watched.watch(payload);
    watched.heldBytes += payload.length;
    if (typeof verdict === 'object') {
      this.watched.delete(stream);
      this.asker.insert(printFrame(h2.RST_STREAM, 0, frame.stream, printNumber(CANCEL)));
      this.asker.refund(watched.heldBytes);
      this.end(stream, verdict.endedBy);
      return;
    }
    watched.held.push(printFrame(h2.DATA, frame.flags, stream, payload));
    if (watched.heldBytes > MAX_HELD_BYTES || watched.held.length > MAX_HELD_FRAMES)
      throw new Http2Fault('an answer of which too much is held');
    if (verdict === 'hold') return;
    for (const one of watched.held) side.pass(one);
    watched.held = [];
    watched.heldBytes = 0;
  }

  private takeAnswer(frame: FrameHead, payload: Buffer): void {
    // The other side, which would say that there is room again, never hears of it.
    if (frame.type === h2.DATA) this.asker.refund(frame.length);
    const call = this.calls.get(frame.stream);
    if (call === undefined) return;
    if (frame.type === h2.RST_STREAM) call.settle(null);
    if (frame.type === h2.DATA) {
      call.pieces.push(payload);
      call.length += payload.length;
      if ((frame.flags & h2.PADDED) !== 0 || call.length > MAX_ANSWER_BYTES) this.giveUp(frame.stream);
    }
    const mayEnd = frame.type === h2.DATA || frame.type === h2.HEADERS;
    if (mayEnd && (frame.flags & h2.END_STREAM) !== 0) call.settle(Buffer.concat(call.pieces));
  }
}

/** SETTINGS with one more at their end, where the last word counts. */
function withoutTable(settings: Buffer): Buffer {
  return printFrame(h2.SETTINGS, 0, 0, Buffer.concat([settings, NO_TABLE]));
}

/** How much may be said on a new stream; null where these settings do not tell. */
function windowIn(settings: Buffer): number | null {
  let window: number | null = null;
  for (let at = 0; at + 6 <= settings.length; at += 6) {
    if (settings.readUInt16BE(at) === INITIAL_WINDOW_SIZE) window = settings.readUInt32BE(at + 2);
  }
  return window;
}
