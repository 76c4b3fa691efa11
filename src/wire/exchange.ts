/** One request of a client and its answer: what the rest of the program is handed for every call. */
import { BodyWriter, writeTogether } from './body-writer.ts';
import type { Channel } from './channel.ts';
import type { AnswerStart, BodySink, Framing, RawHeaders, RequestHead } from './message.ts';
import { printFields, printFraming, printStart, printStatusLine, printUpgrade } from './print-head.ts';
import type { TunnelEnd } from './tunnel.ts';
import { WireFault } from './wire-fault.ts';

/** The connection of an exchange, as the exchange sees it. */
export interface ClientConnection {
  readonly channel: Channel;
  /** For the owner: what is known of this client (identity, listener, …). The wire does not look at it. */
  context: unknown;
  /** For the exchange only. */
  readBody(exchange: Exchange, limitBytes: number): Promise<Buffer>;
  takeBody(exchange: Exchange): Buffer | null;
  streamBody(exchange: Exchange, sink: BodySink, onFault: (fault: WireFault) => void): void;
  refuse(exchange: Exchange, fault: WireFault): void;
  staysOpenAfter(exchange: Exchange): boolean;
  finish(exchange: Exchange, stayOpen: boolean): void;
  takeOver(exchange: Exchange): TunnelEnd;
}

/** Copies of larger ones would cost more memory than it costs to print them. */
const MOST_WHOLE_BYTES = 8 * 1024;

const NOTHING = Buffer.alloc(0);
const CHUNKED: Framing = { kind: 'chunked' };

/** Stands for a request that could not be read, so that its answer is printed like every other one. */
export const UNREAD_HEAD: RequestHead = {
  method: 'GET',
  target: '/',
  minorVersion: 1,
  headers: [],
  framing: { kind: 'none' },
  keepAlive: false,
  upgrade: null,
  expectsContinue: false,
};

export class Exchange {
  readonly head: RequestHead;
  readonly connection: ClientConnection;
  /**
   * Called once when the client goes away before its answer is complete: on a reset at once, on a FIN after a short
   * grace (clients such as `nc -N` half-close behind their request and still wait for the answer).
   */
  onGone: (() => void) | null = null;
  /** All that the last streamed write left is with the kernel: set by the sink of `startAnswer`. */
  sink: AnswerSink | null = null;
  /**
   * A FIN of the client is no end but part of what it says. True where `Upgrade` stands in the head until the owner says
   * otherwise: set it for a hijack without one, clear it where the endpoint is none, so that a FIN ends that call.
   */
  keepsHalfOpen: boolean;
  /** The answer's head has been printed. */
  started = false;
  /** The answer is complete, or the connection has become a tunnel. */
  answered = false;
  gone = false;
  /** The status that was printed last; 0 before. */
  status = 0;
  readonly #bytesInBefore: number;
  readonly #bytesOutBefore: number;

  constructor(head: RequestHead, connection: ClientConnection, bytesInBefore: number) {
    this.head = head;
    this.connection = connection;
    this.keepsHalfOpen = head.upgrade !== null;
    this.#bytesInBefore = bytesInBefore;
    this.#bytesOutBefore = connection.channel.bytesOut;
  }

  /** Bytes that came on the connection since this request began. */
  get bytesIn(): number {
    return this.connection.channel.bytesIn - this.#bytesInBefore;
  }

  /** Bytes that were printed since this request began. */
  get bytesOut(): number {
    return this.connection.channel.bytesOut - this.#bytesOutBefore;
  }

  /** The whole body, decoded. Rejects with a WireFault: 413 over the limit, 408 when it comes too slowly, 400 broken. */
  readBody(limitBytes: number): Promise<Buffer> {
    return this.#bodyIsLost ? Promise.reject(lostBody()) : this.connection.readBody(this, limitBytes);
  }

  /** The whole body if it has arrived already, without a promise; null when it has not, or when it is not of known length. */
  takeBody(): Buffer | null {
    return this.#bodyIsLost ? null : this.connection.takeBody(this);
  }

