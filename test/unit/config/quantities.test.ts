import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationPattern, formatDuration, parseDuration } from '../../../src/ground/duration.ts';
import { formatSize, parseSize, sizePattern } from '../../../src/ground/size.ts';

describe('durations', () => {
  test.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1m250ms', 60_250],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(text).toMatch(new RegExp(durationPattern));
  });

  test.each([
    '',
    '30',
    's',
    '30S',
    '1.5h',
    '-1s',
    '1 s',
    ' 1s',
    '1s ',
    '30m1h',
    '1s1s',
    '1h30',
    '99999999999999999d',
    '30s\n',
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('what is printed is read back as it was', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => {
        const text = formatDuration(ms);
        expect(parseDuration(text)).toBe(ms);
        expect(text).toMatch(new RegExp(durationPattern));
      }),
    );
  });

  test('no text is read that editors would mark', () => {
    const text = fc.string({ unit: fc.constantFrom('1', '0', 'h', 'm', 's', 'd', 'ms'), maxLength: 8 });
    fc.assert(
      fc.property(text, (input) => {
        expect(parseDuration(input) !== undefined).toBe(new RegExp(durationPattern).test(input));
      }),
    );
  });
});

describe('sizes', () => {
  test.each([
    ['64KiB', 65_536],
    ['50GiB', 53_687_091_200],
    ['1GB', 1_000_000_000],
    ['1kB', 1000],
    ['1KB', 1000],
    ['4096', 4096],
    ['12B', 12],
    ['2TiB', 2 ** 41],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
    expect(text).toMatch(new RegExp(sizePattern));
  });

  test.each([
    '',
    'KiB',
    '1G',
    '1g',
    '1kib',
    '1.5GiB',
    '-1',
    '1 GB',
    '1GB ',
    '9999PiB',
    '0x10',
    'constructor',
    '1constructor',
  ])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('what is printed is read back as it was', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
        expect(formatSize(bytes)).toMatch(new RegExp(sizePattern));
      }),
    );
  });

  test('the largest unit that fits exactly is printed', () => {
    expect(formatSize(65_536)).toBe('64KiB');
    expect(formatSize(1_000_000_000)).toBe('1GB');
    expect(formatSize(1500)).toBe('1500B');
    expect(formatSize(0)).toBe('0B');
  });
});
