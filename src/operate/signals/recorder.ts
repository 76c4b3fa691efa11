/** What is told of each call when it ends: one line in the log, and the metrics. */

import type { AnswerTravel } from '../../docker/endpoint.ts';
import type { CallRecord, Recorder } from '../../exchange/recorder.ts';
import { CallTally } from './call-tally.ts';
import type { Log } from './log.ts';

export class CallRecorder implements Recorder {
  readonly calls = new CallTally();
  readonly openStreams = new Map<AnswerTravel, number>();
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  callEnded(record: CallRecord): void {
    const { listener, endpoint, status, refusal, durationMs, bytesIn, bytesOut } = record;
    const id = endpoint === null ? 'none' : endpoint.id;
    const code = refusal === null ? null : refusal.code;
    this.calls.add(listener, id, status, code, durationMs, bytesIn, bytesOut);
    const facts = {
      listener,
      user: record.identity === null ? null : record.identity.user,
      endpoint: id,
      method: record.method,
      path: pathOf(record.target),
      status,
      ms: Math.round(durationMs * 100) / 100,
      in: bytesIn,
      out: bytesOut,
      refusal: code,
    };
    if (refusal === null || refusal.source === 'client' || refusal.source === 'policy') this.log.info(facts, 'call');
    else if (refusal.code === 'own-fault') this.log.error({ ...facts, err: refusal.cause }, 'call');
    else this.log.warn({ ...facts, reason: refusal.message, cause: messageOf(refusal.cause) }, 'call');
  }

  streamOpened(travel: AnswerTravel): void {
    this.openStreams.set(travel, (this.openStreams.get(travel) ?? 0) + 1);
  }

  streamClosed(travel: AnswerTravel): void {
    this.openStreams.set(travel, (this.openStreams.get(travel) ?? 0) - 1);
  }
}

/** A client may have put anything into a path; the log keeps what tells calls apart. */
const MOST_PATH = 512;

/** Without the query: its values may be secrets (build arguments, tokens). */
function pathOf(target: string): string {
  const end = target.indexOf('?');
  const path = end < 0 ? target : target.slice(0, end);
  return path.length > MOST_PATH ? `${path.slice(0, MOST_PATH)}…` : path;
}

function messageOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
