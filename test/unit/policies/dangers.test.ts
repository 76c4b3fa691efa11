import { describe, expect, test } from 'vitest';
import { type Danger, dangersOf } from '../../../src/docker/dangers.ts';
import type { Shape } from '../../../src/docker/shape.ts';
import { everyCall } from '../../../src/docker/table.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { judge } from '../../../src/exchange/judge.ts';
import { type Json, type JsonObject, printJson } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { conservativeKind } from '../../../src/rules/policies/conservative/conservative.ts';
import { contextOf, create } from './judging.ts';

function grouped<T, K>(all: readonly T[], keyOf: (one: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

const served = everyCall.filter(({ risk }) => risk !== 'never');
const dangers = served.flatMap(dangersOf);
const byEndpoint = grouped(dangers, ({ endpoint }) => endpoint);

/** What is not refused: it is made harmless, and the client is told. */
const bounded = new Set(['lifetime']);

function callWith({ endpoint, part, whole }: Danger): Call {
  const parameters = Object.fromEntries(Object.keys(endpoint.parameters).map((name) => [name, 'web']));
  return {
    listener: 'people',
    identity: { user: 'alice', groups: [], claims: {}, by: 'test' },
    namespace: null,
    endpoint,
    version: 51,
    parameters: part === 'path' ? { ...parameters, ...(whole as Record<string, string>) } : parameters,
    query: part === 'query' ? (whole as Call['query']) : {},
    headers: {},
    body: part === 'body' ? whole : endpoint.body.travel === 'json' ? {} : null,
    unknown: [],
  };
}

/** An engine on which everything that is asked for is there, and harmless. */
const harmless = contextOf(
  new Proxy(
    {},
    {
      get: (_, name) => {
        const [id, reference = ''] = String(name).split(' ');
        if (id === 'ContainerInspect') return { Id: 'c'.repeat(64), HostConfig: {}, Mounts: [] };
        if (id === 'NetworkInspect') return { Id: 'd'.repeat(64), Name: reference, Driver: reference, Options: {} };
        if (id === 'ExecInspect') return { ID: 'e'.repeat(64), ContainerID: 'c'.repeat(64), ProcessConfig: {} };
        return undefined;
      },
    },
  ),
);

async function judged(danger: Danger): Promise<'passes' | 'is changed' | string> {
  try {
    const { call, changed } = await judge([create(conservativeKind)], callWith(danger), harmless);
    const same = printJson(call.body) === printJson(callWith(danger).body);
    return changed && !same ? 'is changed' : 'passes';
  } catch (fault) {
    if (fault instanceof Refusal && fault.rule !== 'failed') return `${fault.status}`;
    throw fault;
  }
}

test('the table has many dangers, in several spellings each', () => {
  const places = new Set(dangers.map(({ endpoint, place }) => `${endpoint.id} ${place}`));
  expect(places.size).toBeGreaterThan(150);
  expect(dangers.length).toBeGreaterThan(600);
});

/** Languages that can say a danger, and do not tell how it is spelled. */
function silentGrammars(shape: Shape): readonly string[] {
  switch (shape.kind) {
    case 'text': {
      const reaches = shape.grammar?.marks.some(({ mark }) => ['privilege', 'host-path', 'fetches'].includes(mark));
      return reaches === true && (shape.grammar?.dangerous ?? []).length === 0 ? [shape.grammar?.name ?? ''] : [];
    }
    case 'list':
    case 'embedded':
      return silentGrammars(shape.of);
    case 'map':
      return [shape.key, shape.of, ...Object.values(shape.known ?? {})].flatMap(silentGrammars);
    case 'object':
      return Object.values(shape.fields).flatMap(silentGrammars);
    default:
      return [];
  }
}

test('every text that can reach further has spellings of it', () => {
  const silent = everyCall
    .flatMap(({ query, body }) => [...Object.values(query), ...(body.shape === undefined ? [] : [body.shape])])
    .flatMap(silentGrammars);
  expect([...new Set(silent)]).toEqual([]);
});

describe.each([...byEndpoint].map(([endpoint, all]) => [endpoint.id, all] as const))(
  'conservative refuses of %s',
  (_, all) => {
    const places = [...grouped(all, ({ place }) => place)];

    test.each(places)('%s in every spelling', async (_place, spellings) => {
      for (const danger of spellings) {
        const isBounded = danger.marks.some((mark) => mark.mark === 'privilege' && bounded.has(mark.reach));
        const expected = isBounded ? /403|is changed/ : /^403$/;
        expect(await judged(danger), printJson(danger.said as Json)).toMatch(expected);
      }
    });
  },
);

describe('what says nothing passes', () => {
  const create_ = everyCall.find(({ id }) => id === 'ContainerCreate')!;
  const neutral: readonly Json[] = [null, '', 0, false, [], {}];

  test('in every field of a create that its type lets say nothing', async () => {
    const shape = create_.body.shape;
    if (shape?.kind !== 'object') throw new Error('a create is an object');
    const fields = Object.entries(shape.fields).concat(
      shape.fields.HostConfig?.kind === 'object'
        ? Object.entries(shape.fields.HostConfig.fields).map(([name, field]) => [`HostConfig.${name}`, field])
        : [],
    );
    expect(fields.length).toBeGreaterThan(100);
    const kinds: Partial<Record<string, Json>> = { text: '', bool: false, int: 0, list: [], map: {}, object: {} };
    for (const [name, field] of fields) {
      const values = [
        null,
        ...(field.emptyMeans === undefined
          ? neutral.filter((one) => printJson(one) === printJson(kinds[field.kind] ?? null))
          : []),
      ];
      for (const value of values) {
        const [outer = '', inner] = name.split('.');
        const whole = { [outer]: inner === undefined ? value : { [inner]: value } } as JsonObject;
        const danger = { endpoint: create_, place: name, marks: [], said: value, part: 'body', whole } as const;
        expect(await judged(danger), `${name}: ${printJson(value)}`).not.toMatch(/^4/);
      }
    }
  });
});
