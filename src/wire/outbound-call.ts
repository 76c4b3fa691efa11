/** What is asked of an engine, and how its answer is told. */
import type { HeadLimits } from './field-lines.ts';
import type { AnswerHead, BodySink, Kept, RawHeaders } from './message.ts';
import type { OutboundFault } from './outbound-fault.ts';
import type { TunnelEnd } from './tunnel.ts';

export interface OutboundRequest {
  readonly method: string;
  readonly target: string;
  /** `Host` is the caller's; framing and connection fields are printed by the wire. */
  readonly headers: RawHeaders;
  /** A buffer leaves with the head; a stream is written to `OutboundCall.body`. */
  readonly body: Buffer | null | 'chunked' | { readonly length: number };
  /** The protocol asked for (`tcp`, `h2c`, `websocket`), or null. */
  readonly upgrade: string | null;
  /** A 200 without a length is a tunnel, as dockerd answers an attach without `Upgrade`. */
  readonly hijack?: boolean;
  /** From the request to the head of its answer; absent = none: wait, build and attach may be silent for hours. */
  readonly headTimeoutMs?: number;
  /** For the printer: the head, where this very request has been sent before. */
  kept?: Kept<string>;
}

export interface AnswerEvents {
  /** Interim answers but 100 and 101. */
  onInform?(head: AnswerHead): void;
  /**
   * The head, with the bytes of the body that came along; `complete` when they are all of it, and then nothing follows.
   * Give false while the bytes are still in use: what follows waits for `resume()`; of a complete answer the bytes are
   * yours then. After true they are read over.
   */
  onHead(head: AnswerHead, body: Buffer | null, complete: boolean): boolean;
  /** As `BodySink.write`; false until `resume()`. `last`: nothing but `onEnd` without trailers follows, whatever is returned. */
  onData(chunk: Buffer, last: boolean): boolean;
  onEnd(trailers: RawHeaders): void;
  onUpgrade(head: AnswerHead, end: TunnelEnd): void;
  /** The last event. Before `onHead` the call can still be answered for; after it the answer is broken. */
  onFault(fault: OutboundFault): void;
}

export interface OutboundCall {
  /** Takes the body of a streamed request. */
  readonly body: BodySink | null;
  /** After `onHead` or `onData` gave false. */
  resume(): void;
  /** Gives the call up: its connection is closed and no further event comes. */
  abort(): void;
}

export interface OutboundLimits extends HeadLimits {
  readonly connectTimeoutMs: number;
  /** How many idle connections are kept. */
  readonly idleConnections: number;
  /** How long an unused connection is kept; absent = until the engine closes it. */
  readonly idleTimeoutMs?: number;
}
