import { describe, expect, test } from 'vitest';
import { readDate } from '../../../src/cache/http/http-date.ts';
import { noRule } from '../../../src/cache/http/site-rules.ts';
import { date, type Fields, later, NOW, standsInAfter, stored } from './said.ts';

const kept = (seconds: number, answer: Fields, status = 200) => later(seconds, stored(answer, { status })).use;
const cc = (value: string | readonly string[]): Fields => ({ 'Cache-Control': value });

describe('an answer is fresh', () => {
  test.each([
    ['as long as max-age says', cc('max-age=60'), 59],
    ['by s-maxage before max-age', cc('max-age=1, s-maxage=60'), 59],
    ['by max-age before Expires', { ...cc('max-age=60'), Expires: date(-10) }, 59],
    ['by max-age where Expires is no date', { ...cc('max-age=60'), Expires: '0' }, 59],
    ['until Expires', { Expires: date(60) }, 59],
    ['until Expires where Date is no date', { Expires: date(60), Date: 'foo' }, 59],
    ['by a directive in any case, beside unknown ones', cc('foobar, MaX-aGe=60'), 59],
    ['by a number with leading zeros', cc('max-age=0060'), 59],
    ['by a quoted number', cc('max-age="60"'), 59],
    ['by a number beyond what fits 32 bits', cc('max-age=99999999999'), 1e9],
    ['by CDN-Cache-Control before everything else', { 'CDN-Cache-Control': 'max-age=60', ...cc('no-store') }, 59],
    ['for a tenth of the time since it last changed', { 'Last-Modified': date(-1000) }, 99],
  ])('%s', (_, answer, seconds) => {
    expect(kept(seconds, answer)).toBe('fresh');
  });

  test('no longer than that', () => {
    expect(kept(60, cc('max-age=60'))).toBe('revalidate');
    expect(kept(60, { Expires: date(60) })).toBe('revalidate');
    expect(kept(100, { 'Last-Modified': date(-1000) })).toBe('revalidate');
    expect(kept(86_401, { 'Last-Modified': date(-1e9) })).toBe('revalidate');
  });
});

describe('an answer is stale at once', () => {
  test.each([
    ['with max-age=0', cc('max-age=0')],
    ['with a negative age', cc('max-age=-60')],
    ['with an age in single quotes', cc("max-age='60'")],
    ['with an age that ends in letters', cc('max-age=60a')],
    ['with a space before the equals sign', cc('max-age =60')],
    ['with a space after the equals sign', cc('max-age= 60')],
    ['with two ages that differ', cc(['max-age=60', 'max-age=90'])],
    ['with max-age in the text of another directive alone', cc('extension="max-age=60"')],
    ['with a short s-maxage', cc(['max-age=60', 's-maxage=0'])],
    ['with Expires in the past', { Expires: date(-1) }],
    ['with Expires at Date', { Expires: date(0) }],
    ['with Expires before Date though after now', { Date: date(400), Expires: date(300) }],
    ['with Expires that is no date', { Expires: '0' }],
    ['with two Expires', { Expires: [date(60), date(60)] }],
    ['with an Age beyond its life', { ...cc('max-age=60'), Age: '7200' }],
    ['with an old Date', { ...cc('max-age=60'), Date: date(-100) }],
    ['with a short CDN-Cache-Control', { 'CDN-Cache-Control': 'max-age=0', ...cc('max-age=60') }],
    ['with neither a life nor Last-Modified', { ETag: '"a"' }],
    ['with no-cache', cc('max-age=60, no-cache')],
  ])('%s', (_, answer) => {
    expect(kept(1, answer)).not.toBe('fresh');
  });

  test('where the status is not one to keep by heuristics', () => {
    const old = { 'Last-Modified': date(-86_400) };
    for (const status of [201, 202, 302, 403, 502, 503, 504, 599]) expect(kept(1, old, status)).toBe('revalidate');
    for (const status of [200, 203, 204, 301, 404, 405, 410, 414, 501]) expect(kept(1, old, status)).toBe('fresh');
    expect(kept(1, { ...old, ...cc('public') }, 599)).toBe('fresh');
  });
});

describe('Age', () => {
  test.each([
    ['is what the origin says and the time since then', '30', 42],
    ['is the first of a list', '30, 7200', 42],
    ['does not count where it is no number', 'abc', 12],
    ['does not count where it is negative', '-7200', 12],
    ['does not count where it is a fraction', '7200.0', 12],
  ])('%s', (_, age, expected) => {
    expect(later(12, stored({ ...cc('max-age=60'), Age: age })).ageSeconds).toBe(expected);
  });

  test('includes how long the origin took', () => {
    const slow = { ...stored(cc('max-age=60')), requestedMs: NOW - 5000 };
    expect(later(1, slow).ageSeconds).toBe(6);
  });
});

describe('a targeted field', () => {
  test.each([
    ['of an unknown type', 'max-age=60, &&&&'],
    ['with a string where a number belongs', 'max-age="60"'],
    ['with a comma behind its end', 'max-age=60,'],
    ['that is empty', ''],
  ])('%s does not exist', (_, value) => {
    expect(kept(1, { 'CDN-Cache-Control': value, ...cc('max-age=0') })).toBe('revalidate');
  });

  test('may have parameters, and the last of two keys counts', () => {
    expect(kept(59, { 'CDN-Cache-Control': 'max-age=0, max-age=60;x="y"', ...cc('max-age=0') })).toBe('fresh');
  });
});

