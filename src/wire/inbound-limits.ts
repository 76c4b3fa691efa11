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
