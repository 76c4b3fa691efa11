import { describe, expect, it } from 'vitest';
import { endToEnd } from '../../../src/wire/end-to-end.ts';
import { printFields, printRequestLine, printStatusLine, printUpgrade } from '../../../src/wire/print-head.ts';
import { faultOf } from './reading.ts';

describe('a printed head', () => {
  it('keeps repeated fields and their order', () => {
    expect(printFields(['B', '1', 'A', '2', 'B', '3'])).toBe('B: 1\r\nA: 2\r\nB: 3\r\n');
  });

  it('never has the framing or connection fields of the caller beside its own', () => {
    const fields = [
      'Content-Length',
      '1',
      'transfer-encoding',
      'chunked',
      'Connection',
      'x',
      'Keep-Alive',
      'x',
      'Upgrade',
      'x',
      'TE',
      'x',
      'Trailer',
      'x',
      'Proxy-Connection',
      'x',
    ];
    expect(printFields([...fields, 'A', 'b'])).toBe('A: b\r\n');
  });

  it.each([
    ['a value with CR', () => printFields(['A', 'b\rc'])],
    ['a value with LF', () => printFields(['A', 'b\nC: d'])],
    ['a value with NUL', () => printFields(['A', '\0'])],
    ['a value that would become LF as latin1', () => printFields(['A', '\u010a'])],
    ['a name with a colon', () => printFields(['A: b', 'c'])],
    ['a name with LF', () => printFields(['A\n', 'c'])],
    ['an empty name', () => printFields(['', 'c'])],
    ['a name without a value', () => printFields(['A'])],
    ['a target with a space', () => printRequestLine('GET', '/a HTTP/1.1')],
    ['a target with LF', () => printRequestLine('GET', '/a\n')],
    ['a target beyond ASCII', () => printRequestLine('GET', '/\u010a')],
    ['a target that does not begin with a slash', () => printRequestLine('GET', 'http://x/')],
    ['a method with a space', () => printRequestLine('GET /', '/')],
    ['a status of two digits', () => printStatusLine(20, 'OK')],
    ['a reason with LF', () => printStatusLine(200, 'OK\n')],
    ['a protocol with LF', () => printUpgrade('tcp\r\nA: b')],
  ])('is not printed with %s', (_what, print) => {
    expect(faultOf(print)).toBe('unprintable');
  });
});

describe('end-to-end fields', () => {
  it('are all but those of one connection and what Connection names', () => {
    const headers = [
      'Host',
      'x',
      'Connection',
      'close, X-Secret ,upgrade',
      'x-secret',
      '1',
      'Upgrade',
      'tcp',
      'TE',
      'trailers',
      'A',
      '1',
      'a',
      '2',
      'Proxy-Authorization',
      'x',
      'Proxy-Authenticate',
      'x',
      'Proxy-Connection',
      'x',
      'Keep-Alive',
      'x',
      'Expect',
      '100-continue',
      'Content-Length',
      '3',
      'X-Registry-Auth',
      'y',
    ];
    expect(endToEnd(headers)).toEqual(['Host', 'x', 'A', '1', 'a', '2', 'X-Registry-Auth', 'y']);
  });

  it('are found by several Connection fields', () => {
    expect(endToEnd(['Connection', 'a', 'A', '1', 'connection', 'b', 'B', '2', 'C', '3'])).toEqual(['C', '3']);
  });
});