describe('a date', () => {
  test.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT'],
    ['Sunday, 06-Nov-94 08:49:37 GMT'],
    ['Sun Nov  6 08:49:37 1994'],
    ['SUN, 06 NOV 1994 08:49:37 gmt'],
  ])('may be %s', (text) => {
    expect(readDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
  });

  test.each([
    ['Sun, 06 Nov 1994 08:49:37 UTC'],
    ['Sun, 06 Nov 94 08:49:37 GMT'],
    ['Sun 06 Nov 1994 08:49:37 GMT'],
    ['Sun, 06  Nov  1994 08:49:37 GMT'],
    ['Sun, 06-Nov-1994 08:49:37 GMT'],
    ['Sun, 06 Nov 1994 08.49.37 GMT'],
    ['Sun, 06 Nov 1994 8:49:37 GMT'],
    ['Sun, 31 Feb 1994 08:49:37 GMT'],
  ])('may not be %s', (text) => {
    expect(readDate(text, NOW)).toBeNull();
  });

  test('of two digits is within fifty years', () => {
    expect(readDate('Thursday, 18-Aug-50 02:01:18 GMT', NOW)).toBe(Date.UTC(2050, 7, 18, 2, 1, 18));
  });
});

describe('a client', () => {
  const fresh = stored(cc('max-age=100'));
  test.each([
    ['that says no-cache gets what the origin says now', { 'Cache-Control': 'no-cache' }, 10, 'revalidate'],
    [
      'that says max-age=0, as apt does, gets what the origin says now',
      { 'Cache-Control': 'max-age=0' },
      0,
      'revalidate',
    ],
    ['that wants it no older than it is does not get it', { 'Cache-Control': 'max-age=5' }, 10, 'revalidate'],
    ['that wants it no older than something else gets it', { 'Cache-Control': 'max-age=15' }, 10, 'fresh'],
    ['that wants it fresh for longer does not get it', { 'Cache-Control': 'min-fresh=95' }, 10, 'revalidate'],
    ['that takes stale ones gets it', { 'Cache-Control': 'max-stale=20' }, 110, 'stale'],
    ['that takes stale ones does not get older ones', { 'Cache-Control': 'max-stale=5' }, 110, 'revalidate'],
    ['with Pragma alone is heard', { Pragma: 'no-cache' }, 10, 'revalidate'],
    ['with Pragma beside Cache-Control is not', { Pragma: 'no-cache', 'Cache-Control': 'foo' }, 10, 'fresh'],
  ])('%s', (_, request, seconds, use) => {
    expect(later(seconds, fresh, request).use).toBe(use);
  });

  test('that takes stale ones does not get what must be revalidated', () => {
    const strict = stored(cc('max-age=100, must-revalidate'));
    expect(later(110, strict, { 'Cache-Control': 'max-stale' }).use).toBe('revalidate');
  });
});

describe('a stale answer', () => {
  test('is served while the origin is asked, as long as it may be', () => {
    const answer = stored(cc('max-age=10, stale-while-revalidate=20'));
    expect(later(29, answer).use).toBe('stale-while-revalidate');
    expect(later(30, answer).use).toBe('revalidate');
  });

  test('stands in for an origin that fails, as long as the origin says', () => {
    const answer = stored(cc('max-age=10, stale-if-error=20'));
    expect(standsInAfter(30, answer)).toBe(true);
    expect(standsInAfter(31, answer)).toBe(false);
    expect(standsInAfter(40, answer, { 'Cache-Control': 'stale-if-error=60' })).toBe(true);
  });

  test('stands in as long as the site says where the origin says nothing', () => {
    const rule = { ...noRule, staleIfErrorSeconds: 20 };
    expect(standsInAfter(30, stored(cc('max-age=10')), {}, rule)).toBe(true);
    expect(standsInAfter(31, stored(cc('max-age=10')), {}, rule)).toBe(false);
  });

  test.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache'])('never does with %s', (directive) => {
    expect(standsInAfter(11, stored(cc(`max-age=10, stale-if-error=60, ${directive}`)))).toBe(false);
  });
});

describe('a rule of the site', () => {
  test('makes a file fresh for longer than its origin says, whatever clients want', () => {
    const rule = { ...noRule, minFreshSeconds: 3600 };
    const answer = stored(cc('max-age=10'));
    expect(later(3599, answer, {}, rule).use).toBe('fresh');
    expect(later(3599, answer, { 'Cache-Control': 'no-cache' }, rule).use).toBe('fresh');
    expect(later(3600, answer, {}, rule).use).toBe('revalidate');
  });

  test('makes no error fresh for longer', () => {
    const rule = { ...noRule, minFreshSeconds: 3600 };
    expect(later(20, stored(cc('max-age=10'), { status: 404 }), {}, rule).use).toBe('revalidate');
  });

  test('makes a file fresh for less', () => {
    const rule = { ...noRule, maxFreshSeconds: 5 };
    expect(later(4, stored(cc('max-age=10')), {}, rule).use).toBe('fresh');
    expect(later(5, stored(cc('max-age=10')), {}, rule).use).toBe('revalidate');
  });
});

test('an error is kept for seconds only, whatever its origin says', () => {
  const missing = stored(cc('max-age=3600'), { status: 404 });
  expect(later(29, missing).use).toBe('fresh');
  expect(later(30, missing).use).toBe('revalidate');
});
