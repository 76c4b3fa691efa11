import { expect, test } from 'vitest';
import { readAnswerHead } from '../../../src/wire/answer-head.ts';
import { KnownHeads } from '../../../src/wire/known-heads.ts';
import type { AnswerHead, RequestHead } from '../../../src/wire/message.ts';
import { readRequestHead } from '../../../src/wire/request-head.ts';

const LIMITS = { headBytes: 4096, headers: 100 };

function readRequest(text: string, known: KnownHeads<RequestHead>): RequestHead | undefined {
  const bytes = Buffer.from(text, 'latin1');
  return readRequestHead(bytes, 0, bytes.length, LIMITS, 0, known)?.head;
}

function readAnswer(text: string, method: string, known: KnownHeads<AnswerHead>): AnswerHead | undefined {
  const bytes = Buffer.from(text, 'latin1');
  return readAnswerHead(bytes, 0, bytes.length, LIMITS, method, 0, known)?.head;
}

test('the same bytes are the same head, others are not', () => {
  const known = new KnownHeads<RequestHead>();
  const one = readRequest('GET /a HTTP/1.1\r\nHost: x\r\n\r\n', known);
  expect(readRequest('GET /a HTTP/1.1\r\nHost: x\r\n\r\n', known)).toBe(one);
  const other = readRequest('GET /b HTTP/1.1\r\nHost: x\r\n\r\n', known);
  expect(other).not.toBe(one);
  expect(other?.target).toBe('/b');
});

test('what follows a known head is not part of it', () => {
  const known = new KnownHeads<RequestHead>();
  const text = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
  readRequest(text, known);
  const bytes = Buffer.from(`${text}${text}`, 'latin1');
  expect(readRequestHead(bytes, 0, bytes.length, LIMITS, 0, known)?.bytes).toBe(text.length);
});

test('a head with a credential is read anew every time, and so is one with a body', () => {
  const known = new KnownHeads<RequestHead>();
  for (const text of [
    'GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eA==\r\n\r\n',
    'GET /a HTTP/1.1\r\nHost: x\r\nX-Registry-Auth: e30=\r\n\r\n',
    'GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n',
    'POST /build?remote=https://user:secret@x HTTP/1.1\r\nHost: x\r\n\r\n',
  ]) {
    const one = readRequest(text, known);
    expect(readRequest(text, known)).toEqual(one);
    expect(readRequest(text, known)).not.toBe(one);
  }
});

test('an answer to HEAD and the same head to GET are framed each in its way', () => {
  const known = new KnownHeads<AnswerHead>();
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
  expect(readAnswer(text, 'HEAD', known)?.framing).toEqual({ kind: 'none' });
  expect(readAnswer(text, 'GET', known)?.framing).toEqual({ kind: 'length', bytes: 5 });
  expect(readAnswer(text, 'HEAD', known)?.framing).toEqual({ kind: 'none' });
});

test('however many heads there are, few are kept', () => {
  const known = new KnownHeads<{ n: number }>();
  for (let n = 0; n < 10_000; n++) known.keep(`head ${n}`, { n });
  let kept = 0;
  for (let n = 0; n < 10_000; n++) if (known.find(`head ${n}`) !== undefined) kept++;
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThanOrEqual(256);
  known.keep('x'.repeat(5000), { n: 0 });
  expect(known.find('x'.repeat(5000))).toBeUndefined();
});
