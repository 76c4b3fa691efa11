/** One connection of a client: requests in, one at a time and in order, answers out. */
import type net from 'node:net';
import { Channel, type ChannelUser } from './channel.ts';
import { type ClientConnection, Exchange, UNREAD_HEAD } from './exchange.ts';
import type { InboundLimits, RenderedFault } from './inbound-limits.ts';
import { DRAINED_BYTES, HALF_CLOSE_GRACE_MS, LINGER_MS, UNTAKEN_BYTES, WAITING_BYTES } from './inbound-limits.ts';
import type { KnownHeads } from './known-heads.ts';
import type { BodySink, RequestHead } from './message.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { BodyCollector, BodyDrain, bodyTooLarge, RequestBody } from './request-body.ts';
import { readRequestHead } from './request-head.ts';
import type { TunnelEnd } from './tunnel.ts';
import { UnreadBytes } from './unread-bytes.ts';
import { WireFault } from './wire-fault.ts';

export type { AnswerSink, Exchange } from './exchange.ts';
export type { InboundLimits, RenderedFault } from './inbound-limits.ts';

export interface InboundOptions {
  readonly limits: InboundLimits;
  readonly buffers: ReadBuffers;
  /** What connections with the same limits have read already. */
  readonly heads?: KnownHeads<RequestHead>;
  readonly handler: (exchange: Exchange) => void;
  /** What a client is answered whose message cannot be read; `head` where it was read before its body broke. */
  readonly renderFault: (fault: WireFault, head: RequestHead | null) => RenderedFault;
  /** The socket is closed, also after it became a tunnel. */
  readonly onClosed?: (connection: InboundConnection) => void;
}

const NOTHING = Buffer.alloc(0);
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

export class InboundConnection implements ClientConnection, ChannelUser {
  readonly channel: Channel;
  context: unknown = null;

