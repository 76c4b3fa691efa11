import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printFields, printFraming, printRequestLine } from '../../../src/wire/print-head.ts';
import { readRequestHead } from '../../../src/wire/request-head.ts';
import { amidRubbish, faultOf, LIMITS } from './reading.ts';

function read(text: string) {
  const { buffer, start, end } = amidRubbish(text);
  return readRequestHead(buffer, start, end, LIMITS);
}

function whole(text: string) {
  const got = read(text);
  if (got === null) throw new Error('the head is not whole');
  return got;
}

describe('a request head', () => {
  it('is read with its fields in order, repeated ones too', () => {
    const { head, bytes } = whole(
      'POST /v1.51/x?a=%20b HTTP/1.1\r\nHost: docker\r\nX-A: 1\r\nx-a:  2\t \r\nEmpty:\r\n\r\nrest',
    );
    expect(bytes).toBe(
      Buffer.byteLength('POST /v1.51/x?a=%20b HTTP/1.1\r\nHost: docker\r\nX-A: 1\r\nx-a:  2\t \r\nEmpty:\r\n\r\n'),
    );
    expect(head).toEqual({
      method: 'POST',
      target: '/v1.51/x?a=%20b',
      minorVersion: 1,
      headers: ['Host', 'docker', 'X-A', '1', 'x-a', '2', 'Empty', ''],
      framing: { kind: 'none' },
      keepAlive: true,
      upgrade: null,
      expectsContinue: false,
    });
  });

  it('is not there before its empty line is, whatever an older read left behind it', () => {
    const text = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    for (let length = 0; length < text.length; length++) expect(read(text.slice(0, length))).toBeNull();
    expect(read(text)).not.toBeNull();
  });

  it('says how its body is framed', () => {
    expect(whole('PUT / HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 0012\r\n\r\n').head.framing).toEqual({
      kind: 'length',
      bytes: 12,
    });
    expect(whole('PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n').head.framing).toEqual({
      kind: 'chunked',
    });
    expect(whole('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n').head.framing).toEqual({ kind: 'none' });
    expect(whole('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9007199254740991\r\n\r\n').head.framing).toEqual({
      kind: 'length',
      bytes: Number.MAX_SAFE_INTEGER,
    });
  });

  it('says whether the connection stays', () => {
    expect(whole('GET / HTTP/1.1\r\nHost: x\r\n\r\n').head.keepAlive).toBe(true);
    expect(whole('GET / HTTP/1.1\r\nHost: x\r\nConnection: foo , CLOSE\r\n\r\n').head.keepAlive).toBe(false);
    expect(whole('GET / HTTP/1.0\r\n\r\n').head.keepAlive).toBe(false);
    expect(whole('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n').head.keepAlive).toBe(true);
    expect(
      whole('GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n').head.keepAlive,
    ).toBe(false);
    const listed = (second: string) => `GET / HTTP/1.0\r\nConnection: x\r\nConnection: ${second}\r\n\r\n`;
    expect(whole(listed('keep-alive')).head.keepAlive, 'Go looks for it in the first line alone').toBe(false);
  });

  it('gives the protocol of an upgrade with or without Connection', () => {
    expect(whole('POST / HTTP/1.1\r\nHost: x\r\nUpgrade: TCP\r\n\r\n').head.upgrade).toBe('tcp');
    expect(whole('POST / HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nUpgrade: H2C\r\n\r\n').head.upgrade).toBe('tcp, h2c');
  });

  it('knows the expectation of 100-continue, of 1.1 clients only', () => {
    expect(whole('PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n\r\n').head.expectsContinue).toBe(true);
    expect(whole('PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').head.expectsContinue).toBe(false);
  });

  it('takes the asterisk for OPTIONS', () => {
    expect(whole('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n').head.target).toBe('*');
  });

  it('takes bytes beyond ASCII in values, one character each', () => {
    expect(whole('GET / HTTP/1.1\r\nHost: x\r\nX: \xe9\xff\r\n\r\n').head.headers[3]).toBe('\xe9\xff');
  });

  const refused: [string, string, string][] = [
    ['a bare LF ends the request line', 'GET / HTTP/1.1\nHost: x\r\n\r\n', 'bare-lf'],
    ['a bare LF ends a field line', 'GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n', 'bare-lf'],
    ['bare LFs end the head', 'GET / HTTP/1.1\r\nHost: x\n\n', 'bare-lf'],
    ['a bare CR stands in a value', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n', 'bare-cr'],
    ['a bare CR ends the request line', 'GET / HTTP/1.1\rHost: x\r\n\r\n', 'bare-cr'],
    ['a line is folded', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n', 'folded-line'],
    ['the first field line begins with a space', 'GET / HTTP/1.1\r\n Host: x\r\n\r\n', 'folded-line'],
    ['a space stands before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 'space-before-colon'],
    ['a tab stands before the colon', 'GET / HTTP/1.1\r\nHost\t: x\r\n\r\n', 'space-before-colon'],
    ['a field has no name', 'GET / HTTP/1.1\r\n: x\r\n\r\n', 'bad-field-name'],
    ['a field has no colon', 'GET / HTTP/1.1\r\nHost\r\n\r\n', 'no-colon'],
    ['a name holds a byte beyond ASCII', 'GET / HTTP/1.1\r\nH\xf6st: x\r\n\r\n', 'bad-field-name'],
    ['a name holds NUL', 'GET / HTTP/1.1\r\nHo\0st: x\r\n\r\n', 'bad-field-name'],
    ['a value holds NUL', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n', 'control-character'],
    ['a value holds DEL', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n', 'control-character'],
    [
      'both framings are given',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
      'mixed-framing',
    ],
    [
      'the length is given twice',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n',
      'doubled-content-length',
    ],
    ['the length is a list', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n', 'bad-content-length'],
    ['the length has a sign', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n', 'bad-content-length'],
    ['the length is hexadecimal', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\n', 'bad-content-length'],
    ['the length is empty', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n', 'bad-content-length'],
    [
      'the length is 2^53',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9007199254740992\r\n\r\n',
      'bad-content-length',
    ],
    [
      'the coding is a list',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
      'unknown-transfer-encoding',
    ],
    [
      'the coding is identity',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n',
      'unknown-transfer-encoding',
    ],
    [
      'the coding is quoted',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "chunked"\r\n\r\n',
      'unknown-transfer-encoding',
    ],
    [
      'the coding has a vertical tab',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n',
      'control-character',
    ],
    [
      'the coding is given twice',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
      'doubled-transfer-encoding',
    ],
    [
      'a 1.0 request is chunked',
      'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n',
      'transfer-encoding-in-http10',
    ],
    ['Host is missing', 'GET / HTTP/1.1\r\n\r\n', 'missing-host'],
    ['Host is given twice', 'GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n', 'doubled-host'],
    ['Host is given twice in 1.0', 'GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n', 'doubled-host'],
    ['Host is none', 'GET / HTTP/1.1\r\nHost: x/y\r\n\r\n', 'bad-host'],
    ['the target is absolute', 'GET http://x/info HTTP/1.1\r\nHost: x\r\n\r\n', 'target-form'],
    ['the target is an authority', 'GET x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 'target-form'],
    ['the method is CONNECT', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 'connect-method'],
    ['the asterisk is not for OPTIONS', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n', 'target-form'],
    ['the target holds a space', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-version'],
    ['the target holds a tab', 'GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-target'],
    ['the target holds a byte beyond ASCII', 'GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-target'],
    ['the target holds NUL', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-target'],
    ['there is no target', 'GET HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-target'],
    ['two spaces separate', 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-target'],
    ['a space follows the version', 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n', 'bad-version'],
    ['the version is in lower case', 'GET / http/1.1\r\nHost: x\r\n\r\n', 'bad-version'],
    ['the version is another', 'GET / HTTP/1.2\r\nHost: x\r\n\r\n', 'bad-version'],
    ['the version has more digits', 'GET / HTTP/1.10\r\nHost: x\r\n\r\n', 'bad-version'],
    ['it is HTTP/0.9', 'GET /\r\nHost: x\r\n\r\n', 'bad-target'],
    ['it is HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2-preface'],
    ['an empty line comes first', '\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-method'],
    ['it is a TLS hello', '\x16\x03\x01', 'bad-method'],
    ['the method holds a space', ' GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'bad-method'],
    ['another expectation is given', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n', 'unknown-expectation'],
    [
      'the expectation is given twice',
      'GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n',
      'unknown-expectation',
    ],
  ];
  it.each(refused)('is refused where %s', (_what, text, code) => {
    expect(faultOf(() => read(text))).toBe(code);
  });

  it('is refused as soon as it is hopeless, not when it is whole', () => {
    expect(faultOf(() => read('GET / HTTP/1.1\nHost'))).toBe('bare-lf');
    expect(faultOf(() => read('GET / HTTP/1.1\r\nA: \0'))).toBe('control-character');
  });

  it('is refused over the limits of bytes and of fields', () => {
    expect(faultOf(() => read(`GET / HTTP/1.1\r\nHost: ${'x'.repeat(LIMITS.headBytes)}`))).toBe('head-too-large');
    expect(faultOf(() => read(`GET / HTTP/1.1\r\nHost: ${'x'.repeat(LIMITS.headBytes)}\r\n\r\n`))).toBe(
      'head-too-large',
    );
    const fields = 'a: b\r\n'.repeat(LIMITS.headers - 1);
    expect(read(`GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)).not.toBeNull();
    expect(faultOf(() => read(`GET / HTTP/1.1\r\nHost: x\r\na: b\r\n${fields}\r\n`))).toBe('too-many-headers');
  });

  it('costs linear time when it drips in byte by byte', () => {
    const limits = { headBytes: 256 * 1024, headers: 100 };
    const text = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(250 * 1024)}\r\n\r\n`);
    const startedAt = performance.now();
    for (let end = 1; end < text.length; end++) readRequestHead(text, 0, end, limits, end - 1);
    // Quadratic, these would be 3·10^10 bytes.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(readRequestHead(text, 0, text.length, limits, text.length - 1)).not.toBeNull();
  });

  it('is read back as it was meant when it was printed', () => {
    const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/);
    const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,30}[\x21-\x7e\x80-\xff])?$/);
    const plain = token.filter(
      (name) =>
        !/^(te|host|expect|upgrade|trailer|connection|keep-alive|content-length|proxy-connection|transfer-encoding)$/i.test(
          name,
        ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST', 'DELETE', 'M-SEARCH'),
        fc.stringMatching(/^\/[\x21-\x7e]{0,40}$/),
        fc.array(fc.tuple(plain, value), { maxLength: 20 }),
        fc.option(fc.nat(), { nil: undefined }),
        (method, target, pairs, length) => {
          const headers = ['Host', 'docker', ...pairs.flat()];
          const framing =
            length === undefined ? ({ kind: 'chunked' } as const) : ({ kind: 'length', bytes: length } as const);
          const printed = `${printRequestLine(method, target)}${printFields(headers)}${printFraming(framing)}\r\n`;
          const { head, bytes } = whole(printed);
          expect(bytes).toBe(printed.length);
          expect(head.method).toBe(method);
          expect(head.target).toBe(target);
          expect(head.headers.slice(0, -2)).toEqual(headers);
          expect(head.framing).toEqual(length === 0 ? { kind: 'none' } : framing);
        },
      ),
    );
  });
});
