/** Sends an answer that is kept, or is being kept, to one client: whole, in part, or only that nothing has changed. */

import type { AnswerSink, Exchange } from '../../wire/exchange.ts';
import type { RawHeaders } from '../../wire/message.ts';
import type { Body, ByteRange } from '../store.ts';
import type { Asked } from './asked.ts';
import { rangeHolds, statusByConditions } from './conditions.ts';
import { fieldValue, without } from './fields.ts';
import { ageOf } from './freshness.ts';
import { readRange } from './ranges.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** RFC 9110 §15.4.5, and what a cache on the way to the client needs. */
const OF_304 = new Set([
  'age',
  'cache-control',
  'cdn-cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
]);

export interface Sending {
  /** Its length is null as long as nobody knows it. */
  readonly answer: Omit<StoredAnswer, 'length'> & { readonly length: number | null };
  readonly body: Body;
  /** Of the way that it came, for those who look for faults. */
  readonly marks: RawHeaders;
  /** For the one whose request it was alone. */
  readonly cookies: RawHeaders;
}

/** Gives the bytes of the body that were sent. A body that breaks breaks the connection. */
export async function send({ exchange, method, headers }: Asked, sending: Sending): Promise<number> {
  const { answer, body, marks, cookies } = sending;
  const { reason, length } = answer;
  const fields = answerFields(answer, ageOf(answer, Date.now()), cookies, marks);
  try {
    const changed = statusByConditions(headers, { ...answer, length: length ?? 0 });
    if (changed !== null) {
      const kept = changed === 304 ? without(fields, (name) => !OF_304.has(name) && !isMark(name)) : marks;
      exchange.answer({ status: changed, reason: '', headers: kept }, null);
      return 0;
    }
    let { status } = answer;
    let range: ByteRange | undefined;
    let bytes = length;
    const wanted = status === 200 && method === 'GET' && length !== null && rangeHolds(headers, answer);
    const read = wanted ? readRange(fieldValue(headers, 'range'), length) : null;
    if (read?.kind === 'beyond') {
      exchange.answer({ status: 416, reason: '', headers: ['Content-Range', `bytes */${length}`, ...marks] }, null);
      return 0;
    }
    if (read?.kind === 'range') {
      status = 206;
      range = { start: read.first, end: read.last + 1 };
      bytes = read.last + 1 - read.first;
      fields.push('Content-Range', `bytes ${read.first}-${read.last}/${length}`);
    }
    const start = { status, reason: status === answer.status ? reason : '', headers: fields };
    if (method === 'HEAD') {
      exchange.startAnswer(start, length).end();
      return 0;
    }
    if (body.bytes !== null && length !== null) {
      const all = range === undefined ? body.bytes : body.bytes.subarray(range.start, range.end ?? undefined);
      exchange.answer(start, all);
      return all.length;
    }
    return await sendPieces(exchange, exchange.startAnswer(start, bytes), body.pieces(range));
  } catch (fault) {
    // A part of an answer must never look like the whole.
    if (exchange.started) exchange.abort();
    throw fault;
  } finally {
    body.close();
  }
}

export function answerFields(
  { headers }: Sending['answer'],
  ageSeconds: number,
  cookies: RawHeaders,
  marks: RawHeaders,
): string[] {
  return [...without(headers, (name) => name === 'age'), 'Age', String(ageSeconds), ...cookies, ...marks];
}

/** @throws what `pieces` throws, after the client has been told */
export async function sendPieces(exchange: Exchange, sink: AnswerSink, pieces: AsyncIterable<Buffer>): Promise<number> {
  let sent = 0;
  let go: (() => void) | null = null;
  sink.onReady = () => go?.();
  exchange.onGone = () => go?.();
  try {
    for await (const piece of pieces) {
      if (exchange.gone || exchange.answered) return sent;
      sent += piece.length;
      if (sink.write(piece)) continue;
      await new Promise<void>((resolve) => {
        go = resolve;
        if (exchange.gone || !sink.held) resolve();
      });
    }
    sink.end();
    return sent;
  } catch (fault) {
    if (!exchange.gone && !exchange.answered) exchange.abort();
    throw fault;
  }
}

function isMark(lowerCaseName: string): boolean {
  return lowerCaseName === 'via' || lowerCaseName === 'cache-status' || lowerCaseName === 'x-cache';
}
