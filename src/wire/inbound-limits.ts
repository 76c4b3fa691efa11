/** What bounds the connections of clients, and what a message that breaks a bound is answered with. */
import type { HeadLimits } from './field-lines.ts';
import type { AnswerStart } from './message.ts';

export interface InboundLimits extends HeadLimits {
  /** From the first byte of a head to its last. An idle connection is not cut by it. */
  readonly headTimeoutMs: number;
  /** For whole bodies that are read with `readBody`; never for streams. */
  readonly bodyTimeoutMs: number;
  /** Nothing has moved in either direction for so long, also in the middle of an answer; absent = never. */
  readonly stalledTimeoutMs?: number;
  /** An idle connection is closed after this; absent = never. */
  readonly idleTimeoutMs?: number;
}

export interface RenderedFault extends AnswerStart {
  readonly body: Buffer | string;
}

/** Bytes that may wait behind a request in progress: pipelined requests, the first input of an upgrade. */
export const WAITING_BYTES = 64 * 1024;
/** What is read over of an unwanted body to keep a connection, as Go's server does. */
export const DRAINED_BYTES = 256 * 1024;
/** How long a closed connection still reads, so that its last answer is not lost to a reset. */
export const LINGER_MS = 1000;
export const HALF_CLOSE_GRACE_MS = 250;
/** Bytes of answers that the client has not taken yet, behind which no other request is read. */
export const UNTAKEN_BYTES = 1024 * 1024;
