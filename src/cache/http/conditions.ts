/** Conditional requests, answered from what is stored (RFC 9110 §13), and those that ask the origin for it. */

import type { RawHeaders } from '../../wire/message.ts';
import { fieldValue, has, linesOf, membersOf } from './fields.ts';
import { readDate } from './http-date.ts';
import type { StoredAnswer } from './stored-answer.ts';

const CONDITIONAL = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since'] as const;

export function isConditional(request: RawHeaders): boolean {
  return CONDITIONAL.some((name) => has(request, name));
}

/** Those of the client, as it said them. */
export function conditionsOf(request: RawHeaders): RawHeaders {
  return [...CONDITIONAL, 'if-range'].flatMap((name) => linesOf(request, name).flatMap((value) => [name, value]));
}

/** 304 or 412 where the conditions say so; null where the answer goes out as it is. */
export function statusByConditions(request: RawHeaders, answer: StoredAnswer): 304 | 412 | null {
  if (answer.status !== 200) return null;
  const tag = fieldValue(answer.headers, 'etag');
  const modified = readDate(fieldValue(answer.headers, 'last-modified') ?? '', answer.answeredMs);
  const match = linesOf(request, 'if-match');
  if (match.length > 0) {
    if (!isAny(match) && !(tag !== null && membersOf(match).some((one) => strongly(one, tag)))) return 412;
  } else if (has(request, 'if-unmodified-since')) {
    const since = readDate(fieldValue(request, 'if-unmodified-since') ?? '', answer.answeredMs);
    if (since !== null && modified !== null && modified > since) return 412;
  }
  const noneMatch = linesOf(request, 'if-none-match');
  // RFC 9110 §13.1.3: If-Modified-Since does not count beside If-None-Match.
  if (noneMatch.length > 0) {
    return isAny(noneMatch) || (tag !== null && membersOf(noneMatch).some((one) => weakly(one, tag))) ? 304 : null;
  }
  const since = readDate(fieldValue(request, 'if-modified-since') ?? '', answer.answeredMs);
  if (since === null) return null;
  // RFC 9111 §4.3.2: without Last-Modified by Date, and without that by when it came.
  const made = modified ?? readDate(fieldValue(answer.headers, 'date') ?? '', answer.answeredMs) ?? answer.answeredMs;
  return made <= since ? 304 : null;
}

/** What the origin is asked with, so that it need not send again what is here. Empty: it has to. */
export function validators(answer: StoredAnswer): RawHeaders {
  const tag = fieldValue(answer.headers, 'etag');
  const modified = fieldValue(answer.headers, 'last-modified');
  return [
    ...(tag === null ? [] : ['If-None-Match', tag]),
    ...(modified === null ? [] : ['If-Modified-Since', modified]),
  ];
}

/** What `If-Range` may name: bytes from two answers that agree in it are of one file. Null where there is none. */
export function strongValidator(headers: RawHeaders): string | null {
  const tag = fieldValue(headers, 'etag');
  if (tag !== null) return /^"[^"]*"$/.test(tag) ? tag : null;
  const [modified = ''] = linesOf(headers, 'last-modified');
  const at = readDate(modified, Date.now());
  const date = readDate(linesOf(headers, 'date')[0] ?? '', Date.now());
  // RFC 9110 §8.8.2.2: within the same second it may have changed twice.
  return at !== null && date !== null && date - at >= 1000 ? modified : null;
}

/** Whether the range is wanted of this very answer (RFC 9110 §13.1.5). */
export function rangeHolds(request: RawHeaders, answer: Pick<StoredAnswer, 'headers'>): boolean {
  const wanted = fieldValue(request, 'if-range');
  if (wanted === null) return true;
  const tag = fieldValue(answer.headers, 'etag');
  if (wanted.startsWith('"') || wanted.startsWith('W/')) return tag !== null && strongly(wanted, tag);
  const modified = fieldValue(answer.headers, 'last-modified');
  const a = readDate(wanted, Date.now());
  return a !== null && modified !== null && a === readDate(modified, Date.now()) && hasSettled(answer.headers);
}

function hasSettled(headers: RawHeaders): boolean {
  const date = readDate(linesOf(headers, 'date')[0] ?? '', Date.now());
  const modified = readDate(linesOf(headers, 'last-modified')[0] ?? '', Date.now());
  return date !== null && modified !== null && date - modified >= 1000;
}

function isAny(lines: readonly string[]): boolean {
  return lines.length === 1 && lines[0] === '*';
}

function strongly(a: string, b: string): boolean {
  return a === b && a.startsWith('"');
}

function weakly(a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '');
}
