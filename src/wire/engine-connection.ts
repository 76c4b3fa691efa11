/** One connection to an engine: prints a request, reads its answer, and is kept only when both ended as they should. */

import type net from 'node:net';
import { readAnswerHead } from './answer-head.ts';
import { writeTogether } from './body-writer.ts';
import { Channel, type ChannelUser, type DialOptions } from './channel.ts';
import { ChunkDecoder } from './chunked.ts';
import type { Carrier, EngineCall } from './engine-call.ts';
import type { KnownHeads } from './known-heads.ts';
import type { AnswerHead, Framing, RawHeaders } from './message.ts';
import type { OutboundLimits, OutboundRequest } from './outbound-call.ts';
import { OutboundFault } from './outbound-fault.ts';
import { printFields, printFraming, printRequestLine, printUpgrade } from './print-head.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { WireFault } from './wire-fault.ts';

/** The pool, as a connection sees it. */
export interface ConnectionKeeper {
  readonly limits: OutboundLimits;
  readonly buffers: ReadBuffers;
  readonly heads: KnownHeads<AnswerHead>;
  release(connection: EngineConnection, usable: boolean): boolean;
  repeat(call: EngineCall): void;
  drop(connection: EngineConnection): void;
}

type State = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'tunnel' | 'over';

const NOTHING = Buffer.alloc(0);
const NO_TRAILERS: RawHeaders = [];
/** How long an engine that takes no more of an upload may still say why. */
const LAST_WORDS_MS = 2000;

export class EngineConnection implements ChannelUser, Carrier {
  readonly channel: Channel;
  readonly #keeper: ConnectionKeeper;
  #state: State = 'idle';
  #call: EngineCall | null = null;
  #calls = 0;
  #connected = false;
  #connectTimer: NodeJS.Timeout | null = null;
  #headTimer: NodeJS.Timeout | null = null;
  #headTimeoutMs = 0;
  #idleTimer: NodeJS.Timeout | null = null;
  /** The beginning of a head that has not arrived whole. */
  #partial: Buffer = NOTHING;
  #heard = false;
  #left = 0;
  #decoder: ChunkDecoder | null = null;
  #keepAlive = true;

