/**
 * Joins two connections of HTTP/2 frame by frame: who asks on one side is served by who serves on the other, with the windows
 * that they give each other, so that what is large passes as bytes. In between calls can be refused, answers be watched and
 * ended, and calls of our own be made.
 *
 * Both sides are told that the other one keeps no table of header fields, so that blocks can be left out and put in, and takes
 * no larger frames than everybody does, so that each can be read as a whole.
 */

import type { RawHeaders } from '../message.ts';
import { type FieldBlock, FieldBlocks } from './field-block.ts';
import * as h2 from './frames.ts';
import { type FrameHead, FrameWalker, Http2Fault, printFrame, printHeaders, printNumber } from './frames.ts';
import { printFieldBlock, readFieldBlock } from './hpack.ts';
import { Side, type SpliceEnd } from './side.ts';

/** What we may say to who serves at once: kept back of what it lets the other side say. */
const RESERVE_BYTES = 16 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
/** What is held of one answer: many times what clients say at once. */
const MAX_HELD_BYTES = 1024 * 1024;
const MAX_HELD_FRAMES = 1024;
const USUAL_WINDOW_BYTES = 65_535;
const MAX_STREAM = 0x7fff_ffff;
const CANCEL = 8;

/**
 * Sees the answer to one call, a frame's payload at a time: it passes with all that was held before, is held until more of it
 * is there or it ends, or the answer ends with these fields instead.
 */
export type Watch = (payload: Buffer) => 'pass' | 'hold' | { readonly endedBy: RawHeaders };

export type Verdict = 'pass' | { readonly refusedBy: RawHeaders } | { readonly watch: Watch };

interface Opened {
  readonly channel: SpliceEnd;
  /** What was read from it already. */
  readonly bytes: Buffer;
}

/** A call that passes, until both sides have said the end of it, or one has given it up. */
interface Passing {
  /** The stream, as who asks names it. */
  readonly asked: number;
  /** The same, as who serves names it. */
  readonly served: number;
  readonly watch: Watch | null;
  held: Buffer[];
  heldBytes: number;
  isAskedWhole: boolean;
  isAnsweredWhole: boolean;
}

interface OwnCall {
  readonly pieces: Buffer[];
  length: number;
  settle(answer: Buffer | null): void;
}