  /** The body as it comes. A body that breaks off or is malformed aborts the sink, then tells `onFault`. */
  streamBody(sink: BodySink, onFault: (fault: WireFault) => void = ignoreFault): void {
    if (!this.#bodyIsLost) return void this.connection.streamBody(this, sink, onFault);
    const fault = lostBody();
    sink.abort(fault);
    onFault(fault);
  }

  /** The connection has it no more: to whoever asks for it only now, a body must not look empty. */
  get #bodyIsLost(): boolean {
    return (this.gone || this.answered) && this.head.framing.kind !== 'none';
  }

  /** An interim answer: 1xx but 101. HTTP/1.0 clients know none and are sent none. */
  inform(status: number, headers: RawHeaders): void {
    if (this.head.minorVersion === 0 || this.started || this.gone) return;
    this.connection.channel.write(`${printStatusLine(status, '')}${printFields(headers)}\r\n`);
  }

  /**
   * The complete answer, in one write. Gives true when the kernel took it; false when `body` is still in use, and must
   * not be changed any more. `chunked`: the body keeps that framing, since clients take it for the mark of a stream.
   */
  answer(start: AnswerStart, body: Buffer | string | null, chunked = false): boolean {
    const text = this.#begin(start);
    const bytes = body === null ? NOTHING : typeof body === 'string' ? Buffer.from(body) : body;
    const stayOpen = this.connection.staysOpenAfter(this);
    const inChunks = chunked && this.head.minorVersion === 1 && !this.#hasNoBody(start.status);
    const framing = inChunks
      ? printFraming(CHUNKED)
      : hasNoLength(start.status) || (this.head.method === 'HEAD' && body === null)
        ? ''
        : `Content-Length: ${bytes.length}\r\n`;
    const top = `${text}${framing}${this.#connectionFields(stayOpen)}\r\n`;
    let flushed = true;
    if (!this.gone) {
      const { channel } = this.connection;
      if (inChunks) {
        const writer = new BodyWriter(channel, CHUNKED);
        flushed = writer.write(bytes, true, top);
        writer.end();
      } else {
        flushed =
          this.#hasNoBody(start.status) || bytes.length === 0
            ? channel.write(top)
            : writeTogether(channel, top, bytes, '');
      }
    }
    this.#complete(stayOpen);
    return flushed;
  }

  /**
   * As `answer`, of a body that never changes. What comes again with the very same start and body is printed once: a
   * start that has been answered with before is a sign of that.
   */
  answerSame(start: AnswerStart, body: Buffer): void {
    const { connection } = this;
    const isUsual = start.kept?.of === start && body.length <= MOST_WHOLE_BYTES && !this.gone && !this.started;
    if (!isUsual || this.head.minorVersion === 0 || this.#hasNoBody(start.status) || !connection.staysOpenAfter(this)) {
      this.answer(start, body);
      return;
    }
    const text = this.#begin(start);
    if (start.whole?.of !== start || start.whole.body !== body) {
      const top = `${text}Content-Length: ${body.length}\r\n\r\n`;
      start.whole = { of: start, body, made: Buffer.concat([Buffer.from(top, 'latin1'), body]) };
    }
    connection.channel.write(start.whole.made);
    this.#complete(true);
  }

