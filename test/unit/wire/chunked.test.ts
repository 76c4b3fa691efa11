import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkDecoder, printChunkLine } from '../../../src/wire/chunked.ts';
import { faultOf, LIMITS } from './reading.ts';

interface Decoded {
  body: string;
  done: boolean;
  trailers: readonly string[];
  rest: string;
}

/** Decodes `text`, cut into pieces at `cuts`. */
function decode(text: string, cuts: readonly number[] = []): Decoded {
  const decoder = new ChunkDecoder(LIMITS);
  const bytes = Buffer.from(text, 'latin1');
  const edges = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let body = '';
  for (let i = 1; i < edges.length && !decoder.done; i++) {
    const piece = Buffer.from(bytes.subarray(edges[i - 1], edges[i]));
    decoder.decode(piece, 0, piece.length);
    body += piece.toString('latin1', decoder.from, decoder.to);
    if (decoder.done) {
      const rest = piece.toString('latin1', decoder.next) + bytes.toString('latin1', edges[i] as number);
      return { body, done: true, trailers: decoder.trailers, rest };
    }
    expect(decoder.next).toBe(piece.length);
  }
  return { body, done: decoder.done, trailers: decoder.trailers, rest: '' };
}

describe('a chunked body', () => {
  it('is decoded, and what follows it is left', () => {
    expect(decode('5\r\nhello\r\n6;x="y"\r\n world\r\n0\r\n\r\nGET /')).toEqual({
      body: 'hello world',
      done: true,
      trailers: [],
      rest: 'GET /',
    });
  });

  it('may have trailers', () => {
    expect(decode('1\r\na\r\n0;last\r\nA: b\r\nC: d\r\n\r\nrest')).toEqual({
      body: 'a',
      done: true,
      trailers: ['A', 'b', 'C', 'd'],
      rest: 'rest',
    });
  });

  it('is decoded the same however it is cut', () => {
    const chunk = fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.constantFrom('', ';a', ';a=b', '; a="b c"'));
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,5}$/), fc.stringMatching(/^[a-z]{0,5}$/)), { maxLength: 3 }),
        fc.array(fc.nat({ max: 1000 }), { maxLength: 12 }),
        (chunks, trailers, cuts) => {
          let text = '';
          let body = '';
          for (const [data, extension] of chunks) {
            const latin1 = Buffer.from(data).toString('latin1');
            text += `${latin1.length.toString(16)}${extension}\r\n${latin1}\r\n`;
            body += latin1;
          }
          text += `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\nrest`;
          expect(decode(text, cuts)).toEqual({ body, done: true, trailers: trailers.flat(), rest: 'rest' });
        },
      ),
    );
  });

  it('is not done before its last byte', () => {
    const text = '2\r\nab\r\n0\r\nA: b\r\n\r\n';
    for (let length = 0; length < text.length; length++) expect(decode(text.slice(0, length)).done).toBe(false);
    expect(decode(text).done).toBe(true);
  });

  it.each([
    ['a sign', '+5\r\nhello\r\n'],
    ['an underscore', '1_0\r\n'],
    ['a prefix', '0x5\r\nhello\r\n'],
    ['white space before the size', ' 5\r\nhello\r\n'],
    ['white space behind the size', '5 \r\nhello\r\n'],
    ['no size', '\r\n'],
    ['an extension without a size', ';x\r\n'],
    ['a bare LF behind the size', '5\nhello\r\n'],
    ['a bare LF behind an extension', '5;x\nhello\r\n'],
    ['a bare CR behind the size', '5\rhello\r\n'],
    ['a bare LF behind the data', '5\r\nhello\n'],
    ['more data than its size says', '5\r\nhello!\r\n'],
    ['a control character in an extension', '5;\0\r\nhello\r\n'],
    ['fourteen digits', '00000000000005\r\nhello\r\n'],
    ['a trailer that ends with a bare LF', '0\r\nA: b\n\r\n'],
  ])('is refused with %s', (_what, text) => {
    expect(faultOf(() => decode(text))).toMatch(/^bad-chunk$/);
    expect(
      faultOf(() =>
        decode(
          text,
          [...text].map((_, i) => i),
        ),
      ),
    ).toMatch(/^bad-chunk$/);
  });

  it.each([
    ['folded', '0\r\nA: b\r\n c\r\n\r\n', 'folded-line'],
    ['without a colon', '0\r\nA\r\n\r\n', 'no-colon'],
    ['with a space in its name', '0\r\nA : b\r\n\r\n', 'space-before-colon'],
    ['of another framing', '0\r\nContent-Length: 5, 5\r\n\r\n', 'bad-content-length'],
  ])('is refused with a trailer %s', (_what, text, code) => {
    expect(faultOf(() => decode(text))).toBe(code);
  });

  it('is refused when its extensions flow for ever, in one chunk or in many', () => {
    expect(faultOf(() => decode(`5;${'x'.repeat(5000)}`))).toBe('chunk-extensions-too-large');
    expect(faultOf(() => decode(`1;${'x'.repeat(1000)}\r\na\r\n`.repeat(20)))).toBe('chunk-extensions-too-large');
  });

  it('is refused when its trailers are too large or too many', () => {
    expect(faultOf(() => decode(`0\r\nA: ${'x'.repeat(LIMITS.headBytes)}`))).toBe('trailers-too-large');
    expect(faultOf(() => decode(`0\r\nA: ${'x'.repeat(LIMITS.headBytes)}\r\n\r\n`))).toBe('trailers-too-large');
    expect(faultOf(() => decode(`0\r\n${'a: b\r\n'.repeat(LIMITS.headers + 1)}\r\n`))).toBe('too-many-headers');
  });

  it('is printed with sizes that are read back', () => {
    expect(printChunkLine(255)).toBe('ff\r\n');
  });
});
