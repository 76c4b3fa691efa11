import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readYaml } from '../../../src/operate/config/yaml-source.ts';

const faultsOf = (text: string): string[] => readYaml(text, 'c.yaml').faults.map(String);
const plainValue = (text: string): unknown => JSON.parse(JSON.stringify(readYaml(text, 'c.yaml').source.value));

describe('the YAML of a configuration', () => {
  test('knows where each value and each key stands', () => {
    const { source } = readYaml('a: 1\nb:\n  - x: "y"\n    z: [1, {q: 2}]\n', 'c.yaml');
    expect(source.locate(['b', 0, 'x'])).toEqual({ line: 3, column: 8 });
    expect(source.locateKey(['b', 0, 'x'])).toEqual({ line: 3, column: 5 });
    expect(source.locate(['b', 0, 'z', 1, 'q'])).toEqual({ line: 4, column: 16 });
  });

  test('has what is absent stand where its nearest ancestor does', () => {
    const { source } = readYaml('b:\n  - x: 1\n', 'c.yaml');
    expect(source.locate(['b', 0, 'no', 'such'])).toEqual({ line: 2, column: 5 });
    expect(source.locate(['no'])).toEqual({ line: 1, column: 1 });
  });

  test('counts lines of every kind, and no byte order mark', () => {
    expect(faultsOf('\uFEFFa: 1\r\na: 2\r\n')).toEqual([
      'c.yaml:2:1: a: the key `a` stands here a second time: a key may stand only once in a map',
    ]);
    expect(readYaml('\uFEFFa: 1', 'c.yaml').source.locate(['a'])).toEqual({ line: 1, column: 4 });
  });

  test.each([
    [
      'a doubled key',
      'a:\n  b: 1\n  "b": 2\n',
      ['c.yaml:3:3: a.b: the key `b` stands here a second time: a key may stand only once in a map'],
    ],
    [
      'each of many doubled keys',
      'a: 1\na: 2\na: 3\n',
      [expect.stringContaining('c.yaml:2:1: a: '), expect.stringContaining('c.yaml:3:1: a: ')],
    ],
    ['a tab as indentation', 'a:\n\tb: 1\n', ['c.yaml:2:1: Tabs are not allowed as indentation']],
    ['an open bracket', 'a: [1\n', [expect.stringMatching(/^c\.yaml:2:1: Flow sequence .* end with a ]$/)]],
    ['a second document', 'a: 1\n---\nb: 2\n', ['c.yaml:2:1: a second document: one file holds one configuration']],
    ['another version of YAML', '%YAML 1.1\n---\na: yes\n', ['c.yaml:1:1: only YAML 1.2 is read']],
    ['a tag of somebody', 'a: !secret x\n', ['c.yaml:1:4: Unresolved tag: !secret']],
    ['a tag that makes no plain value', 'a: !!binary aGk=\n', ['c.yaml:1:13: a: tags are not read']],
    [
      'a key that is a number',
      'a:\n  80: x\n',
      ['c.yaml:2:3: a: a key must be text (in quotes where YAML reads it as something else)'],
    ],
    ['a key that is a list', '? [a, b]\n: 1\n', [expect.stringContaining('c.yaml:1:3: a key must be text')]],
    [
      'a key that JavaScript would take for more',
      'a: {__proto__: {b: 1}}\n',
      ['c.yaml:1:5: a.__proto__: unknown key `__proto__`'],
    ],
    [
      'an alias without an anchor',
      'a: 1\nb: *no\n',
      ['c.yaml:2:4: b: the alias *no cannot be followed: there is no such anchor before it'],
    ],
    [
      'an alias inside its anchor',
      'a: &x [1, *x]\n',
      ['c.yaml:1:11: a[1]: the alias *x cannot be followed: it stands inside what it repeats'],
    ],
  ] as [string, string, unknown[]][])('refuses %s', (_what, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  test('has every fault on one line, whatever the file holds', () => {
    const [fault] = faultsOf('"a\\nb\\e[31m": 1\n"a\\nb\\e[31m": 2\n');
    expect(fault).not.toContain('\n');
    expect(fault).not.toContain('\u001b');
    expect(fault).toMatch(/^c\.yaml:2:1: /);
  });

  test('follows aliases, and locates what is behind them where it was written', () => {
    const text = 'a: &x {b: 1}\nc: [*x, *x]\n';
    expect(plainValue(text)).toEqual({ a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] });
    expect(readYaml(text, 'c.yaml').source.locate(['c', 1, 'b'])).toEqual({ line: 1, column: 11 });
  });

  test('bounds what aliases repeat', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
    );
    const faults = faultsOf(`l0: &l0 x\n${levels.join('\n')}\n`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/aliases repeat too much$/);
  });

  test.each([
    ['lists in lists', '['.repeat(100_000), 'c.yaml:1:33: nested too deeply'],
    ['closed lists in lists', `a: ${'['.repeat(200)}${']'.repeat(200)}`, 'c.yaml:1:36: nested too deeply'],
    ['lists on one line', '- '.repeat(100_000), 'c.yaml:1:65: nested too deeply'],
    [
      'maps in maps',
      Array.from({ length: 900 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      'c.yaml:102:102: nested too deeply',
    ],
  ])('bounds the nesting of %s before it is followed', (_what, text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });

  test('has no bound on the depth of text in a block', () => {
    const deep = ' '.repeat(150);
    expect(plainValue(`a: |\n${deep}x\n${deep}  - [y\n`)).toEqual({ a: 'x\n  - [y\n' });
  });

  test('refuses more than 1MiB', () => {
    expect(faultsOf(`a: "${'x'.repeat(2 ** 20)}"`)).toEqual(['c.yaml:1:1: the file is larger than 1MiB']);
  });

  test('reads many keys in time that grows as their number does', () => {
    const cpuOf = (keys: number): number => {
      const text = Array.from({ length: keys }, (_, i) => `k${i}: 1`).join('\n');
      const started = process.cpuUsage();
      expect(faultsOf(text)).toEqual([]);
      const { user, system } = process.cpuUsage(started);
      return user + system;
    };
    cpuOf(5000);
    // Comparing each key with each other one would take 64 times as much.
    expect(cpuOf(60_000) / cpuOf(7500)).toBeLessThan(30);
  });

  test('gives back what JSON says', () => {
    const safeKeys = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }).filter(safeKeys), (value) => {
        expect(plainValue(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('never throws, whatever the text', () => {
    const unit = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&a',
      '*a',
      '!',
      '|',
      '>',
      '?',
      '#',
      '%',
      ',',
      '\t',
      '<<',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        readYaml(text, 'c.yaml');
      }),
      { numRuns: 1000 },
    );
  });
});
