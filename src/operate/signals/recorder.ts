/** What is told of each call when it ends: one line in the log, and the metrics. */

import type { AnswerTravel } from '../../docker/endpoint.ts';
import type { CallRecord, Recorder } from '../../exchange/recorder.ts';
import type { Refusal } from '../../ground/refusal.ts';
import { CallLines } from './call-line.ts';
import { CallTally } from './call-tally.ts';
import type { OpenLog } from './log.ts';

const LEVELS = { info: 30, warn: 40, error: 50 } as const;

export class CallRecorder implements Recorder {
  readonly calls = new CallTally();
  readonly openStreams = new Map<AnswerTravel, number>();
  private readonly lines = new CallLines();
  private readonly opened: OpenLog;

  constructor(opened: OpenLog) {
    this.opened = opened;
  }

  callEnded(record: CallRecord): void {
    const { listener, endpoint, status, refusal, durationMs, bytesIn, bytesOut } = record;
    const id = endpoint === null ? 'none' : endpoint.id;
    this.calls.add(listener, id, status, refusal === null ? null : refusal.code, durationMs, bytesIn, bytesOut);
    const level = levelOf(refusal);
    const { log, write } = this.opened;
    if (log.levelVal > LEVELS[level]) return;
    if (level === 'info' || refusal === null) write(this.lines.print(level, record));
    else write(this.lines.print(level, record, { reason: refusal.message, cause: causeOf(refusal) }));
  }

  streamOpened(travel: AnswerTravel): void {
    this.openStreams.set(travel, (this.openStreams.get(travel) ?? 0) + 1);
  }

  streamClosed(travel: AnswerTravel): void {
    this.openStreams.set(travel, (this.openStreams.get(travel) ?? 0) - 1);
  }
}

function levelOf(refusal: Refusal | null): keyof typeof LEVELS {
  if (refusal === null || refusal.source === 'client' || refusal.source === 'policy') return 'info';
  return refusal.source === 'engine' ? 'warn' : 'error';
}

/** A fault of ours with where it happened; of the engine's what the system said. Neither holds what a client sent. */
function causeOf({ code, cause }: Refusal): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if (code === 'own-fault') return cause.stack;
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
