import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileNamePattern, namePatternFault } from '../../../src/front/identity/name-pattern.ts';

test('the user is what stands in its place, and nothing else', () => {
  const cases: readonly [string, string, string | undefined][] = [
    ['{user}', 'alice', 'alice'],
    ['{user}', 'a/b', undefined],
    ['{user}@example.org', 'alice@example.org', 'alice'],
    ['{user}@example.org', '@example.org', undefined],
    ['{user}@example.org', 'alice@example.org.evil.test', undefined],
    ['{user}@example.org', 'alice@evil.test@example.org', undefined],
    ['ci-{user}-x', 'ci-1-x', '1'],
    ['ci-{user}-x', 'ci-x', undefined],
    ['spiffe://example.org/*/{user}', 'spiffe://example.org/ns/bob', 'bob'],
    ['spiffe://example.org/*/{user}', 'spiffe://example.org//bob', undefined],
    ['spiffe://example.org/*/{user}', 'spiffe://example.org/a/b/bob', undefined],
    ['spiffe://example.org/*/{user}', 'spiffe://evil.test/ns/bob', undefined],
  ];
  for (const [pattern, name, user] of cases) expect([name, compileNamePattern(pattern)(name)]).toEqual([name, user]);
});

test('what is put in comes out', () => {
  const part = fc.string().filter((text) => !/[/{}*@]/.test(text));
  fc.assert(
    fc.property(
      part,
      part,
      part.filter((text) => text !== ''),
      (before, after, user) => {
        expect(compileNamePattern(`${before}{user}${after}`)(before + user + after)).toBe(user);
      },
    ),
  );
});

test('patterns that could be read in two ways are refused', () => {
  for (const pattern of ['', 'alice', '{user}{user}', '{user}{group}', '*{user}', 'a/b*/{user}']) {
    expect(namePatternFault(pattern)).toBeDefined();
  }
});
