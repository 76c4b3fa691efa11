import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { minorOf, readTarget } from '../../../src/docker/target.ts';
import { Refusal } from '../../../src/ground/refusal.ts';

function refusalOf(raw: string): Refusal {
  try {
    readTarget(raw);
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    throw fault;
  }
  throw new Error(`was read: ${raw}`);
}

const segment = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((text) => !/^\.{1,2}$/.test(text) && !/[/\\\p{Cc}]/u.test(text));
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);

describe('a path', () => {
  test('is decoded once, whatever stands in it', () => {
    fc.assert(
      fc.property(path, (given) => {
        const raw = given.split('/').map(encodeURIComponent).join('/');
        expect(readTarget(`/v1.41${raw}`)).toEqual({ path: given, version: { major: 1, minor: 41 }, query: '' });
      }),
    );
  });

  test('may have its letters and slashes escaped', () => {
    expect(readTarget('/containers/%63reate').path).toBe('/containers/create');
    expect(readTarget('/containers%2fjson').path).toBe('/containers/json');
    expect(readTarget('/images/a%2Fb%3Ac/json').path).toBe('/images/a/b:c/json');
  });

  test('keeps what is escaped twice as a literal percent sign', () => {
    expect(readTarget('/images/%252e%252e/json').path).toBe('/images/%2e%2e/json');
  });

  test('keeps matrix parameters as part of the name', () => {
    expect(readTarget('/containers/a;b=c/json').path).toBe('/containers/a;b=c/json');
  });

  test('keeps its trailing slash', () => {
    expect(readTarget('/containers/json/').path).toBe('/containers/json/');
  });

  test('does not become another by a hash sign, which is no fragment in a request', () => {
    expect(readTarget('/containers/x#/json').path).toBe('/containers/x#/json');
  });

  test.each([
    ['a doubled slash at its beginning', '//containers/create'],
    ['a doubled slash within', '/containers//create'],
    ['an escaped slash beside a slash', '/containers/%2fcreate'],
    ['two escaped slashes', '/containers%2F%2Fcreate'],
    ['a dot segment', '/containers/./create'],
    ['a dot-dot segment', '/containers/x/../create'],
    ['a dot-dot segment at its end', '/containers/..'],
    ['an escaped dot-dot segment', '/containers/%2e%2e/create'],
    ['a half-escaped dot-dot segment', '/containers/.%2E/create'],
    ['a dot-dot segment with an escaped slash', '/containers/..%2fcreate'],
    ['a backslash', '/containers\\create'],
    ['an escaped backslash', '/containers%5ccreate'],
    ['an escaped NUL', '/containers/a%00/json'],
    ['an escaped line break', '/containers/a%0a/json'],
    ['an escaped DEL', '/containers/a%7f/json'],
    ['a percent sign without digits', '/containers/%/json'],
    ['a percent sign with wrong digits', '/containers/%zz/json'],
    ['an overlong UTF-8 slash', '/containers%c0%afcreate'],
    ['a byte that is not UTF-8', '/containers/%ff/json'],
    ['an escaped half of a surrogate pair', '/containers/%ed%a0%80/json'],
    ['a character that is not ASCII and not escaped', '/containers/\u00e9/json'],
    ['a space', '/containers/a b/json'],
    ['no slash at its beginning', 'containers/json'],
    ['an absolute form', 'http://evil/v1.41/info'],
    ['nothing in it', ''],
    ['a query only', '?a=b'],
  ])('with %s is refused', (_, raw) => {
    expect(refusalOf(raw)).toMatchObject({ code: 'unreadable-path', status: 400, place: 'path' });
  });

  test('is the asterisk for the question to the server itself', () => {
    expect(readTarget('*')).toEqual({ path: '*', version: null, query: '' });
  });
});

describe('a version', () => {
  test('is read from the prefix and taken off', () => {
    expect(readTarget('/v1.24/info')).toMatchObject({ path: '/info', version: { major: 1, minor: 24 } });
    expect(readTarget('/v1%2e41/info')).toMatchObject({ path: '/info', version: { major: 1, minor: 41 } });
    expect(readTarget('/v2.0/info').version).toEqual({ major: 2, minor: 0 });
  });

  test('is null where none is given', () => {
    expect(readTarget('/info')).toEqual({ path: '/info', version: null, query: '' });
    expect(readTarget('/V1.41/info')).toMatchObject({ path: '/V1.41/info', version: null });
  });

  test('without anything behind it is a path like any other', () => {
    expect(readTarget('/v1.41')).toMatchObject({ path: '/v1.41', version: null });
  });

  test('that is doubled leaves the second as part of the path', () => {
    expect(readTarget('/v1.41/v1.24/info')).toMatchObject({ path: '/v1.24/info', version: { major: 1, minor: 41 } });
  });

  test.each(['01.41', '1.041', '1.41.', '1..41', '1.41.0', '.41', '1', '1.', '1.1000', '100.1', '...'])(
    'spelled %s is refused',
    (version) => {
      expect(refusalOf(`/v${version}/info`)).toMatchObject({ code: 'unreadable-path' });
    },
  );

  test('has a minor number', () => {
    expect(minorOf('1.41')).toBe(41);
  });
});

describe('a query', () => {
  test('begins behind the first question mark', () => {
    expect(readTarget('/a?b?c=d')).toMatchObject({ path: '/a', query: 'b?c=d' });
  });

  test('does not begin at an escaped question mark', () => {
    expect(readTarget('/a%3fb=c')).toMatchObject({ path: '/a?b=c', query: '' });
  });
});