/** What comes on streams that are none of those below goes nowhere: they are over, or were never passed on. */
export class Http2Splice {
  /** Resolves with what could not be read; null where somebody has just closed a connection. */
  readonly ended: Promise<unknown>;
  private readonly asker: Side;
  private readonly server: Side;
  private readonly judge: (fields: RawHeaders) => Verdict;
  private readonly byAsked = new Map<number, Passing>();
  private readonly byServed = new Map<number, Passing>();
  /** Calls of ours, by their streams as who serves names them. */
  private readonly own = new Map<number, OwnCall>();
  private lastAsked = -1;
  private lastServed = -1;
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
      for (const call of this.own.values()) call.settle(null);
      return this.asker.fault ?? this.server.fault;
    });
    this.asker.begin(asker.bytes);
    this.server.begin(server.bytes);
  }

  /** Asks who serves. Null where it says that it is no more there, does not answer in time, or gives us no room to ask. */
  ask(fields: RawHeaders, body: Buffer, timeoutMs: number): Promise<Buffer | null> {
    if (!this.greeted || this.closing || body.length > Math.min(this.reserve, this.streamWindow))
      return Promise.resolve(null);
    this.reserve -= body.length;
    const stream = this.nextServed();
    const head = printHeaders(stream, false, printFieldBlock(fields));
    this.asker.insert(Buffer.concat([head, printFrame(h2.DATA, h2.END_STREAM, stream, body)]));
    return new Promise((resolve) => {
      const settle = (answer: Buffer | null): void => {
        clearTimeout(timer);
        if (this.own.delete(stream)) resolve(answer);
      };
      const timer = setTimeout(() => this.giveUp(stream), timeoutMs);
      this.own.set(stream, { pieces: [], length: 0, settle });
    });
  }

  private giveUp(served: number): void {
    this.asker.insert(printFrame(h2.RST_STREAM, 0, served, printNumber(CANCEL)));
    this.own.get(served)?.settle(null);
  }

  /** Calls of ours lie between those that pass. */
  private nextServed(): number {
    this.lastServed += 2;
    return this.lastServed;
  }

  private fromAsker(side: Side): ConstructorParameters<typeof FrameWalker>[0] {
    const blocks = new FieldBlocks();
    return {
      pass: (bytes) => side.pass(bytes),
      destinationOf: (frame) => {
        blocks.begins(frame);
        if (isRead(frame)) return null;
        if (frame.stream === 0) return 0;
        const call = this.byAsked.get(frame.stream);
        if (call === undefined) return null;
        if (endsStream(frame)) this.askedWhole(call);
        return call.served;
      },
      take: (frame, payload) => {
        const call = this.byAsked.get(frame.stream);
        switch (frame.type) {
          case h2.HEADERS:
          case h2.CONTINUATION: {
            const block = blocks.add(frame, payload);
            if (block !== null) this.takeCall(side, block);
            return;
          }
          case h2.SETTINGS:
            this.greeted = true;
            return side.pass(asWeTake(payload));
          case h2.DATA:
            return this.server.refund(frame.length);
          case h2.RST_STREAM:
            if (call === undefined) return;
            side.pass(printFrame(h2.RST_STREAM, 0, call.served, payload));
            return this.giveUpPassing(call);
          default:
            // What else there is to say of a call that is over, and priorities, which bind nobody.
            return;
        }
      },
    };
  }

  private takeCall(side: Side, { stream, ends, fields }: FieldBlock): void {
    let call = this.byAsked.get(stream);
    if (stream > this.lastAsked) {
      this.lastAsked = stream;
      const verdict = this.judge(readFieldBlock(fields));
      if (verdict !== 'pass' && 'refusedBy' in verdict) {
        this.answer(stream, verdict.refusedBy);
        return;
      }
      call = this.begin(stream, verdict === 'pass' ? null : verdict.watch);
    }
    if (call === undefined) return;
    // A call of ours that waits has a lower number.
    side.between();
    side.pass(printHeaders(call.served, ends, fields));
    if (ends) this.askedWhole(call);
  }

  private begin(asked: number, watch: Watch | null): Passing {
    const served = this.nextServed();
    const call = { asked, served, watch, held: [], heldBytes: 0, isAskedWhole: false, isAnsweredWhole: false };
    this.byAsked.set(asked, call);
    this.byServed.set(served, call);
    return call;
  }

  private askedWhole(call: Passing): void {
    call.isAskedWhole = true;
    if (call.isAnsweredWhole) this.forget(call);
  }

  private answeredWhole(call: Passing): void {
    call.isAnsweredWhole = true;
    if (call.isAskedWhole) this.forget(call);
  }

  private forget(call: Passing): void {
    this.byAsked.delete(call.asked);
    this.byServed.delete(call.served);
  }

  /** Nothing more of it passes: what was held takes no room. */
  private giveUpPassing(call: Passing): void {
    this.forget(call);
    this.asker.refund(call.heldBytes);
  }

  /** The call is answered by us, or the rest of it. */
  private answer(asked: number, fields: RawHeaders): void {
    this.server.insert(printHeaders(asked, true, printFieldBlock(fields)));
  }

  private fromServer(side: Side): ConstructorParameters<typeof FrameWalker>[0] {
    const blocks = new FieldBlocks();
    return {
      pass: (bytes) => side.pass(bytes),
      destinationOf: (frame) => {
        const { type, stream } = frame;
        blocks.begins(frame);
        if (type === h2.PUSH_PROMISE) throw new Http2Fault('nothing is pushed here');
        if (stream > 0 && (stream % 2 === 0 || stream > this.lastServed))
          throw new Http2Fault('an answer to what was not asked');
        if (isRead(frame) || type === h2.GOAWAY) return null;
        if (stream === 0) {
          if (type === h2.DATA) throw new Http2Fault('an answer to nothing');
          return type === h2.WINDOW_UPDATE ? null : 0;
        }
        const call = this.byServed.get(stream);
        if (call === undefined || (type === h2.DATA && call.watch !== null)) return null;
        if (endsStream(frame)) this.answeredWhole(call);
        return call.asked;
      },
      take: (frame, payload) => {
        switch (frame.type) {
          case h2.HEADERS:
          case h2.CONTINUATION: {
            const block = blocks.add(frame, payload);
            if (block !== null) this.takeAnswer(side, block);
            return;
          }
          case h2.SETTINGS:
            this.streamWindow = h2.settingIn(payload, h2.INITIAL_WINDOW_SIZE) ?? this.streamWindow;
            return side.pass(asWeTake(payload));
          case h2.GOAWAY:
            return side.pass(printFrame(h2.GOAWAY, 0, 0, this.goodbye(payload)));
          case h2.WINDOW_UPDATE:
            if (frame.stream === 0) this.widen(side, payload);
            return;
          case h2.DATA:
            return this.takeData(side, frame, payload);
          case h2.RST_STREAM:
            return this.takeReset(side, frame.stream, payload);
          default:
            return;
        }
      },
    };
  }

  private takeAnswer(side: Side, { stream, ends, fields }: FieldBlock): void {
    const own = this.own.get(stream);
    if (own !== undefined && ends) own.settle(Buffer.concat(own.pieces));
    const call = this.byServed.get(stream);
    if (call === undefined) return;
    this.release(side, call);
    side.pass(printHeaders(call.asked, ends, fields));
    if (ends) this.answeredWhole(call);
  }

  private takeReset(side: Side, served: number, payload: Buffer): void {
    this.own.get(served)?.settle(null);
    const call = this.byServed.get(served);
    if (call === undefined) return;
    side.pass(printFrame(h2.RST_STREAM, 0, call.asked, payload));
    this.giveUpPassing(call);
  }

  private takeData(side: Side, frame: FrameHead, payload: Buffer): void {
    const call = this.byServed.get(frame.stream);
    if (call !== undefined && call.watch !== null) {
      this.watch(side, call, call.watch, frame, payload);
      return;
    }
    // The other side, which would say that there is room again, never hears of it.
    this.asker.refund(frame.length);
    const own = this.own.get(frame.stream);
    if (own === undefined) return;
    if (payload.length > 0) own.pieces.push(payload);
    own.length += payload.length;
    if ((frame.flags & h2.PADDED) !== 0 || own.length > MAX_ANSWER_BYTES) this.giveUp(frame.stream);
    else if (endsStream(frame)) own.settle(Buffer.concat(own.pieces));
  }

  private watch(side: Side, call: Passing, watch: Watch, frame: FrameHead, payload: Buffer): void {
    if ((frame.flags & h2.PADDED) !== 0) throw new Http2Fault('padding is not read');
    const verdict = watch(payload);
    call.heldBytes += payload.length;
    if (typeof verdict === 'object') {
      this.asker.insert(printFrame(h2.RST_STREAM, 0, call.served, printNumber(CANCEL)));
      this.giveUpPassing(call);
      this.answer(call.asked, verdict.endedBy);
      return;
    }
    call.held.push(printFrame(h2.DATA, frame.flags, call.asked, payload));
    if (call.heldBytes > MAX_HELD_BYTES || call.held.length > MAX_HELD_FRAMES)
      throw new Http2Fault('an answer of which too much is held');
    if (verdict === 'pass' || endsStream(frame)) this.release(side, call);
    if (endsStream(frame)) this.answeredWhole(call);
  }

  private release(side: Side, call: Passing): void {
    for (const one of call.held) side.pass(one);
    call.held = [];
    call.heldBytes = 0;
  }

  /** A part of the room is kept for us. */
  private widen(side: Side, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Fault('a window of no size');
    const room = payload.readUInt32BE() & MAX_STREAM;
    const kept = Math.min(room, RESERVE_BYTES - this.reserve);
    this.reserve += kept;
    if (room > kept) side.pass(printFrame(h2.WINDOW_UPDATE, 0, 0, printNumber(room - kept)));
  }

  /** The last of the calls that are served, as each side names it. */
  private goodbye(payload: Buffer): Buffer {
    if (payload.length < 8) throw new Http2Fault('a goodbye that breaks off');
    this.closing = true;
    const last = payload.readUInt32BE() & MAX_STREAM;
    for (const [stream, call] of [...this.own]) if (stream > last) call.settle(null);
    const told = Buffer.from(payload);
    // The largest number stands for all that are to come.
    if (last < MAX_STREAM - 1) told.writeUInt32BE(this.lastServedUpTo(last));
    return told;
  }

  private lastServedUpTo(served: number): number {
    if (served >= this.lastServed) return Math.max(this.lastAsked, 0);
    return Math.max(0, ...[...this.byServed.values()].filter((one) => one.served <= served).map(({ asked }) => asked));
  }
}

/** What does not pass as it came, whosever it is. */
function isRead({ type, flags }: FrameHead): boolean {
  switch (type) {
    case h2.HEADERS:
    case h2.CONTINUATION:
    case h2.PRIORITY:
    case h2.RST_STREAM:
      return true;
    case h2.SETTINGS:
      return (flags & h2.ACK) === 0;
    default:
      return false;
  }
}

function endsStream({ type, flags }: FrameHead): boolean {
  return type === h2.DATA && (flags & h2.END_STREAM) !== 0;
}

/** The settings of one side, as both can be kept to. */
function asWeTake(settings: Buffer): Buffer {
  const tableless = h2.withSetting(settings, h2.HEADER_TABLE_SIZE, 0);
  return printFrame(h2.SETTINGS, 0, 0, h2.withSetting(tableless, h2.MAX_FRAME_SIZE, h2.MAX_FRAME_BYTES));
}
