/** One call to an engine: on one connection, or on a second one when the first proved stale. */
import { BodyWriter } from './body-writer.ts';
import type { Channel } from './channel.ts';
import type { BodySink, Framing, RawHeaders } from './message.ts';
import type { AnswerEvents, OutboundCall, OutboundRequest } from './outbound-call.ts';
import type { OutboundFault } from './outbound-fault.ts';

/** What a call needs of the connection that carries it. */
export interface Carrier {
  readonly channel: Channel;
  abort(call: EngineCall): void;
  uploaded(call: EngineCall): void;
}

export class EngineCall implements OutboundCall {
  readonly request: OutboundRequest;
  readonly events: AnswerEvents;
  readonly body: UploadSink | null;
  /** Its last event has been told, or it was given up. */
  done = false;
  repeated = false;
  #carrier: Carrier | null = null;

  constructor(request: OutboundRequest, events: AnswerEvents) {
    this.request = request;
    this.events = events;
    const { body } = request;
    this.body =
      body === 'chunked'
        ? new UploadSink(this, { kind: 'chunked' })
        : body !== null && !Buffer.isBuffer(body)
          ? new UploadSink(this, { kind: 'length', bytes: body.length })
          : null;
  }

  /** The request has left whole. */
  get uploaded(): boolean {
    return this.body === null || this.body.ended;
  }

  /** Sending it twice does no harm (RFC 9110 §9.2.2), and there is no body that has been used up. */
  get repeatable(): boolean {
    const { method, upgrade, hijack } = this.request;
    if (this.repeated || this.body !== null || upgrade !== null || hijack === true) return false;
    return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  }

  get carrier(): Carrier | null {
    return this.#carrier;
  }

  carryOn(carrier: Carrier): void {
    this.#carrier = carrier;
    this.body?.begin(carrier.channel);
  }

  resume(): void {
    if (!this.done) this.#carrier?.channel.resume();
  }

  abort(): void {
    if (this.done) return;
    this.done = true;
    this.body?.stop();
    this.#carrier?.abort(this);
  }

  fail(fault: OutboundFault): void {
    if (this.done) return;
    this.done = true;
    this.body?.stop();
    this.events.onFault(fault);
  }
}

/** The body of a streamed request. Once the call is over it swallows what still comes. */
export class UploadSink implements BodySink {
  onReady: (() => void) | null = null;
  ended = false;
  readonly #call: EngineCall;
  readonly #framing: Framing;
  #writer: BodyWriter | null = null;
  #held = false;
  #stopped = false;

  constructor(call: EngineCall, framing: Framing) {
    this.#call = call;
    this.#framing = framing;
  }

  get framing(): Framing {
    return this.#framing;
  }

  begin(channel: Channel): void {
    this.#writer = new BodyWriter(channel, this.#framing);
  }

  write(chunk: Buffer, last = false): boolean {
    if (this.#stopped || this.#writer === null) return true;
    this.#held = !this.#writer.write(chunk, last);
    return !this.#held;
  }

  end(trailers?: RawHeaders): void {
    if (this.#stopped || this.ended || this.#writer === null) return;
    if (!this.#writer.end(trailers)) {
      this.#call.abort();
      return;
    }
    this.ended = true;
    this.#call.carrier?.uploaded(this.#call);
  }

  abort(_cause: Error): void {
    if (!this.ended) this.#call.abort();
  }

  /** The engine takes no more: the source may run dry. */
  stop(): void {
    this.#stopped = true;
    this.flushed();
  }

  flushed(): void {
    if (!this.#held) return;
    this.#held = false;
    this.onReady?.();
  }
}
