import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCertificate } from '../../../src/front/identity/certificate.ts';
import { childrenOf, DerFault, readDer, textOf, timeOf } from '../../../src/front/identity/der.ts';
import { isPlainName } from '../../../src/front/identity/plain-name.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

test('whatever the bytes are, reading ends, in a certificate or in a fault', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const nested = fc.integer({ min: 1, max: 100 }).map((depth) => {
    let inner = Buffer.alloc(0);
    for (let i = 0; i < depth; i++)
      inner = Buffer.concat([Buffer.from([0x30, 0x81 - (inner.length < 128 ? 0x81 - inner.length : 0)]), inner]);
    return inner;
  });
  fc.assert(
    fc.property(fc.oneof(bytes, nested), (raw) => {
      expect(() => readCertificate(raw)).toThrow(DerFault);
    }),
    { numRuns: 2000 },
  );
});

test('lengths are the shortest, and nothing follows', () => {
  expect(childrenOf(readDer(hex('3003020105')))).toHaveLength(1);
  for (const wrong of ['3080020105', '308103020105', '30820003020105', '300302010500', '3004020105', '30', '1f0100']) {
    expect(() => readDer(hex(wrong))).toThrow(DerFault);
  }
});

test('strings are of their alphabet, and hold no NUL', () => {
  expect(textOf(readDer(hex('0c02c3a4')))).toBe('ä');
  expect(textOf(readDer(hex('1e020041')))).toBe('A');
  for (const wrong of [
    '0c02c328',
    '0c03610062',
    '13036100 62'.replace(' ', ''),
    '1603c3a461',
    '1e0200000041'.slice(0, 8),
    '14026162',
    '1e03004100',
  ]) {
    expect(() => textOf(readDer(hex(wrong)))).toThrow(DerFault);
  }
});

test('times are those of RFC 5280', () => {
  const time = (tag: string, text: string) =>
    timeOf(readDer(Buffer.concat([hex(tag), Buffer.from([text.length]), Buffer.from(text)])));
  expect(time('17', '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
  expect(time('17', '500101000000Z')).toBe(Date.UTC(1950, 0, 1));
  expect(time('18', '20500101000000Z')).toBe(Date.UTC(2050, 0, 1));
  for (const wrong of ['5001010000Z', '500101000000+0100', '20500101000000Z'])
    expect(() => time('17', wrong)).toThrow();
});

test('a name holds nothing that forges a line or looks like another name', () => {
  for (const name of ['alice', 'jürgen', 'alice@example.org', 'runner 7', 'a/b']) expect(isPlainName(name)).toBe(true);
  for (const name of ['', ' alice', 'a\nb', 'a\0', 'a\u2028b', 'a\u202eb', 'a\u200bb', '\ud800', 'x'.repeat(257)]) {
    expect(isPlainName(name)).toBe(false);
  }
});