  /**
   * Begins a streamed answer; its head leaves at once, together with `first` where that is given. Without a length it is
   * chunked for HTTP/1.1 and ends with the connection for 1.0. `sink.held` tells whether `first` is still in use.
   */
  startAnswer(start: AnswerStart, length: number | null = null, first: Buffer | null = null): AnswerSink {
    const text = this.#begin(start);
    let framing: Framing;
    if (this.#hasNoBody(start.status)) framing = { kind: 'none' };
    else if (length !== null) framing = { kind: 'length', bytes: length };
    else framing = this.head.minorVersion === 1 ? { kind: 'chunked' } : { kind: 'close' };
    const stayOpen = framing.kind !== 'close' && this.connection.staysOpenAfter(this);
    // A HEAD answer says what GET would be answered with, and has no body to frame.
    const printed: Framing =
      framing.kind === 'none' && length !== null && !hasNoLength(start.status)
        ? { kind: 'length', bytes: length }
        : framing;
    const top = `${text}${printFraming(printed)}${this.#connectionFields(stayOpen)}\r\n`;
    const sink = new AnswerSink(this, framing, () => this.#complete(stayOpen));
    this.sink = sink;
    sink.open(top, first);
    return sink;
  }

  /** Prints the given head, 101 or the legacy 200 without a length, and gives the connection up as one end of a tunnel. */
  upgrade(start: AnswerStart, protocol: string | null): TunnelEnd {
    const fields = start.status === 101 ? printUpgrade(protocol ?? 'tcp') : '';
    const text = `${this.#begin(start)}${fields}\r\n`;
    if (!this.gone) this.connection.channel.write(text);
    this.answered = true;
    this.onGone = null;
    return this.connection.takeOver(this);
  }

  /** Answers with the fault as the owner of the connection renders it; aborts where an answer has begun already. */
  refuse(fault: WireFault): void {
    this.connection.refuse(this, fault);
  }

  /** Ends the connection so that the client sees an error: never a clean end of a short answer. */
  abort(): void {
    this.onGone = null;
    this.answered = true;
    this.connection.channel.reset();
  }

  /** For the connection: the client is gone. */
  lose(): void {
    if (this.gone || this.answered) return;
    this.gone = true;
    const tell = this.onGone;
    this.onGone = null;
    tell?.();
  }

  /** The status line and the fields. What cannot be printed throws before anything counts as answered. */
  #begin(start: AnswerStart): string {
    if (this.started) throw new Error('an exchange is answered once');
    const text = printStart(start);
    this.started = true;
    this.status = start.status;
    return text;
  }

  #complete(stayOpen: boolean): void {
    if (this.answered) return;
    this.answered = true;
    this.onGone = null;
    this.connection.finish(this, stayOpen);
  }

  #hasNoBody(status: number): boolean {
    return hasNoLength(status) || status === 304 || this.head.method === 'HEAD';
  }

  #connectionFields(stayOpen: boolean): string {
    if (!stayOpen) return 'Connection: close\r\n';
    return this.head.minorVersion === 0 ? 'Connection: keep-alive\r\n' : '';
  }
}

function hasNoLength(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

function ignoreFault(): void {}

function lostBody(): WireFault {
  return new WireFault(400, 'short-body', 'the client went away before its body was read');
}

/** The body of a streamed answer. */
export class AnswerSink implements BodySink {
  onReady: (() => void) | null = null;
  /** The last chunk is still in use; `onReady` follows. */
  held = false;
  readonly #exchange: Exchange;
  readonly #writer: BodyWriter;
  readonly #onComplete: () => void;

  constructor(exchange: Exchange, framing: Framing, onComplete: () => void) {
    this.#exchange = exchange;
    this.#writer = new BodyWriter(exchange.connection.channel, framing);
    this.#onComplete = onComplete;
  }

  open(top: string, first: Buffer | null): void {
    if (this.#dead()) return;
    this.held = !this.#writer.write(first ?? NOTHING, false, top);
  }

  write(chunk: Buffer, last = false): boolean {
    if (this.#dead()) return true;
    this.held = !this.#writer.write(chunk, last);
    return !this.held;
  }

  end(trailers?: RawHeaders): void {
    if (this.#dead()) return;
    if (this.#writer.end(trailers)) this.#onComplete();
    else this.#exchange.abort();
  }

  abort(_cause: Error): void {
    if (!this.#exchange.answered) this.#exchange.abort();
  }

  /** For the connection. */
  flushed(): void {
    if (!this.held) return;
    this.held = false;
    this.onReady?.();
  }

  #dead(): boolean {
    return this.#exchange.gone || this.#exchange.answered;
  }
}
