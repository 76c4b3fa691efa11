// Graphs that a client brings along: their steps leave what they make in the cache of their own namespace, or are refused.
import { describe, expect, test } from 'vitest';
import { buildkitMethods } from '../../../src/docker/endpoints/buildkit.ts';
import type { Call } from '../../../src/exchange/call.ts';
import type { Json } from '../../../src/ground/json.ts';
import { twoNamespaces } from './two-namespaces.ts';

const graph = (meta: Json, mounts: Json = []): Json => ({ Def: [{ Exec: { Meta: meta, Mounts: mounts } }] });
const cache = (id: string): Json => ({ Dest: '/c', MountType: 3, CacheOpt: { ID: id } });

const enter = (id: string, body: Json): Promise<unknown> => {
  const endpoint = buildkitMethods.find((one) => one.id === id);
  const identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };
  const call = { endpoint, identity, parameters: {}, query: {}, headers: {}, body, unknown: [] } as unknown as Call;
  return Promise.resolve(twoNamespaces().of('nsa').enterInner(call));
};

describe.each([
  ['BuildkitSolve', (one: Json): Json => ({ Definition: one })],
  ['BuildkitSolve', (one: Json): Json => ({ FrontendInputs: { base: one } })],
  ['BuildkitBridgeSolve', (one: Json): Json => ({ FrontendInputs: { base: one } })],
])('a graph of %s', (id, body) => {
  test.each([
    ['a step with the word of the namespace', graph({ Hostname: 'scope' }, [cache('scope//c')])],
    ['nothing that runs', { Def: [{ File: '' }] }],
  ])('passes with %s', async (_, one) => {
    await expect(enter(id, body(one))).resolves.toBeDefined();
  });

  test.each([
    ['a step without a word', graph({})],
    ['a step that says nothing', { Def: [{ Exec: {} }] }],
    ['a step with the word of another one', graph({ Hostname: 'other' })],
    ["somebody else's cache mount", graph({ Hostname: 'scope' }, [cache('common')])],
    ['a cache mount without a name', graph({ Hostname: 'scope' }, [{ Dest: '/c', MountType: 3 }])],
  ])('is refused with %s', async (_, one) => {
    await expect(enter(id, body(one))).rejects.toMatchObject({ code: 'refused', rule: 'cache' });
  });
});
