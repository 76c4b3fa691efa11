// RED-TEAM 72: patterns of the configuration cost no more than their length, however they are made.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileGlob, globFault, maxGlobLength } from '../../../src/ground/glob.ts';

/** The meaning, spelt out by recursion: right, and exponential. */
function plainly(pattern: string, text: string, separator?: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    const deep = pattern.startsWith('**');
    const rest = pattern.slice(deep ? 2 : 1);
    if (plainly(rest, text, separator)) return true;
    return text !== '' && (deep || text[0] !== separator) && plainly(pattern, text.slice(1), separator);
  }
  if (text === '') return false;
  const fits = pattern[0] === '?' ? text[0] !== separator : pattern[0] === text[0];
  return fits && plainly(pattern.slice(1), text.slice(1), separator);
}

describe('globs', () => {
  test.each([
    ['ci-base:*', 'ci-base:12', true],
    ['ci-base:*', 'ci-base:', true],
    ['ci-base:*', 'my-ci-base:12', false],
    ['*:latest', 'docker.io/library/debian:latest', true],
    ['*', '', true],
    ['?', '', false],
    ['a.b', 'axb', false],
    ['[a-z]+', 'b', false],
    ['[a-z]+', '[a-z]+', true],
  ])('%s for the name %s: %s', (pattern, text, matches) => {
    expect(compileGlob(pattern)(text)).toBe(matches);
  });

  test.each([
    ['/pool/**', '/pool/main/a.deb', true],
    ['/pool/*', '/pool/main/a.deb', false],
    ['/pool/*/*.deb', '/pool/main/a.deb', true],
    ['/pool?main', '/pool/main', false],
    ['/**/x', '/a/b/x', true],
  ])('%s for the path %s: %s', (pattern, text, matches) => {
    expect(compileGlob(pattern, { separator: '/' })(text)).toBe(matches);
  });

  test('mean what their plain definition means', () => {
    const pattern = fc
      .string({ unit: fc.constantFrom('a', 'b', '/', '*', '?', '.'), minLength: 1, maxLength: 8 })
      .filter((text) => globFault(text) === undefined);
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 10 });
    fc.assert(
      fc.property(pattern, text, fc.constantFrom(undefined, '/'), (glob, input, separator) => {
        const options = separator === undefined ? {} : { separator };
        expect(compileGlob(glob, options)(input)).toBe(plainly(glob, input, separator));
      }),
      { numRuns: 2000 },
    );
  });

  test('without stars and question marks match themselves only', () => {
    const literal = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/[*?]/.test(text));
    fc.assert(
      fc.property(literal, literal, (one, other) => {
        expect(compileGlob(one)(one)).toBe(true);
        expect(compileGlob(one)(other)).toBe(one === other);
      }),
    );
  });

  test('that would take a backtracking matcher for ever are done at once', () => {
    const hostile = compileGlob(`${'*a'.repeat(250)}b`);
    const started = performance.now();
    expect(hostile('a'.repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('that are empty, too long or starred thrice are refused', () => {
    expect(() => compileGlob('')).toThrow(/is empty/);
    expect(() => compileGlob('a***')).toThrow(/three stars/);
    expect(() => compileGlob('a'.repeat(maxGlobLength + 1))).toThrow(/longer than/);
  });

  test('keep no memory between texts', () => {
    const glob = compileGlob('a*b');
    expect([glob('axb'), glob('x'), glob('axb'), glob('ab')]).toEqual([true, false, true, true]);
  });
});
