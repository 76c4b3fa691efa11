import { describe, expect, test } from 'vitest';
import {
  conditionsOf,
  isConditional,
  rangeHolds,
  statusByConditions,
  strongValidator,
  validators,
} from '../../../src/cache/http/conditions.ts';
import { readContentRange, readRange } from '../../../src/cache/http/ranges.ts';
import { SiteRules } from '../../../src/cache/http/site-rules.ts';
import { date, type Fields, fields, stored } from './said.ts';

const answered = (answer: Fields, request: Fields) => statusByConditions(fields(request), stored(answer));

describe('a conditional request', () => {
  test.each([
    ['that has the tag', { ETag: '"a"' }, { 'If-None-Match': '"a"' }],
    ['that has the tag among others', { ETag: '"a"' }, { 'If-None-Match': '"b", "a", "c"' }],
    ['that has the tag as a weak one', { ETag: 'W/"a"' }, { 'If-None-Match': '"a"' }],
    ['that has any', {}, { 'If-None-Match': '*' }],
    ['that has the date', { 'Last-Modified': date(-60) }, { 'If-Modified-Since': date(-60) }],
    ['that has a later date', { 'Last-Modified': date(-60) }, { 'If-Modified-Since': date(-30) }],
    [
      'that has the tag and an older date',
      { ETag: '"a"', 'Last-Modified': date(-60) },
      { 'If-None-Match': '"a"', 'If-Modified-Since': date(-90) },
    ],
    ['that has a date from after an answer without one', {}, { 'If-Modified-Since': date(10) }],
  ])('%s is told that nothing has changed', (_, answer, request) => {
    expect(answered(answer, request)).toBe(304);
  });

  test.each([
    ['that has another tag', { ETag: '"a"' }, { 'If-None-Match': '"b"' }],
    [
      'that has another tag and the same date',
      { ETag: '"a"', 'Last-Modified': date(-60) },
      { 'If-None-Match': '"b"', 'If-Modified-Since': date(-60) },
    ],
    ['that has an older date', { 'Last-Modified': date(-60) }, { 'If-Modified-Since': date(-90) }],
    ['that has what is no date', { 'Last-Modified': date(-60) }, { 'If-Modified-Since': 'yesterday' }],
    ['that wants the tag that is there', { ETag: '"a"' }, { 'If-Match': '"a"' }],
  ])('%s is given the answer', (_, answer, request) => {
    expect(answered(answer, request)).toBeNull();
  });

  test.each([
    ['another tag', { ETag: '"a"' }, { 'If-Match': '"b"' }],
    ['a weak tag', { ETag: 'W/"a"' }, { 'If-Match': 'W/"a"' }],
    ['that it has not changed, which it has', { 'Last-Modified': date(-60) }, { 'If-Unmodified-Since': date(-90) }],
  ])('that wants %s fails', (_, answer, request) => {
    expect(answered(answer, request)).toBe(412);
  });

  test('is passed on as it was said where nothing is known', () => {
    const request = fields({ 'If-None-Match': ['"a"', '"b"'], 'If-Range': '"a"', Accept: '*/*' });
    expect(isConditional(request)).toBe(true);
    expect(conditionsOf(request)).toEqual(fields({ 'if-none-match': ['"a"', '"b"'], 'if-range': '"a"' }));
    expect(isConditional(fields({ 'If-Range': '"a"' }))).toBe(false);
  });

  test('of ours names all that is known', () => {
    expect(validators(stored({ ETag: '"a"', 'Last-Modified': date(-60) }))).toEqual(
      fields({ 'If-None-Match': '"a"', 'If-Modified-Since': date(-60) }),
    );
    expect(validators(stored({}))).toEqual([]);
  });
});

describe('a range', () => {
  test.each([
    ['bytes=0-1', 0, 1],
    ['bytes=4-', 4, 9],
    ['bytes=-3', 7, 9],
    ['bytes=-30', 0, 9],
    ['bytes=4-100', 4, 9],
  ])('%s of ten bytes', (value, first, last) => {
    expect(readRange(value, 10)).toEqual({ kind: 'range', first, last });
  });

  test.each(['bytes=10-', 'bytes=-0'])('%s of ten bytes lies beyond', (value) => {
    expect(readRange(value, 10)).toEqual({ kind: 'beyond' });
  });

  test.each(['bytes=0-1,3-4', 'bytes=5-4', 'lines=0-1', 'bytes=-', 'bytes=a-b', null])(
    '%s is answered with the whole',
    (value) => {
      expect(readRange(value, 10)).toEqual({ kind: 'whole' });
    },
  );

  test('of nothing is nothing from its end, and beyond it from its beginning', () => {
    expect(readRange('bytes=-3', 0)).toEqual({ kind: 'whole' });
    expect(readRange('bytes=0-', 0)).toEqual({ kind: 'beyond' });
  });

  test('of an answer is read strictly', () => {
    expect(readContentRange('bytes 4-9/10')).toEqual({ first: 4, last: 9, total: 10 });
    expect(readContentRange('bytes 4-9/*')).toEqual({ first: 4, last: 9, total: null });
    for (const text of ['bytes 4-10/10', 'bytes 9-4/10', 'bytes */10', '4-9/10', null]) {
      expect(readContentRange(text)).toBeNull();
    }
  });

  test('is of the answer that If-Range names, or else the whole is sent', () => {
    const holds = (answer: Fields, value: string) => rangeHolds(fields({ 'If-Range': value }), stored(answer));
    expect(holds({ ETag: '"a"' }, '"a"')).toBe(true);
    expect(holds({ ETag: '"a"' }, '"b"')).toBe(false);
    expect(holds({ ETag: 'W/"a"' }, 'W/"a"')).toBe(false);
    expect(holds({ 'Last-Modified': date(-60) }, date(-60))).toBe(true);
    expect(holds({ 'Last-Modified': date(-60) }, date(-50))).toBe(false);
    expect(holds({ 'Last-Modified': date(0) }, date(0))).toBe(false);
  });

  test('is asked of a broken origin only by what names the very bytes', () => {
    const named = (answer: Fields) => strongValidator(fields({ Date: date(0), ...answer }));
    expect(named({ ETag: '"a"', 'Last-Modified': date(-60) })).toBe('"a"');
    expect(named({ ETag: 'W/"a"', 'Last-Modified': date(-60) })).toBeNull();
    expect(named({ 'Last-Modified': date(-60) })).toBe(date(-60));
    expect(named({ 'Last-Modified': date(0) })).toBeNull();
  });
});

test('the first rule that fits counts', () => {
  const rules = new SiteRules([
    { host: 'a.example.org', path: '/pool/**', minFresh: 60_000, forward: ['X-One'] },
    { host: '*.example.org', path: '/**', maxFresh: 5000, forward: ['*'] },
  ]);
  expect(rules.for(new URL('http://a.example.org/pool/x/y.deb'))).toMatchObject({
    minFreshSeconds: 60,
    maxFreshSeconds: null,
  });
  expect(rules.for(new URL('http://a.example.org/dists/x'))).toMatchObject({ maxFreshSeconds: 5, forward: null });
  expect(new SiteRules([]).for(new URL('http://a.example.org/'))).toMatchObject({ minFreshSeconds: null });
});
