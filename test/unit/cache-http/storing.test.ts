import { describe, expect, test } from 'vitest';
import { describes, refreshed } from '../../../src/cache/http/refresh.ts';
import { readRequestFields } from '../../../src/cache/http/request-fields.ts';
import { noRule } from '../../../src/cache/http/site-rules.ts';
import { selects, variantOf } from '../../../src/cache/http/vary.ts';
import { date, type Fields, fields, NOW, stored, unkept } from './said.ts';

const LONG: Fields = { 'Cache-Control': 'max-age=60' };
const cc = (value: string): Fields => ({ 'Cache-Control': value });

describe('an answer is kept', () => {
  test.each([
    ['that is fresh for some time', LONG],
    ['that can be asked for again by its tag', { ETag: '"a"' }],
    ['that can be asked for again by its date', { 'Last-Modified': date(0) }],
    ['with no-store, to those who understand its status', cc('max-age=60, no-store, must-understand')],
    ['with no-store for others than caches such as this', { 'CDN-Cache-Control': 'max-age=60', ...cc('no-store') }],
    ['that can only stand in for an origin that fails', {}],
    ['with a cookie, where it says how long', { ...LONG, 'Set-Cookie': 'a=b' }],
  ])('%s', (_, answer) => {
    expect(unkept(answer)).toBeNull();
  });
});

describe('an answer is not kept', () => {
  test.each([
    ['with no-store', cc('max-age=60, No-StOrE'), 'no-store'],
    ['that is private', cc('max-age=60, private'), 'private'],
    ['that is private to caches such as this', { 'CDN-Cache-Control': 'private', ...LONG }, 'private'],
    ['that varies on everything', { ...LONG, Vary: ', *' }, 'vary'],
    ['that can be neither fresh nor asked for again nor stand in', cc('max-age=0, must-revalidate'), 'useless'],
    ['with a cookie, where nobody says how long', { 'Last-Modified': date(-1000), 'Set-Cookie': 'a=b' }, 'set-cookie'],
  ])('%s', (_, answer, reason) => {
    expect(unkept(answer)).toBe(reason);
  });

  test('of a status that nobody has told to keep', () => {
    expect(unkept({ 'Last-Modified': date(-1000) }, { status: 599 })).not.toBeNull();
    expect(unkept(cc('max-age=60, no-store, must-understand'), { status: 599 })).toBe('no-store');
  });

  test.each([206, 304, 401, 403, 407, 416, 429])('with status %d, even where it says so', (status) => {
    expect(unkept(LONG, { status })).toBe('status');
  });

  test('to another method than GET', () => {
    expect(unkept(LONG, { method: 'POST' })).toBe('method');
    expect(unkept(LONG, { method: 'HEAD' })).toBe('method');
  });

  test('to a request that forbids it', () => {
    expect(unkept(LONG, { request: cc('no-store') })).toBe('request-no-store');
  });

  test('whose end looks like a broken connection', () => {
    expect(unkept(LONG, { isDelimited: false })).toBe('no-length');
  });

  test('to a request that says what others do not say', () => {
    expect(unkept(LONG, { request: { 'X-Anything': '1' } })).toBe('request-fields');
    expect(unkept(LONG, { request: { 'X-Forwarded-Host': 'evil.example.org', 'User-Agent': 'curl' } })).toBeNull();
  });
});

describe('an answer to credentials', () => {
  const request = { Authorization: 'Bearer x' };
  test('is not kept', () => {
    expect(unkept(LONG, { request })).toBe('credentials');
    expect(unkept(LONG, { request: { Cookie: 'a=b' } })).toBe('credentials');
  });

  test.each(['public', 'must-revalidate', 's-maxage=60'])('is kept where the origin says %s', (directive) => {
    expect(unkept(cc(`max-age=60, ${directive}`), { request })).toBeNull();
  });
});

describe('of the fields', () => {
  test('cookies are not kept', () => {
    expect(stored({ ...LONG, 'Set-Cookie': ['a=b', 'c=d'], 'X-Kept': '1' }).headers).toEqual(
      fields({ Date: date(0), ...LONG, 'X-Kept': '1' }),
    );
  });

  test('those of a connection and those that Connection names are not kept', () => {
    const answer = { Connection: 'a, b', A: '1', B: '2', C: '3', 'Keep-Alive': 'x', 'Proxy-Authenticate': 'y' };
    expect(stored(answer).headers).toEqual(fields({ Date: date(0), C: '3' }));
  });

  test('those that are for one client or for one time are not kept', () => {
    const answer = { 'Cache-Control': 'max-age=60, no-cache="a", private="b"', A: '1', B: '2', C: '3' };
    expect(stored(answer).headers).not.toContain('A');
    expect(stored(answer).headers).not.toContain('B');
    expect(stored(answer).headers).toContain('C');
    expect(unkept(answer)).toBeNull();
  });
});

