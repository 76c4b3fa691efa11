/** What a 304, or an answer to HEAD, makes of what is stored (RFC 9111 §3.2, §4.3.4, §4.3.5). */

import type { RawHeaders } from '../../wire/message.ts';
import { directivesOfAnswer } from './directives.ts';
import { fieldValue, has, without } from './fields.ts';
import { storableFields } from './storable.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** They say how the stored bytes are to be read: another body's would make them wrong (RFC 9111 §3.2). */
const OF_THE_BODY = new Set(['content-encoding', 'content-range', 'content-length']);

interface News {
  readonly headers: RawHeaders;
  readonly requestedMs: number;
  readonly answeredMs: number;
}

export function refreshed(answer: StoredAnswer, news: News): StoredAnswer {
  const fields = without(storableFields(news.headers, directivesOfAnswer(news.headers)), (name) =>
    OF_THE_BODY.has(name),
  );
  const kept = without(answer.headers, (name) => name === 'age' || has(fields, name));
  return { ...answer, headers: [...kept, ...fields], requestedMs: news.requestedMs, answeredMs: news.answeredMs };
}

/** Whether an answer to HEAD is about the body that is stored; else that one has had its day. */
export function describes(answer: StoredAnswer, head: RawHeaders): boolean {
  const length = fieldValue(head, 'content-length');
  if (length !== null && Number(length) !== answer.length) return false;
  return ['etag', 'last-modified'].every((name) => {
    const told = fieldValue(head, name);
    return told === null || told === fieldValue(answer.headers, name);
  });
}