  readonly #options: InboundOptions;
  readonly #unread = new UnreadBytes();
  #advancing = false;
  #exchange: Exchange | null = null;
  #body: RequestBody | null = null;
  #onBodyFault: ((fault: WireFault) => void) | null = null;
  #continued = false;
  #sinkHolds = false;
  #closing = false;
  #takenOver = false;
  #timer: NodeJS.Timeout | null = null;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(socket: net.Socket, options: InboundOptions) {
    this.#options = options;
    this.channel = Channel.accept(socket, this, options.buffers);
    const { stalledTimeoutMs } = options.limits;
    if (stalledTimeoutMs !== undefined) this.socket.setTimeout(stalledTimeoutMs, () => this.channel.reset());
    if (options.onClosed !== undefined) this.channel.onGone = () => options.onClosed?.(this);
    this.#restIdle();
  }

  get socket(): net.Socket {
    return this.channel.socket;
  }

  /** True between requests: nothing has come of the next one. */
  get idle(): boolean {
    return this.#exchange === null && this.#unread.length === 0 && !this.#closing && !this.#takenOver;
  }

  /** For a server that ends: an idle connection closes at once, another one after its answer, a tunnel by itself. */
  drain(): void {
    if (this.idle || this.#isBehind) this.#close();
    else this.#closing = true;
  }

  /** Between requests: the client asks, and does not take what it has asked for. */
  get #isBehind(): boolean {
    return this.#exchange === null && !this.#takenOver && this.socket.writableLength > UNTAKEN_BYTES;
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#closing && this.#exchange === null) return;
    this.#unread.add(buffer, start, end);
    this.#advance();
    this.#unread.keep();
  }

  onEof(): void {
    const exchange = this.#exchange;
    if (exchange === null) {
      if (this.#isBehind && this.#unread.length > 0) return;
      this.#clearTimer();
      this.channel.end();
      return;
    }
    if (exchange.answered) {
      // What it still owed was of a body that nobody wants.
      this.#exchange = null;
      this.#dropBody();
      this.#close();
      return;
    }
    this.#breakShortBody();
    this.#awaitGone(exchange);
  }

  onFlushed(): void {
    if (this.#exchange !== null) this.#exchange.sink?.flushed();
    else if (this.#unread.length > 0) this.#advance();
  }

  onClosed(): void {
    this.#clearTimer();
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#exchange = null;
    exchange.lose();
    this.#breakBody(new WireFault(400, 'short-body', 'the client went away in the middle of the body'));
  }

  takeBody(exchange: Exchange): Buffer | null {
    const body = this.#body;
    if (exchange !== this.#exchange || body === null) return NOTHING;
    if (body.sink !== null || body.left < 0 || this.#unread.length < body.left) return null;
    let whole: Buffer = NOTHING;
    body.sink = new BodyCollector(body.left, (read) => {
      if (read instanceof Buffer) whole = read;
    });
    this.#unread.at = body.take(this.#unread.buffer, this.#unread.at, this.#unread.end).at;
    return whole;
  }

  readBody(exchange: Exchange, limitBytes: number): Promise<Buffer> {
    const body = this.#body;
    if (exchange !== this.#exchange || body === null) return Promise.resolve(NOTHING);
    if (body.sink !== null) return Promise.reject(new Error('a body is read once'));
    if (body.left > limitBytes) return Promise.reject(bodyTooLarge(limitBytes));
    const whole = this.takeBody(exchange);
    if (whole !== null) return Promise.resolve(whole);
    return new Promise((resolve, reject) => {
      const { bodyTimeoutMs } = this.#options.limits;
      const timer = setTimeout(() => {
        collector.abort(new WireFault(408, 'slow-body', `the body did not arrive within ${bodyTimeoutMs} ms`));
        this.#closing = true;
      }, bodyTimeoutMs);
      const collector = new BodyCollector(limitBytes, (read) => {
        clearTimeout(timer);
        if (read instanceof Buffer) resolve(read);
        else reject(read);
      });
      this.#give(body, collector);
    });
  }

  streamBody(exchange: Exchange, sink: BodySink, onFault: (fault: WireFault) => void): void {
    const body = this.#body;
    if (exchange !== this.#exchange || body === null) return void sink.end();
    if (body.sink !== null) throw new Error('a body is read once');
    this.#onBodyFault = onFault;
    this.channel.streams = true;
    this.#unread.keep();
    sink.onReady = () => {
      if (this.#body !== body || body.sink !== sink) return;
      this.#sinkHolds = false;
      this.#advance();
    };
    this.#give(body, sink);
  }

  refuse(exchange: Exchange, fault: WireFault): void {
    if (exchange.answered || exchange.gone) return;
    if (exchange.started) {
      exchange.abort();
      return;
    }
    const { body, ...start } = this.#options.renderFault(fault, exchange.head === UNREAD_HEAD ? null : exchange.head);
    exchange.answer(start, body);
  }

  staysOpenAfter(exchange: Exchange): boolean {
    if (this.#closing || !exchange.head.keepAlive || this.#sawLast()) return false;
    // What was typed ahead of an upgrade that did not happen would be read as requests (RED-TEAM 11).
    if (exchange.keepsHalfOpen || exchange.head.upgrade !== null) return false;
    const body = this.#body;
    if (body === null || body.done) return true;
    // RFC 9110 §10.1.1: whether a client that was never told to continue sends its body cannot be known.
    if (exchange.head.expectsContinue && !this.#continued) return false;
    // How much of a chunked one is still to come is not known: a client that is not told asks on, and finds it closed.
    return body.left >= 0 && body.left <= DRAINED_BYTES;
  }

  finish(exchange: Exchange, stayOpen: boolean): void {
    if (exchange !== this.#exchange) return;
    this.#clearTimer();
    const body = this.#body;
    if (!stayOpen || this.#closing || this.#sawLast()) {
      this.#exchange = null;
      this.#dropBody();
      this.#close();
      return;
    }
    if (body !== null && !body.done) {
      this.#sinkHolds = false;
      this.#onBodyFault = null;
      body.sink = new BodyDrain(DRAINED_BYTES);
      // Nobody waits for it: it must not hold the connection for longer than a body that is wanted.
      this.#timer = setTimeout(() => this.channel.destroy(), this.#options.limits.bodyTimeoutMs);
      this.#advance();
      return;
    }
    this.#next();
  }

  takeOver(exchange: Exchange): TunnelEnd {
    if (exchange !== this.#exchange) return { channel: this.channel, bytes: NOTHING };
    this.#clearTimer();
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    if (this.#options.limits.stalledTimeoutMs !== undefined) this.socket.setTimeout(0);
    const bytes = this.#unread.takeAll();
    this.#exchange = null;
    this.#body = null;
    this.#takenOver = true;
    this.channel.streams = true;
    // The bytes that follow are for whoever joins the tunnel; until then they stay in the socket.
    this.channel.pause();
    return { channel: this.channel, bytes };
  }

  /** Does all that can be done with the bytes in hand. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#step());
    } catch (fault) {
      if (!(fault instanceof WireFault)) throw fault;
      this.#refuse(fault);
    } finally {
      this.#advancing = false;
    }
    if (this.#takenOver) return;
    if (this.channel.ended) this.#breakShortBody();
    const isFull = this.#exchange === null ? this.#isBehind : this.#unread.length > WAITING_BYTES;
    if (this.#sinkHolds || isFull) this.channel.pause();
    else this.channel.resume();
  }

  /** One step; false when more bytes, or somebody else, are waited for. */
  #step(): boolean {
    const body = this.#body;
    if (this.#isBehind) return false;
    if (this.#exchange === null) return !this.#closing && this.#unread.length > 0 && this.#readHead();
    if (body === null || body.done || body.sink === null || this.#sinkHolds || this.#unread.length === 0) return false;
    const unread = this.#unread;
    const taken = body.take(unread.buffer, unread.at, unread.end);
    if (this.#body !== body) return true;
    unread.at = taken.at;
    if (body.sink instanceof BodyDrain) {
      if (body.sink.left < 0) {
        this.#exchange = null;
        this.#close();
      } else if (body.done) this.#next();
    } else if (taken.held) this.#sinkHolds = true;
    return true;
  }

  #readHead(): boolean {
    const { limits, handler, heads = null } = this.#options;
    const unread = this.#unread;
    const start = unread.at;
    const read = readRequestHead(unread.buffer, start, unread.end, limits, unread.scanned, heads);
    if (read === null) {
      unread.scanned = unread.end;
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#refuse(new WireFault(408, 'slow-head', `the head did not arrive within ${limits.headTimeoutMs} ms`));
      }, limits.headTimeoutMs);
      return false;
    }
    if (this.#timer !== null) this.#clearTimer();
    unread.at = start + read.bytes;
    const { head } = read;
    this.#body = head.framing.kind === 'none' ? null : new RequestBody(head.framing, limits);
    this.#continued = false;
    const exchange = new Exchange(head, this, this.channel.bytesIn - (unread.end - start));
    this.#exchange = exchange;
    try {
      handler(exchange);
    } catch (fault) {
      if (!(fault instanceof WireFault)) throw fault;
      this.refuse(exchange, fault);
    }
    if (this.channel.ended && this.#exchange === exchange) this.#awaitGone(exchange);
    return true;
  }

  #give(body: RequestBody, sink: BodySink): void {
    body.sink = sink;
    if (this.#exchange?.head.expectsContinue === true && !this.#continued && !this.#exchange.started) {
      this.#continued = true;
      if (this.#unread.length === 0) this.channel.write(CONTINUE);
    }
    this.#advance();
  }

  /** The client has said all that it will ever say on this connection. */
  #sawLast(): boolean {
    return this.channel.ended && this.#unread.length === 0;
  }

  #awaitGone(exchange: Exchange): void {
    if (exchange.keepsHalfOpen) return;
    this.#timer ??= setTimeout(() => {
      if (exchange.keepsHalfOpen) return;
      exchange.lose();
      this.channel.destroy();
    }, HALF_CLOSE_GRACE_MS);
  }

  #breakShortBody(): void {
    const body = this.#body;
    if (body === null || body.done || body.sink === null || this.#sinkHolds || this.#unread.length > 0) return;
    this.#breakBody(new WireFault(400, 'short-body', 'the client ended its request in the middle of the body'));
  }

  #next(): void {
    this.channel.streams = false;
    this.#sinkHolds = false;
    this.#clearTimer();
    this.#exchange = null;
    this.#body = null;
    this.#onBodyFault = null;
    this.#unread.scanned = this.#unread.at;
    if (this.#unread.length > 0) this.#advance();
    else {
      this.#restIdle();
      if (this.channel.paused) this.channel.resume();
    }
  }

  /** The request cannot be read any further: it is answered if it still can be, and the connection ends. */
  #refuse(fault: WireFault): void {
    this.#closing = true;
    if (this.#exchange !== null) {
      this.#breakBody(fault);
      return;
    }
    const unread = new Exchange(UNREAD_HEAD, this, this.channel.bytesIn);
    this.#exchange = unread;
    this.refuse(unread, fault);
  }

  #breakBody(fault: WireFault): void {
    const body = this.#body;
    if (body === null || body.done) return;
    this.#closing = true;
    body.done = true;
    this.#sinkHolds = false;
    const tell = this.#onBodyFault;
    this.#onBodyFault = null;
    body.sink?.abort(fault);
    tell?.(fault);
  }

  #dropBody(): void {
    if (this.#body?.sink != null) this.#body.sink.onReady = null;
    this.#body = null;
    this.#sinkHolds = false;
    this.#onBodyFault = null;
  }

  /** Says FIN behind the last answer and reads on for a moment: a reset would take the answer from the client. */
  #close(): void {
    this.#closing = true;
    this.#unread.clear();
    this.#clearTimer();
    this.channel.end(() => {
      if (!this.channel.closed) this.#timer ??= setTimeout(() => this.channel.destroy(), LINGER_MS);
    });
    this.channel.resume();
  }

  #restIdle(): void {
    const { idleTimeoutMs } = this.#options.limits;
    if (idleTimeoutMs === undefined) return;
    // Refreshed and never cleared: a timer a call would cost more than one that finds nothing to do.
    if (this.#idleTimer !== null) this.#idleTimer.refresh();
    else {
      this.#idleTimer = setTimeout(() => {
        if (this.idle && this.channel.user === this) this.channel.destroy();
      }, idleTimeoutMs);
    }
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
