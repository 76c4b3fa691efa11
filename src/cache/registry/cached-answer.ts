/** Answers of the cache, in the words of RFC 9211 (Cache-Status) and RFC 9111 (Age, Warning). */

import { Readable } from 'node:stream';
import type { Body } from '../store.ts';
import type { Manifest } from './kept-manifests.ts';
import type { Outcome } from './mirror-tally.ts';
import type { UpstreamAnswer } from './upstream.ts';

/** Nobody follows a relative place from it. */
export const NOWHERE = new URL('http://cache.invalid/');

export function cacheHeaders(outcome: Outcome): Record<string, string> {
  switch (outcome) {
    case 'stale':
      return { 'cache-status': 'berthgate; hit; detail=stale', warning: '110 berthgate "Response is Stale"' };
    case 'hit':
    case 'follower':
      return { 'cache-status': 'berthgate; hit' };
    case 'checked':
      return { 'cache-status': 'berthgate; hit; detail=checked' };
    case 'miss':
      return { 'cache-status': 'berthgate; fwd=miss; stored' };
    case 'pass':
      return { 'cache-status': 'berthgate; fwd=bypass' };
  }
}

export function manifestAnswer(
  { digest, mediaType, size }: Manifest,
  body: Buffer | Body | null,
  headers: Readonly<Record<string, string>>,
  outcome: Outcome,
): UpstreamAnswer {
  const etag = `"${digest}"`;
  const told = { etag, 'docker-content-digest': digest, ...cacheHeaders(outcome) };
  if (namesTag(headers['if-none-match'], etag)) {
    if (body !== null && !Buffer.isBuffer(body)) body.close();
    return { status: 304, headers: told, body: Readable.from([]), url: NOWHERE };
  }
  return {
    status: 200,
    headers: { 'content-type': mediaType, 'content-length': String(size), ...told },
    body: bodyOf(body),
    url: NOWHERE,
  };
}

function bodyOf(body: Buffer | Body | null): UpstreamAnswer['body'] {
  if (body !== null && !Buffer.isBuffer(body)) return { kept: body, range: { start: 0, end: null } };
  return Readable.from(body === null || body.length === 0 ? [] : [body]);
}

/** RFC 9110 §13.1.2; weak comparison. */
function namesTag(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
