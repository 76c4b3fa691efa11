// Targets and queries against Go's net/url and gorilla's path cleaning: what we accept Go reads the same, and what we
// print Go reads as we meant it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Matcher, printPath } from '../../src/docker/match.ts';
import { printQuery, type QueryValues, readQuery } from '../../src/docker/query.ts';
import { bool, embedded, filters, int, list, map, type Shape, text } from '../../src/docker/shape.ts';
import { table } from '../../src/docker/table.ts';
import { readTarget, type Target } from '../../src/docker/target.ts';
import { Refusal } from '../../src/ground/refusal.ts';
import { Judge, type JudgedTarget } from './judge.ts';
import { Random, runSeed } from './random.ts';

const CASES = 20_000;
const seed = runSeed();

const shapes = {
  name: text(),
  t: list(text()),
  force: bool(),
  limit: int(),
  filters: filters({ label: text() }),
  buildargs: embedded(map(text())),
} satisfies Record<string, Shape>;

let judge: Judge;
beforeAll(() => {
  judge = Judge.build();
});
afterAll(() => judge?.close());

const PATH_PIECES = [
  ...[
    '/',
    '/',
    '/',
    '//',
    '/./',
    '/../',
    '/..',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%',
    '%zz',
    '%25',
    '%252e',
  ],
  ...[
    'containers',
    'json',
    'create',
    'web',
    'images',
    'a:b',
    '@',
    ';',
    ';a=b',
    ':',
    '+',
    '%20',
    '%2b',
    '~',
    '!',
    "'",
    '(',
    '*',
    ',',
  ],
  ...[
    '/v1.41',
    '/v1.41/',
    '/v01.41/',
    '/v1.41./',
    '/v1..41/',
    '/v2.0/',
    '%00',
    '%0a',
    '%7f',
    '%c3%a9',
    '%ff',
    '%c0%af',
    '%ed%a0%80',
  ],
  ...['#', '|', '^', '`', '{', '}', '"', '<', '>', '[', ']', 'http:', 'é'],
];
const QUERY_PIECES = [
  ...[
    'name',
    'name',
    't',
    'force',
    'limit',
    'filters',
    'buildargs',
    'unknown',
    'n%61me',
    'name%00',
    'Name',
    'na+me',
    '=',
  ],
  ...[
    '=',
    '=',
    '=',
    '&',
    '&',
    '&',
    '&&',
    ';',
    '%3d',
    '%26',
    '%3b',
    '+',
    '%20',
    '%2B',
    '%',
    '%g1',
    '%ff',
    '%c3%a9',
    '%00',
    '#',
    '?',
    '/',
  ],
  ...[
    'a',
    'b',
    '1',
    '0',
    '-5',
    '+5',
    '%2B5',
    '9223372036854775807',
    '9223372036854775808',
    'yes',
    'No',
    'FALSE',
    '%20none%09',
    '%c2%850',
  ],
  ...[
    '%EF%BB%BF0',
    '{"label":["x"]}',
    '{"label":{"x":true}}',
    '{"a":"b"}',
    '%7B%22a%22:null%7D',
    'null',
    '{}',
    '\\',
    '"',
    'é',
  ],
];

function randomTarget(random: Random): string {
  const some = (from: readonly string[], most: number): string => {
    let made = '';
    for (let count = random.below(most); count > 0; count--) made += random.pick(from);
    return made;
  };
  const path = random.chance(0.5) ? `/v1.41/containers/${some(PATH_PIECES, 5)}` : `/${some(PATH_PIECES, 7)}`;
  return random.chance(0.7) ? `${path}?${some(QUERY_PIECES, 9)}` : path;
}

interface Read {
  readonly target: Target;
  readonly values: QueryValues;
}

function readByUs(raw: string): Read | null {
  try {
    const target = readTarget(raw);
    return { target, values: readQuery(target.query, shapes).values };
  } catch (fault) {
    if (fault instanceof Refusal) return null;
    throw fault;
  }
}

/** moby's httputils.BoolValue, on what Go read. */
function goBool(said: string): boolean {
  const trimmed = said.replace(/^[\t-\r \u0085\p{Z}]+|[\t-\r \u0085\p{Z}]+$/gu, '').toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(trimmed);
}

/** What moby takes from a query for our values: the first of each, all of lists. */
function sameValues(values: QueryValues, { query }: JudgedTarget): void {
  const first = (key: string): string | undefined => query[key]?.[0];
  expect(values.name).toBe(first('name'));
  expect(values.t).toEqual(query.t);
  const force = first('force');
  expect(values.force).toBe(force === undefined ? undefined : goBool(force));
  const limit = first('limit');
  expect(values.limit).toBe(limit === undefined || limit === '' ? undefined : limit.replace(/^\+/, ''));
  const args = first('buildargs');
  expect(values.buildargs === undefined).toBe(args === undefined || args === '');
  if (values.buildargs !== undefined)
    expect(JSON.stringify(values.buildargs)).toBe(JSON.stringify(JSON.parse(args as string)));
}

