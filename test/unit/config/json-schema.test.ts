import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import {
  configJsonSchema,
  initConfig,
  lookAtMachine,
  parseConfig,
  renderReference,
} from '../../../src/operate/config/index.ts';

type Json = Readonly<Record<string, unknown>>;

const schema = configJsonSchema();
const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
const accepts = (value: unknown): boolean => validator.safeParse(value).success;
const contract = readFileSync(new URL('./contract.yaml', import.meta.url), 'utf8');

/** Every place of a JSON value, and the value with another one put there. */
function placesIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, inner]) =>
      placesIn(inner, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function replaced(value: unknown, path: readonly (string | number)[], other: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return other;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  copy[step] = replaced(copy[step], rest, other);
  return copy;
}

function fieldsWithoutDescription(node: unknown, path = ''): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const missing: string[] = [];
  for (const [key, inner] of Object.entries(node)) {
    if (key !== 'properties') {
      missing.push(...fieldsWithoutDescription(inner, path));
      continue;
    }
    for (const [field, shape] of Object.entries(inner as Record<string, Json>)) {
      if (typeof shape.description !== 'string' || shape.description.length < 5) missing.push(`${path}.${field}`);
      missing.push(...fieldsWithoutDescription(shape, `${path}.${field}`));
    }
  }
  return missing;
}

describe('the JSON Schema for editors', () => {
  test('accepts the contract, and what init writes', async () => {
    expect(accepts(parseYaml(contract))).toBe(true);
    expect(accepts(parseYaml(initConfig(await lookAtMachine({ HOME: '/home/a' }, 1000))))).toBe(true);
  });

  test('marks unknown keys, wrong kinds and wrong words', () => {
    const value = parseYaml(contract);
    for (const [path, other] of [
      [['policys'], []],
      [['listeners', 0, 'policys'], []],
      [['listeners', 0, 'requests', 'json'], '8M'],
      [['listeners', 0, 'mode'], 666],
      [['shutdown', 'grace'], 30],
      [['log', 'level'], 'loud'],
      [['engines', 0, 'url'], 'ssh://x'],
      [['engines'], []],
    ] as const) {
      expect([path, accepts(replaced(value, path, other))]).toEqual([path, false]);
    }
  });

  test('accepts whatever the parser accepts', () => {
    const value: unknown = parseYaml(contract);
    const other = fc.constantFrom<unknown>(
      ...[
        null,
        true,
        false,
        0,
        1,
        64,
        4096,
        '',
        'x',
        'a.example.org',
        '*',
        '1s',
        '1h30m',
        '64KiB',
        '50%',
        '0600',
        '{user}',
      ],
      ...[
        'unix:///x',
        'tcp://h:1',
        'fd://x',
        'http://h:1',
        'https://h/p',
        's3://abc/d',
        '10.0.0.0/8',
        '::/0',
        '1-2',
        '::1',
        'h:1',
      ],
      ...[
        [],
        {},
        ['x'],
        ['peer'],
        [{ use: 'peer', x: [1] }],
        [{ use: './a.js' }],
        'gateway',
        'none',
        'text',
        'every',
        'pass',
      ],
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom(...placesIn(value)), other, (path, put) => {
        const changed = replaced(value, path, put);
        if ('faults' in parseConfig(JSON.stringify(changed), 'b.yaml')) return;
        accepted++;
        expect(accepts(changed)).toBe(true);
      }),
      { numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  test('describes every field', () => {
    expect(fieldsWithoutDescription(schema)).toEqual([]);
    const text = JSON.stringify(schema);
    for (const ours of ['"effect"', '"kind"', '"neutral"', '"without"']) expect(text).not.toContain(ours);
  });

  test('says which settings have no effect, and what the defaults are', () => {
    const { properties } = schema as {
      properties: Record<string, { properties: Record<string, { description: string } & Json> }>;
    };
    expect(properties.admin?.properties.auth?.description).toMatch(/Has no effect yet\.$/);
    expect(properties.shutdown?.properties.grace).toMatchObject({ default: '30s', type: 'string' });
  });
});

describe('the reference page', () => {
  const page = renderReference();

  test('has a section for every map, and a row for every field', () => {
    for (const section of [
      'engines[]',
      'engines[].tls',
      'listeners[]',
      'listeners[].requests',
      'cache.hosts[]',
      'registry.tags[]',
      'gc',
    ]) {
      expect(page).toContain(`\n## \`${section}\`\n`);
    }
    expect(page).toContain('| `headTimeout` | duration | `"10s"` | How long the head of a request may take. |');
    expect(page).toContain('| `level` | trace, debug, info, warn, error | `"info"` | How much is logged. |');
    expect(page).toMatch(/\| `url` \| URL \| required \| The socket of dockerd/);
  });

  test('has tables that are tables', () => {
    for (const row of page.split('\n').filter((line) => line.startsWith('|'))) {
      expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6);
    }
  });
});
