// Calls that name more than anybody would.

import { expect, test } from 'vitest';
import { type DeskOrder, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import { mostNamed } from '../../../src/rules/policies/most-named.ts';
import { ownPaths } from '../../../src/rules/policies/own-paths.ts';
import { callOf, contextOf, type Said } from './judging.ts';

const many = <T>(count: number, one: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => one(at));
const filters = (count: number): Said => ({
  method: 'GET',
  path: `/containers/json?filters=${encodeURIComponent(JSON.stringify({ network: many(count, (at) => `n${at}`) }))}`,
});
const create = (HostConfig: object): Said => ({ path: '/containers/create', body: { Image: 'busybox', HostConfig } });

test.each([
  ['networks of a filter', filters],
  ['containers whose volumes are taken over', (count: number) => create({ VolumesFrom: many(count, () => 'web') })],
  ['links', (count: number) => create({ Links: many(count, (at) => `web${at}:db`) })],
  ['volumes', (count: number) => create({ Binds: many(count, (at) => `data${at}:/${at}`) })],
  ['paths', (count: number) => create({ Binds: many(count, (at) => `/srv:/${at}`) })],
])('%s: more than 250 of them are refused before the engine is asked for one', (_, saying) => {
  const judge = (count: number) => mostNamed.judge(callOf(saying(count)), contextOf());
  expect(() => judge(251)).toThrow('is one name too many: a call has at most 250');
  // The image of a create is one more.
  expect(judge(249)).toMatchObject({ rule: 'few' });
});

test('what is no name is said as often as anybody likes', () => {
  const call = callOf({ path: '/containers/create', body: { Image: 'busybox', Env: many(5000, (at) => `V${at}=1`) } });
  expect(mostNamed.judge(call, contextOf())).toMatchObject({ rule: 'few' });
});

test("paths of a job's container are followed as long as there are not too many directories on their way", async () => {
  const asked: string[] = [];
  const desk = {
    ...emptyDesk('engine'),
    ask: async (endpoint: string): Promise<Json> => {
      asked.push(endpoint);
      return { Id: 'c', Mounts: [{ Type: 'volume', Name: 'src', Destination: '/src', RW: true }], ApiVersion: '1.51' };
    },
    order: async (endpoint: string) => {
      asked.push(endpoint);
      return { status: 404, answer: null };
    },
  };
  const judge = async (count: number, depth: number): Promise<unknown> => {
    const path = '/d'.repeat(depth - 2);
    const call = callOf(create({ Binds: many(count, (at) => `/src/${at}${path}:/${at}`) }));
    return ownPaths(desk).judge({ ...call, caller: 'c' }, contextOf());
  };
  await expect(judge(51, 10)).rejects.toThrow('more than 500 directories');
  expect(asked).toEqual(['ContainerInspect']);
  await expect(judge(50, 10)).resolves.toMatchObject({ rule: 'own-path' });
  expect(asked.filter((endpoint) => endpoint === 'ContainerArchiveInfo')).toHaveLength(50 * 9 + 1);
});

test("mounts of a job's container are looked at once for all paths that lead through links, and not without end", async () => {
  const looked: string[] = [];
  const judge = async (mounts: number): Promise<unknown> => {
    const Mounts = many(mounts, (at) => ({ Type: 'volume', Name: 'v', Destination: `/m${at}/v`, RW: true }));
    const desk = {
      ...emptyDesk('engine'),
      ask: async (): Promise<Json> => ({ Id: 'c', Mounts, ApiVersion: '1.51' }),
      order: async (_: string, asking: DeskOrder = {}) => {
        const path = String(asking.query?.path);
        looked.push(path);
        // Both lead to where the last mount is.
        const linkTarget = path === '/l' || path === `/m${mounts - 1}` ? '/real' : null;
        if (linkTarget === null) return { status: 404, answer: null };
        const stat = Buffer.from(JSON.stringify({ mode: 2 ** 27, linkTarget })).toString('base64');
        return { status: 200, answer: null, headers: ['X-Docker-Container-Path-Stat', stat] };
      },
    };
    const call = callOf(create({ Binds: many(150, (at) => `/l/v/${at}:/${at}`) }));
    return ownPaths(desk).judge({ ...call, caller: 'c' }, contextOf());
  };
  await expect(judge(100)).resolves.toMatchObject({ rule: 'own-path', call: { lent: { length: 150 } } });
  expect(looked).toHaveLength(new Set(looked).size);
  await expect(judge(1000)).rejects.toThrow('more than 1000 directories looked at');
});