describe('a target that we accept', () => {
  it(`is read the same by Go (seed ${seed})`, async () => {
    const random = new Random(seed);
    const targets = Array.from({ length: CASES }, () => randomTarget(random));
    const judged = await judge.ask(
      'url',
      targets.map((target) => Buffer.from(target, 'latin1')),
    );
    let accepted = 0;
    let refused = 0;
    let bites = 0;
    for (const [at, raw] of targets.entries()) {
      const go = judged[at] as JudgedTarget;
      const ours = readByUs(raw);
      if (ours === null) {
        refused++;
        if (go.error === '' && (go.cleanPath !== go.path || go.host !== '' || go.queryError !== '')) bites++;
        continue;
      }
      accepted++;
      const { version, path } = ours.target;
      const whole = version === null ? path : `/v${version.major}.${version.minor}${path}`;
      expect({ raw, ...go }).toMatchObject({ error: '', host: '', path: whole, cleanPath: whole });
      if (!/\/v[0-9.]+\//.test(whole)) expect(version).toBeNull();
      expect({ raw, queryError: go.queryError }).toEqual({ raw, queryError: '' });
      sameValues(ours.values, go);
    }
    // Neither side of the coin may be missing, or the test proves nothing.
    expect(accepted).toBeGreaterThan(CASES / 10);
    expect(refused).toBeGreaterThan(CASES / 10);
    expect(bites).toBeGreaterThan(CASES / 50);
  });
});

const TEXT_PIECES = [
  'a',
  'B',
  '7',
  '-',
  '_',
  '.',
  ':',
  '@',
  '~',
  '!',
  "'",
  '(',
  ')',
  '*',
  ' ',
  '+',
  '%',
  '%2f',
  '&',
  '=',
  '?',
  '#',
  ';',
  '"',
  '<',
  'é',
  '€',
  '😀',
  '\t',
  '\\',
];

function randomText(random: Random, without: RegExp): string {
  let made = '';
  for (let count = 1 + random.below(6); count > 0; count--) made += random.pick(TEXT_PIECES);
  return made.replaceAll(without, '') || 'x';
}

describe('what we print', () => {
  it(`is read by Go as it was meant, for every endpoint (seed ${seed})`, async () => {
    const random = new Random(seed + 1);
    const matcher = new Matcher(table);
    const meant: { path: string; printed: string; query: Record<string, readonly string[]> }[] = [];
    for (const endpoint of table) {
      if (endpoint.path === '*') continue;
      for (let round = 0; round < 30; round++) {
        const segment = (): string => {
          const made = randomText(random, /[\\\t]/g);
          return /^\.{1,2}$/.test(made) ? 'x' : made;
        };
        const names = Object.keys(endpoint.parameters);
        const parameters = Object.fromEntries(
          names.map((name) => [name, random.chance(0.3) ? `${segment()}/${segment()}` : segment()]),
        );
        const path = endpoint.path.replace(/\{([^}]+)\}/g, (_, name: string) => parameters[name] as string);
        const query: Record<string, readonly string[]> = {};
        const values: Record<string, string | boolean | readonly string[]> = {};
        for (const [key, shape] of Object.entries(endpoint.query)) {
          const [one, other] = [randomText(random, /(?!)/g), randomText(random, /(?!)/g)];
          if (shape.kind === 'text') values[key] = one;
          else if (shape.kind === 'bool') values[key] = random.chance(0.5);
          else if (shape.kind === 'list') values[key] = [one, other];
          const value = values[key];
          if (value !== undefined) query[key] = typeof value === 'boolean' ? [value ? '1' : '0'] : [value].flat();
        }
        const printed = `/v1.41${printPath(endpoint, parameters)}${printQuery(values, endpoint.query)}`;
        meant.push({ path: `/v1.41${path}`, printed, query });
        // Whoever reads it back reads the same path.
        expect(readTarget(printed).path).toBe(path);
        expect(matcher.match(endpoint.method, path)).not.toBeNull();
      }
    }
    const judged = await judge.ask(
      'url',
      meant.map(({ printed }) => Buffer.from(printed, 'latin1')),
    );
    for (const [at, { path, printed, query }] of meant.entries()) {
      expect({ printed, ...judged[at] }).toMatchObject({
        error: '',
        queryError: '',
        host: '',
        path,
        cleanPath: path,
        query,
      });
    }
  });
});
