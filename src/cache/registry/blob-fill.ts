/**
 * One blob on its way from a registry into the store: proved by its digest, begun again where it broke, from the address
 * of the registry itself, since a signed address of another host may have died.
 */

import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { GatheredBody } from '../../wire/gathered-body.ts';
import type { Fill, NewRecord } from '../store.ts';
import { readContentRange } from './byte-ranges.ts';
import { letGo } from './read-whole.ts';
import type { LiveAnswer } from './upstream.ts';

/** Before the first, second, … try without a byte in between. */
const PAUSES_MS = [0, 250, 1000, 3000];
const MOST_RESUMES = 50;

export interface BlobSource {
  /** Asks the registry, for the bytes from there on. */
  readonly from: (start: number) => Promise<LiveAnswer>;
  readonly onBytes: (bytes: number) => void;
}

/** @param first an answer with the whole. Gives why it was not kept; null where it was. Never throws. */
export async function fillBlob(
  first: LiveAnswer,
  size: number | null,
  fill: Fill,
  records: readonly NewRecord[],
  source: BlobSource,
): Promise<Error | null> {
  try {
    let next: { readonly answer: LiveAnswer; readonly skip: number } | null = { answer: first, skip: 0 };
    let [resumes, tries] = [0, 0];
    for (;;) {
      const before: number = fill.written;
      const fault: Error | null = next === null ? null : await pour(next.answer, next.skip, fill, source.onBytes);
      const isWhole = next !== null && fault === null && (size === null || fill.written >= size);
      if (isWhole) break;
      if (fill.written > before) tries = 0;
      if (++resumes > MOST_RESUMES || tries >= PAUSES_MS.length) {
        throw fault ?? new Error(`it ended after ${fill.written} of ${size} bytes`);
      }
      await pause(PAUSES_MS[tries++], undefined, { ref: false });
      next = await resume(source, fill.written, size);
    }
    await fill.commit(records);
    return null;
  } catch (fault) {
    await fill.abort((fault as Error).message).catch(() => {});
    return fault as Error;
  }
}

/** Null where the body came to its end. */
async function pour(
  { body }: LiveAnswer,
  skip: number,
  fill: Fill,
  onBytes: (bytes: number) => void,
): Promise<Error | null> {
  let left = skip;
  try {
    for await (const piece of body instanceof GatheredBody ? gathered(body) : inLargePieces(body)) {
      onBytes(piece.length);
      const wanted = piece.subarray(Math.min(left, piece.length));
      left -= piece.length - wanted.length;
      if (wanted.length > 0) await fill.write(wanted);
    }
    return null;
  } catch (fault) {
    return fault as Error;
  }
}

/** Null where the registry does not answer as it did. */
async function resume(
  { from }: BlobSource,
  start: number,
  size: number | null,
): Promise<{ readonly answer: LiveAnswer; readonly skip: number } | null> {
  let answer: LiveAnswer;
  try {
    answer = await from(start);
  } catch {
    return null;
  }
  const range = readContentRange(answer.headers['content-range']);
  if (answer.status === 200) return { answer, skip: start };
  if (
    answer.status === 206 &&
    range?.start === start &&
    (range.size === null || size === null || range.size === size)
  ) {
    return { answer, skip: 0 };
  }
  letGo(answer.body);
  return null;
}

async function* gathered(body: GatheredBody): AsyncIterable<Buffer> {
  try {
    yield* body.pieces();
  } finally {
    body.destroy();
  }
}

/** What comes while a piece is used is one piece, so that what is slow to begin is begun seldom. */
async function* inLargePieces(body: Readable): AsyncIterable<Buffer> {
  let wake = (): void => {};
  const onEvent = (): void => wake();
  const events = ['readable', 'end', 'error', 'close'] as const;
  for (const event of events) body.on(event, onEvent);
  try {
    for (;;) {
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const piece = body.read() as Buffer | null;
      if (piece !== null) yield piece;
      else if (body.errored !== null) throw body.errored;
      else if (body.readableEnded) return;
      else if (body.destroyed) throw new Error('the registry broke off');
      else await more;
    }
  } finally {
    for (const event of events) body.off(event, onEvent);
    body.destroy();
  }
}
