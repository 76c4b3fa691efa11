import { describe, expect, it } from 'vitest';
import { readAnswerHead } from '../../../src/wire/answer-head.ts';
import { amidRubbish, faultOf, LIMITS } from './reading.ts';

function read(text: string, method = 'GET') {
  const { buffer, start, end } = amidRubbish(text);
  return readAnswerHead(buffer, start, end, LIMITS, method);
}

function whole(text: string, method = 'GET') {
  const got = read(text, method);
  if (got === null) throw new Error('the head is not whole');
  return got.head;
}

describe('the head of an answer', () => {
  it('is read with status, reason and fields', () => {
    expect(whole('HTTP/1.1 404 Not  Found \xe9\r\nA: b\r\na: c\r\nContent-Length: 7\r\n\r\n')).toEqual({
      status: 404,
      reason: 'Not  Found \xe9',
      headers: ['A', 'b', 'a', 'c', 'Content-Length', '7'],
      framing: { kind: 'length', bytes: 7 },
      keepAlive: true,
      upgrade: null,
    });
  });

  it('may have an empty reason, with and without the space before it', () => {
    expect(whole('HTTP/1.1 200 \r\n\r\n').reason).toBe('');
    expect(whole('HTTP/1.1 200\r\n\r\n').reason).toBe('');
  });

  it('gives no body to HEAD, 1xx, 204 and 304, whatever the fields say', () => {
    const none = { kind: 'none' };
    expect(whole('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', 'HEAD').framing).toEqual(none);
    expect(whole('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD').framing).toEqual(none);
    expect(whole('HTTP/1.1 204 No Content\r\n\r\n').framing).toEqual(none);
    expect(whole('HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n').framing).toEqual(none);
    expect(whole('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')).toMatchObject({
      framing: none,
      upgrade: 'tcp',
    });
  });

  it('without a length ends with the connection, which then does not stay', () => {
    expect(whole('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n')).toMatchObject({
      framing: { kind: 'close' },
      keepAlive: false,
    });
  });

  it('of HTTP/1.0 lets the connection stay only where it says so', () => {
    expect(whole('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n').keepAlive).toBe(false);
    expect(whole('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n').keepAlive).toBe(true);
  });

  it.each([
    ['the version is another', 'HTTP/2.0 200 OK\r\n\r\n', 'bad-version'],
    ['it is no HTTP', 'ICY 200 OK\r\n\r\n', 'bad-version'],
    ['the status has two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'bad-status'],
    ['the status has four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'bad-status'],
    ['the status is below 100', 'HTTP/1.1 099 OK\r\n\r\n', 'bad-status'],
    ['the reason holds a control character', 'HTTP/1.1 200 O\x01K\r\n\r\n', 'control-character'],
    ['the reason holds a bare CR', 'HTTP/1.1 200 O\rK\r\n\r\n', 'bare-cr'],
    [
      'both framings are given',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
      'mixed-framing',
    ],
    [
      'the length is given twice',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n',
      'doubled-content-length',
    ],
    ['the coding is another', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', 'unknown-transfer-encoding'],
    ['a line is folded', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', 'folded-line'],
  ])('is refused where %s', (_what, text, code) => {
    expect(faultOf(() => read(text))).toBe(code);
  });
});