describe('to the origin', () => {
  const reach = (request: Fields, rule = noRule) => readRequestFields(fields(request), rule).shared;

  test('goes nothing by which others could be given something else', () => {
    const sent = reach({
      Accept: 'application/json',
      'Accept-Encoding': 'gzip',
      'X-Forwarded-Host': 'evil.example.org',
      'X-Original-URL': '/evil',
      'User-Agent': 'evil',
      Referer: 'evil',
      'X-Anything': '1',
    });
    expect(sent).toEqual(fields({ Accept: 'application/json', 'Accept-Encoding': 'gzip' }));
  });

  test('goes everything of a request that is served by itself', () => {
    const request = fields({ 'PRIVATE-TOKEN': 'secret', Accept: '*/*', Connection: 'X-Hop', 'X-Hop': '1' });
    expect(readRequestFields(request, noRule)).toMatchObject({
      isPeculiar: true,
      own: fields({ 'PRIVATE-TOKEN': 'secret', Accept: '*/*' }),
    });
  });

  test('goes what the site lets through', () => {
    const rule = { ...noRule, forward: new Set(['x-flavour']) };
    expect(reach({ 'X-Flavour': 'a', 'X-Other': 'b' }, rule)).toEqual(fields({ 'X-Flavour': 'a' }));
    expect(reach({ 'X-Flavour': 'a', 'X-Other': 'b' }, { ...noRule, forward: null })).toHaveLength(4);
  });
});

describe('a stored answer is for a request', () => {
  const all = { ...noRule, forward: null };
  const fits = (vary: string, before: Fields, now: Fields, answer: Fields = {}) =>
    selects(stored({ ...LONG, ...answer, Vary: vary }, { request: before, rule: all }), fields(now));

  test.each([
    ['with the same field', 'Foo', { Foo: '1' }, { Foo: '1' }],
    ['that differs in what does not vary', 'Foo', { Foo: '1', Other: '2' }, { Foo: '1', Other: '3' }],
    ['that does not have it either', 'Foo, Bar', { Foo: '1' }, { Foo: '1' }],
    ['that has it in two lines', 'Foo', { Foo: '1, 2' }, { Foo: ['1', '2'] }],
    ['that has it with other spaces', 'Foo', { Foo: '1,2' }, { Foo: ' 1, 2 ' }],
    [
      'with the languages in another order and case',
      'Accept-Language',
      { 'Accept-Language': 'en, de' },
      { 'Accept-Language': 'De,eN' },
    ],
  ])('%s', (_, vary, before, now) => {
    expect(fits(vary, before, now)).toBe(true);
  });

  test.each([
    ['with another value', 'Foo', { Foo: '1' }, { Foo: '2' }],
    ['without it', 'Foo', { Foo: '1' }, {}],
    ['that has it where it was not there', 'Foo', {}, { Foo: '1' }],
    ['that differs in one of several', 'Foo, Bar', { Foo: '1', Bar: 'a' }, { Bar: 'b', Foo: '1' }],
  ])('not %s', (_, vary, before, now) => {
    expect(fits(vary, before, now)).toBe(false);
  });

  test('not that accepts something else, though the origin has forgotten to say so', () => {
    expect(fits('', { Accept: 'application/json' }, { Accept: 'text/html' })).toBe(false);
    expect(fits('', { Accept: '*/*' }, {})).toBe(true);
  });

  test('not that cannot decode it, though the origin has forgotten to say so', () => {
    expect(fits('', { 'Accept-Encoding': 'gzip' }, {}, { 'Content-Encoding': 'gzip' })).toBe(false);
    expect(fits('', { 'Accept-Encoding': 'gzip' }, {})).toBe(true);
  });

  test('that likes its language best', () => {
    const answer = { 'Content-Language': 'de' };
    const before = { 'Accept-Language': 'en, de' };
    expect(fits('Accept-Language', before, { 'Accept-Language': 'fr;q=0.5, de;q=1.0' }, answer)).toBe(true);
    expect(fits('Accept-Language', before, { 'Accept-Language': 'fr, de;q=0.5' }, answer)).toBe(false);
  });

  test('and two that are for different requests lie beside each other', () => {
    const one = stored({ ...LONG, Vary: 'Foo' }, { request: { Foo: '1' }, rule: all });
    const other = stored({ ...LONG, Vary: 'Foo' }, { request: { Foo: '2' }, rule: all });
    expect(variantOf(one.selectedBy)).not.toBe(variantOf(other.selectedBy));
  });
});

describe('news of a stored answer', () => {
  const news = (headers: Fields) => ({ headers: fields(headers), requestedMs: NOW + 5000, answeredMs: NOW + 6000 });

  test('replace its fields, and leave those alone that they do not name', () => {
    const answer = stored({ ...LONG, ETag: '"a"', 'X-Old': '1', Age: '30' });
    const { headers, answeredMs } = refreshed(answer, news({ Date: date(6), ...cc('max-age=90') }));
    expect(headers).toEqual(fields({ ETag: '"a"', 'X-Old': '1', Date: date(6), ...cc('max-age=90') }));
    expect(answeredMs).toBe(NOW + 6000);
  });

  test('change nothing that says how its bytes are read, and set no cookies', () => {
    const answer = stored({ 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' });
    const told = {
      Date: date(6),
      'Content-Encoding': 'br',
      'Content-Length': '3',
      'Set-Cookie': 'a=b',
    };
    expect(refreshed(answer, news(told)).headers).toEqual(
      fields({ 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip', Date: date(6) }),
    );
  });

  test('of HEAD are about another body where the length or the tag differs', () => {
    const answer = stored({ ETag: '"a"' }, { length: 10 });
    expect(describes(answer, fields({ ETag: '"a"', 'Content-Length': '10' }))).toBe(true);
    expect(describes(answer, fields({ ETag: '"b"', 'Content-Length': '10' }))).toBe(false);
    expect(describes(answer, fields({ 'Content-Length': '11' }))).toBe(false);
  });
});