  constructor(dial: (options: DialOptions) => net.Socket, keeper: ConnectionKeeper) {
    this.#keeper = keeper;
    this.channel = Channel.dial(dial, this, keeper.buffers);
    const { socket } = this.channel;
    const { connectTimeoutMs } = keeper.limits;
    this.#connectTimer = setTimeout(() => {
      this.#fail(new OutboundFault('timeout', `no connection to the engine within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      this.#connected = true;
      this.#clearConnectTimer();
      this.#armHeadTimer();
    });
  }

  begin(call: EngineCall): void {
    const { request } = call;
    const before = printRequest(call);
    this.#state = 'head';
    this.#heard = false;
    this.#calls++;
    this.#call = call;
    call.carryOn(this);
    if (call.body !== null) this.channel.onWriteFailed = () => this.#awaitLastWords();
    if (Buffer.isBuffer(request.body) && request.body.length > 0) writeTogether(this.channel, before, request.body, '');
    else this.channel.write(before);
    if (this.#connected && request.headTimeoutMs !== undefined) this.#armHeadTimer();
  }

  abort(call: EngineCall): void {
    if (call === this.#call) this.#let(false);
  }

  uploaded(call: EngineCall): void {
    if (call === this.#call) this.channel.onWriteFailed = null;
  }

  destroy(): void {
    this.#clearConnectTimer();
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    if (this.#headTimer !== null) clearTimeout(this.#headTimer);
    this.channel.onWriteFailed = null;
    this.#state = 'over';
    this.channel.destroy();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#heard = true;
    try {
      switch (this.#state) {
        case 'head':
          this.#takeHead(buffer, start, end);
          break;
        case 'length':
          this.#takeLength(buffer, start, end);
          break;
        case 'chunked':
          this.#takeChunks(buffer, start, end);
          break;
        case 'close':
          this.#give(buffer.subarray(start, end), false);
          break;
        case 'idle':
          // Nobody asked: whatever this is, the next answer could not be told from it.
          this.#keeper.drop(this);
          this.destroy();
          break;
      }
    } catch (fault) {
      if (!(fault instanceof WireFault)) throw fault;
      this.#fail(new OutboundFault('garbage', fault.message, fault));
    }
  }

  onEof(): void {
    const call = this.#call;
    if (call === null) {
      this.#keeper.drop(this);
      this.destroy();
    } else if (this.#state === 'close') {
      this.#let(false);
      call.done = true;
      call.body?.stop();
      call.events.onEnd(NO_TRAILERS);
    } else if (this.#heard) this.#fail(new OutboundFault('short', 'the engine ended its answer early'));
    else this.#fail(new OutboundFault('reset', 'the engine closed the connection without an answer'));
  }

  onFlushed(): void {
    this.#call?.body?.flushed();
  }

  onClosed(error: Error | null): void {
    this.#clearConnectTimer();
    if (this.#call === null) {
      if (this.#state === 'idle') this.#keeper.drop(this);
      this.destroy();
      return;
    }
    const why = error?.message ?? 'closed';
    if (this.#connected) this.#fail(new OutboundFault('reset', `the connection to the engine broke: ${why}`, error));
    else this.#fail(new OutboundFault('refused', `no connection to the engine: ${why}`, error));
  }

  #takeHead(buffer: Buffer, start: number, end: number): void {
    let at = start;
    let scanned = start;
    if (this.#partial.length > 0) {
      scanned = this.#partial.length;
      buffer = Buffer.concat([this.#partial, buffer.subarray(start, end)]);
      at = 0;
      end = buffer.length;
      this.#partial = NOTHING;
    }
    const { limits, heads } = this.#keeper;
    while (this.#state === 'head' && this.#call !== null) {
      const call = this.#call;
      const read = readAnswerHead(buffer, at, end, limits, call.request.method, scanned, heads);
      if (read === null) {
        this.#partial = Buffer.from(buffer.subarray(at, end));
        return;
      }
      at += read.bytes;
      scanned = at;
      const { head } = read;
      if (head.status >= 200) {
        this.#beginAnswer(call, head, buffer, at, end);
        return;
      }
      if (head.status === 101) {
        if (call.request.upgrade === null)
          throw new WireFault(502, 'unasked-upgrade', 'the engine changed the protocol unasked');
        this.#becomeTunnel(call, head, buffer, at, end);
        return;
      }
      if (head.status !== 100) call.events.onInform?.(head);
      if (at === end) return;
    }
  }

  #beginAnswer(call: EngineCall, head: AnswerHead, buffer: Buffer, at: number, end: number): void {
    this.#keepAlive = head.keepAlive;
    const { framing } = head;
    switch (framing.kind) {
      case 'none':
        this.#completeAtOnce(call, head, null, at === end);
        return;
      case 'length': {
        const stop = at + framing.bytes;
        if (stop <= end) {
          this.#completeAtOnce(call, head, buffer.subarray(at, stop), stop === end);
          return;
        }
        this.#state = 'length';
        this.#left = stop - end;
        break;
      }
      case 'chunked': {
        const decoder = new ChunkDecoder(this.#keeper.limits);
        decoder.decode(buffer, at, end);
        const bytes = decoder.to > decoder.from ? buffer.subarray(decoder.from, decoder.to) : null;
        if (decoder.done && decoder.trailers.length === 0) {
          this.#completeAtOnce(call, head, bytes, decoder.next === end);
          return;
        }
        this.#state = 'chunked';
        this.#decoder = decoder;
        this.#tellHead(call, head, bytes);
        if (decoder.done && this.#call === call) this.#endAnswer(decoder.next === end, decoder.trailers);
        return;
      }
      case 'close':
        if (head.status === 200 && (call.request.hijack === true || call.request.upgrade !== null)) {
          this.#becomeTunnel(call, head, buffer, at, end);
          return;
        }
        this.#state = 'close';
    }
    this.#tellHead(call, head, at < end ? buffer.subarray(at, end) : null);
  }

  #tellHead(call: EngineCall, head: AnswerHead, bytes: Buffer | null): void {
    if (!call.events.onHead(head, bytes, false) && this.#call === call) this.channel.pause();
  }

  /** The usual small answer: the connection is free again before the answer is told. */
  #completeAtOnce(call: EngineCall, head: AnswerHead, bytes: Buffer | null, clean: boolean): void {
    this.#let(clean && this.#keepAlive && call.uploaded);
    call.done = true;
    call.body?.stop();
    if (!call.events.onHead(head, bytes, true)) this.channel.surrenderBuffer();
  }

  #takeLength(buffer: Buffer, start: number, end: number): void {
    const stop = start + this.#left;
    if (stop > end) {
      this.#left = stop - end;
      this.#give(buffer.subarray(start, end), false);
      return;
    }
    const call = this.#call;
    this.#give(buffer.subarray(start, stop), true);
    if (this.#call === call) this.#endAnswer(stop === end, NO_TRAILERS);
  }

  #takeChunks(buffer: Buffer, start: number, end: number): void {
    const decoder = this.#decoder as ChunkDecoder;
    const call = this.#call;
    decoder.decode(buffer, start, end);
    const { done, trailers } = decoder;
    if (decoder.to > decoder.from) this.#give(buffer.subarray(decoder.from, decoder.to), done && trailers.length === 0);
    if (done && this.#call === call) this.#endAnswer(decoder.next === end, trailers);
  }

  #give(chunk: Buffer, last: boolean): void {
    const call = this.#call as EngineCall;
    if (call.events.onData(chunk, last)) return;
    if (last) this.channel.surrenderBuffer();
    else if (this.#call === call) this.channel.pause();
  }

  #endAnswer(clean: boolean, trailers: RawHeaders): void {
    const call = this.#call as EngineCall;
    this.#let(clean && this.#keepAlive && call.uploaded);
    call.done = true;
    call.body?.stop();
    call.events.onEnd(trailers);
  }

  #becomeTunnel(call: EngineCall, head: AnswerHead, buffer: Buffer, at: number, end: number): void {
    if (!call.uploaded)
      throw new WireFault(502, 'early-upgrade', 'the engine changed the protocol before the request was through');
    this.#call = null;
    this.#state = 'tunnel';
    this.#clearTimers();
    call.done = true;
    this.#keeper.release(this, false);
    this.channel.pause();
    call.events.onUpgrade(head, {
      channel: this.channel,
      bytes: at < end ? Buffer.from(buffer.subarray(at, end)) : NOTHING,
    });
  }

  /** The call has ended: the connection goes back, or is closed. */
  #let(usable: boolean): void {
    this.#call = null;
    this.#decoder = null;
    this.channel.onWriteFailed = null;
    this.#state = 'idle';
    // Unsent bytes of an upload that was answered early are somebody's read buffer, and the engine may never take them.
    if (!this.#keeper.release(this, usable && !this.channel.ended && this.channel.flushed)) {
      this.destroy();
      return;
    }
    if (this.channel.paused) this.channel.resume();
    this.#rest();
  }

  #rest(): void {
    const { idleTimeoutMs } = this.#keeper.limits;
    if (idleTimeoutMs === undefined) return;
    // Refreshed and never cleared: on a busy connection it fires seldom, and finds a call or a later rest.
    if (this.#idleTimer !== null) this.#idleTimer.refresh();
    else {
      this.#idleTimer = setTimeout(() => {
        if (this.#state !== 'idle') return;
        this.#keeper.drop(this);
        this.destroy();
      }, idleTimeoutMs);
      this.#idleTimer.unref();
    }
  }

  #armHeadTimer(): void {
    const call = this.#call;
    const ms = call?.request.headTimeoutMs;
    if (ms === undefined) return;
    if (this.#headTimer !== null && this.#headTimeoutMs === ms) {
      this.#headTimer.refresh();
      return;
    }
    if (this.#headTimer !== null) clearTimeout(this.#headTimer);
    this.#headTimeoutMs = ms;
    this.#headTimer = setTimeout(() => {
      // The timer is refreshed by every call that has a deadline, and left alone by the others.
      if (this.#state !== 'head' || this.#call?.request.headTimeoutMs === undefined) return;
      this.#fail(new OutboundFault('timeout', `no answer from the engine within ${this.#headTimeoutMs} ms`));
    }, ms);
  }

  #awaitLastWords(): void {
    this.#call?.body?.stop();
    setTimeout(() => this.channel.destroy(), LAST_WORDS_MS).unref();
  }

  #fail(fault: OutboundFault): void {
    const call = this.#call;
    if (call === null) {
      this.destroy();
      return;
    }
    const stale = fault.kind === 'reset' && !this.#heard && this.#calls > 1;
    this.#let(false);
    if (stale && call.repeatable) {
      call.repeated = true;
      this.#keeper.repeat(call);
    } else call.fail(fault);
  }

  #clearTimers(): void {
    this.#clearConnectTimer();
    if (this.#headTimer !== null) clearTimeout(this.#headTimer);
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
  }

  #clearConnectTimer(): void {
    if (this.#connectTimer === null) return;
    clearTimeout(this.#connectTimer);
    this.#connectTimer = null;
  }
}

function printRequest(call: EngineCall): string {
  const { request } = call;
  if (request.kept?.of === request) return request.kept.made;
  const { method, target, headers, upgrade } = request;
  const line = `${printRequestLine(method, target)}${printFields(headers)}`;
  const text = `${line}${printBodyFraming(request, call)}${upgrade === null ? '' : printUpgrade(upgrade)}\r\n`;
  request.kept = { of: request, made: text };
  return text;
}

function printBodyFraming({ method, body }: OutboundRequest, call: EngineCall): string {
  if (call.body !== null) return printFraming(call.body.framing);
  if (Buffer.isBuffer(body)) return printFraming({ kind: 'length', bytes: body.length } satisfies Framing);
  // RFC 9110 §8.6: methods that usually have a body say that this one has none.
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'Content-Length: 0\r\n' : '';
}
