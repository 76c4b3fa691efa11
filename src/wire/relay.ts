/** The hot path: joins a client's exchange with a call to an engine, bytes passing unread. */
import { endToEnd } from './end-to-end.ts';
import type { AnswerSink, Exchange } from './exchange.ts';
import type { AnswerHead, AnswerStart, BodySink, Kept, RawHeaders } from './message.ts';
import type { EnginePool } from './outbound.ts';
import type { AnswerEvents, OutboundCall, OutboundRequest } from './outbound-call.ts';
import type { OutboundFault } from './outbound-fault.ts';
import { joinTunnel, type TunnelEnd } from './tunnel.ts';

export type RelayOutcome =
  | { readonly kind: 'answered' }
  | { readonly kind: 'tunnel'; readonly fromClient: number; readonly fromEngine: number; readonly clean: boolean }
  /** The client went away first. */
  | { readonly kind: 'gone' }
  /** The client's body could not be read; it has been answered or cut off. */
  | { readonly kind: 'client-fault' }
  /** What the body passed through has ended the call; it is still to be answered, where no answer had begun. */
  | { readonly kind: 'stopped'; readonly fault: unknown }
  /** `answered`: the fault came before the head, and `onFault` answered it. */
  | { readonly kind: 'engine-fault'; readonly fault: OutboundFault; readonly answered: boolean };

export interface RelayRequest extends OutboundRequest {
  /** The client's own body is passed on as it comes; `body` then says how it is framed towards the engine. */
  readonly stream?: boolean;
  /** What the client's body passes through on its way; `stop` ends the call. */
  readonly through?: (onward: BodySink, stop: (fault: unknown) => void) => BodySink;
  /** For the relay: what is sent, where this very request has been relayed before. */
  onward?: Kept<OutboundRequest>;
}

export interface RelayHooks {
  /** What the client is answered with; end-to-end fields only are printed. The head itself where nothing changes. */
  readonly onHead: (head: AnswerHead) => AnswerStart;
  /** The engine gave no answer: the exchange is to be answered by this. */
  readonly onFault: (fault: OutboundFault, exchange: Exchange) => void;
  /** Once, last. */
  readonly onDone: (outcome: RelayOutcome) => void;
}

export function relay(
  exchange: Exchange,
  pool: Pick<EnginePool, 'send'>,
  request: RelayRequest,
  hooks: RelayHooks,
): OutboundCall {
  if (request.hijack === true) exchange.keepsHalfOpen = true;
  const relayed = new Relay(exchange, hooks);
  exchange.onGone = relayed.onGone;
  if (request.onward?.of !== request) {
    request.onward = { of: request, made: { ...request, headers: endToEnd(request.headers) } };
  }
  const call = pool.send(request.onward.made, relayed);
  relayed.call = call;
  bodyThrough(exchange, call, request, {
    onStop: (fault) => relayed.stop(fault),
    onUnreadable: () => relayed.finish({ kind: 'client-fault' }),
  });
  return call;
}

export interface BodyHooks {
  /** What the body passes through ends the call. */
  readonly onStop: (fault: unknown) => void;
  /** The body cannot be read; the client has been answered or cut off. */
  readonly onUnreadable: () => void;
}

/** Has the client's body flow to the engine, where the request has one that streams. */
export function bodyThrough(
  exchange: Exchange,
  call: OutboundCall,
  { stream, through }: RelayRequest,
  { onStop, onUnreadable }: BodyHooks,
): void {
  if (stream !== true || call.body === null) return;
  const sink = through === undefined ? call.body : through(call.body, onStop);
  exchange.streamBody(sink, (fault) => {
    exchange.refuse(fault);
    onUnreadable();
  });
}

const ANSWERED: RelayOutcome = { kind: 'answered' };

class Relay implements AnswerEvents {
  call: OutboundCall | null = null;
  readonly #exchange: Exchange;
  readonly #hooks: RelayHooks;
  #sink: AnswerSink | null = null;
  #done = false;

  constructor(exchange: Exchange, hooks: RelayHooks) {
    this.#exchange = exchange;
    this.#hooks = hooks;
  }

  onGone = (): void => {
    this.call?.abort();
    this.finish({ kind: 'gone' });
  };

  onInform(head: AnswerHead): void {
    this.#exchange.inform(head.status, endToEnd(head.headers));
  }

  onHead(head: AnswerHead, body: Buffer | null, complete: boolean): boolean {
    const exchange = this.#exchange;
    const start = onward(this.#hooks.onHead(head), head);
    if (complete) {
      const flushed = exchange.answer(start, body, head.framing.kind === 'chunked');
      this.finish(ANSWERED);
      return flushed;
    }
    const length = head.framing.kind === 'length' ? head.framing.bytes : null;
    const sink = exchange.startAnswer(start, length, body);
    this.#sink = sink;
    sink.onReady = () => this.call?.resume();
    return !sink.held;
  }

  onData(chunk: Buffer, last: boolean): boolean {
    return (this.#sink as AnswerSink).write(chunk, last);
  }

  onEnd(trailers: RawHeaders): void {
    this.#sink?.end(trailers);
    this.finish(ANSWERED);
  }

  onUpgrade(head: AnswerHead, end: TunnelEnd): void {
    const exchange = this.#exchange;
    const start = onward(this.#hooks.onHead(head), head);
    const client = exchange.upgrade(start, head.upgrade);
    let fromClient = 0;
    let fromEngine = 0;
    joinTunnel(client, end, {
      onBytes: (from, bytes) => {
        if (from === 'client') fromClient += bytes;
        else fromEngine += bytes;
      },
      onEnd: (clean) => this.finish({ kind: 'tunnel', fromClient, fromEngine, clean }),
    });
  }

  onFault(fault: OutboundFault): void {
    const exchange = this.#exchange;
    const answered = !exchange.started;
    if (answered) this.#hooks.onFault(fault, exchange);
    else exchange.abort();
    this.finish({ kind: 'engine-fault', fault, answered });
  }

  stop(fault: unknown): void {
    if (this.#done) return;
    this.call?.abort();
    if (this.#exchange.started) this.#exchange.abort();
    this.finish({ kind: 'stopped', fault });
  }

  finish(outcome: RelayOutcome): void {
    if (this.#done) return;
    this.#done = true;
    this.#hooks.onDone(outcome);
  }
}

/** What travels on of `head`, told as `start`; made once of a head that comes again and is not changed on the way. */
export function onward(start: AnswerStart, head: AnswerHead): AnswerStart {
  if (start !== head) return onlyEndToEnd(start);
  head.onward ??= onlyEndToEnd(head);
  return head.onward;
}

function onlyEndToEnd(start: AnswerStart): AnswerStart {
  return { status: start.status, reason: start.reason, headers: endToEnd(start.headers) };
}
