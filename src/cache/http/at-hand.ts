/**
 * Fresh answers whose record and body are in memory: sent in the turn in which they are asked for, with what was made for
 * the last one. Everything else, and everything that is not quite as plain, goes the way of http-cache.ts.
 */

import type { AnswerStart } from '../../wire/message.ts';
import type { StoredRecord } from '../store.ts';
import type { Asked, Wanted } from './asked.ts';
import { ageSince, bornMs } from './freshness.ts';
import { marksOf } from './marks.ts';
import type { HttpCacheParts } from './parts.ts';
import { judge } from './reuse.ts';
import { answerFields } from './send.ts';
import type { StoredAnswer } from './stored-answer.ts';

export interface ReadyAnswer {
  /** What it was chosen from: the very ones that are there, or it does not count. */
  readonly records: readonly StoredRecord[];
  readonly record: StoredRecord;
  readonly answer: StoredAnswer;
  readonly bornMs: number;
  readonly lifetimeSeconds: number;
  ageSeconds: number;
  /** For this age. */
  start: AnswerStart;
}

export interface Chosen {
  readonly record: StoredRecord;
  readonly answer: StoredAnswer;
}

export interface AtHandParts extends Pick<HttpCacheParts, 'store' | 'onServed'> {
  /** What is kept under the key is from before it was changed. */
  readonly isSpoiled: (key: string) => boolean;
  readonly choose: (records: readonly StoredRecord[], wanted: Wanted) => Chosen | null;
}

/** Whether it has been sent. @throws where it cannot be printed */
export function sendAtHand(asked: Asked, { store, onServed, isSpoiled, choose }: AtHandParts): boolean {
  if (!asked.isPlain || asked.exchange.gone) return false;
  const { key, last } = asked;
  const there = store();
  const records = there.remembered(key);
  if (records === null || isSpoiled(key)) return false;
  const now = Date.now();
  const ready = last.ready?.records === records ? last.ready : makeReady(asked, records, choose, now);
  last.ready = ready;
  if (ready === null) return false;
  const ageSeconds = ageSince(ready.bornMs, ready.answer, now);
  if (ageSeconds >= ready.lifetimeSeconds) return false;
  const body = there.atHand(ready.record.digest);
  if (body === null) return false;
  if (ageSeconds !== ready.ageSeconds) {
    ready.ageSeconds = ageSeconds;
    ready.start = startOf(ready.answer, ageSeconds, ready.lifetimeSeconds);
  }
  there.touch(key);
  asked.exchange.answerSame(ready.start, body);
  onServed(asked, 'fresh', body.length);
  return true;
}

function makeReady(
  wanted: Wanted,
  records: readonly StoredRecord[],
  choose: AtHandParts['choose'],
  now: number,
): ReadyAnswer | null {
  const chosen = choose(records, wanted);
  if (chosen === null) return null;
  const { use, ageSeconds, ttlSeconds } = judge(chosen.answer, wanted.directives, wanted.rule, now);
  // Of a request without directives it stays fresh to the end of its time, whatever made it so.
  if (use !== 'fresh') return null;
  const lifetimeSeconds = ageSeconds + ttlSeconds;
  return {
    ...chosen,
    records,
    bornMs: bornMs(chosen.answer),
    lifetimeSeconds,
    ageSeconds,
    start: startOf(chosen.answer, ageSeconds, lifetimeSeconds),
  };
}

function startOf(answer: StoredAnswer, ageSeconds: number, lifetimeSeconds: number): AnswerStart {
  const marks = marksOf({ hit: true, ttl: lifetimeSeconds - ageSeconds });
  const { status, reason } = answer;
  return { status, reason, headers: answerFields(answer, ageSeconds, [], marks) };
}
