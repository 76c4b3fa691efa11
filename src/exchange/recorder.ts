/** What is told of each call when it ends: one log line, the metrics. */

import type { AnswerTravel, Endpoint } from '../docker/endpoint.ts';
import type { Refusal } from '../ground/refusal.ts';
import type { Call } from './call.ts';
import type { Identity } from './identity.ts';
import type { Decision } from './judge.ts';

export interface CallRecord {
  readonly listener: string;
  readonly method: string;
  /** The request target as it came; who writes it down leaves the query out. */
  readonly target: string;
  /** Null where the path is not in the table. */
  readonly endpoint: Endpoint | null;
  readonly identity: Identity | null;
  /** As the client said it; null where it could not be read so far. */
  readonly call: Call | null;
  /** Of the answer; 0 when the client went away before there was one. */
  readonly status: number;
  readonly refusal: Refusal | null;
  /** What the policies decided, as far as they came; the one that refused is told by the refusal. */
  readonly decisions: readonly Decision[];
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface Recorder {
  callEnded(record: CallRecord): void;
  streamOpened(travel: AnswerTravel): void;
  streamClosed(travel: AnswerTravel): void;
}
