/**
 * The body of an answer on its way from the origin into the store. It goes on when the one who asked has gone, and where
 * the origin breaks off, from there: but only with the very same bytes, or not at all.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fill } from '../store.ts';
import { strongValidator } from './conditions.ts';
import { fieldValue } from './fields.ts';
import type { OriginAnswer } from './origin.ts';
import { readContentRange } from './ranges.ts';

/** Between attempts that brought nothing; an origin that has been started again is back within that. */
const PAUSES_MS = [100, 200, 400, 800, 1600, 3200, 6400];

export interface FetchParts {
  /** Asks for the same thing with these fields beside. @throws OutFault */
  readonly ask: (headers: readonly string[]) => Promise<OriginAnswer>;
  /** Nobody wants the rest any more. */
  readonly isOver: () => boolean;
  readonly onBytes: (bytes: number) => void;
  readonly onResume: () => void;
}

/** @throws Error where the body cannot be had whole */
export async function fetchBody(first: OriginAnswer, fill: Fill, parts: FetchParts): Promise<void> {
  const validator = strongValidator(first.headers);
  const file = fileOf(first);
  let body: AsyncIterable<Buffer> = first.body as AsyncIterable<Buffer>;
  let { length } = first;
  let skipped = 0;
  let pauses = 0;
  for (;;) {
    const before = fill.written;
    let fault: unknown;
    try {
      for await (const chunk of body) {
        const useful = skipped === 0 ? chunk : chunk.subarray(Math.min(skipped, chunk.length));
        skipped -= chunk.length - useful.length;
        if (useful.length === 0) continue;
        parts.onBytes(useful.length);
        await fill.write(useful);
      }
      if (length === null || fill.written === length) return;
      fault = new Error('the origin sent another number of bytes than it said');
    } catch (broken) {
      fault = broken;
    }
    if (length !== null && fill.written > length) throw fault;
    if (fill.written > before) pauses = 0;
    const known = { validator, file, status: first.status, length, from: fill.written };
    const again = await resume(known, parts, () => PAUSES_MS[pauses++]);
    if (again === null) throw fault;
    parts.onResume();
    ({ body, skipped, length } = again);
  }
}

interface Resumed {
  readonly body: AsyncIterable<Buffer>;
  /** Of its bytes, how many are here already. */
  readonly skipped: number;
  /** Of the whole. */
  readonly length: number | null;
}

/** What an answer says of which file it is. */
interface File {
  readonly tag: string | null;
  readonly modified: string | null;
}

interface Known {
  readonly validator: string | null;
  readonly file: File;
  readonly status: number;
  readonly length: number | null;
  readonly from: number;
}

/** Null where it is not to be had any more. */
async function resume(
  { validator, file, status, length, from }: Known,
  { ask, isOver }: FetchParts,
  pause: () => number | undefined,
): Promise<Resumed | null> {
  if (validator === null || status !== 200) return null;
  for (;;) {
    const ms = pause();
    if (ms === undefined) return null;
    await sleep(ms);
    if (isOver()) return null;
    let answer: OriginAnswer;
    try {
      answer = await ask(['Range', `bytes=${from}-`, 'If-Range', validator]);
    } catch {
      continue;
    }
    const body = answer.body as AsyncIterable<Buffer>;
    if (answer.status === 206 && mayBe(file, fileOf(answer))) {
      const range = readContentRange(fieldValue(answer.headers, 'content-range'));
      const { total = null } = range ?? {};
      if (range?.first === from && total !== null && (length === null || total === length)) {
        return { body, skipped: 0, length: total };
      }
    }
    // An origin without ranges sends all of it again: the same, where the tag says so.
    const isTagged = validator === file.tag && validator === fileOf(answer).tag;
    if (answer.status === 200 && answer.isDelimited && isTagged && answer.length === length) {
      return { body, skipped: from, length };
    }
    discard(answer);
    if (answer.status < 500) return null;
  }
}

function fileOf({ headers }: OriginAnswer): File {
  return { tag: fieldValue(headers, 'etag'), modified: fieldValue(headers, 'last-modified') };
}

/** Origins that do not know `If-Range` send a part of what they have now. RFC 9110 §15.3.7: the date may be left out of it. */
function mayBe(known: File, { tag, modified }: File): boolean {
  return tag === known.tag && (tag !== null || modified === null || modified === known.modified);
}

export function discard(answer: OriginAnswer): void {
  answer.body.on('error', () => {});
  answer.body.destroy();
}
