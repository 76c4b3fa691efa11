// What goes from an engine's disk, and in which order.

import { expect, test } from 'vitest';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import { collectGarbage, engineSide } from '../../../src/rules/namespaces/index.ts';
import { keepPulled } from '../../../src/rules/namespaces/kept-images.ts';

const id = (digit: string): string => digit.repeat(64);
const keptAt = (digit: string, agoMs: number): string =>
  `berthgate.invalid/kept:${id(digit)}-${Math.floor((Date.now() - agoMs) / 1000)}`;
const HOUR_MS = 3_600_000;
const images: Json = [
  { Id: `sha256:${id('a')}`, RepoTags: [keptAt('a', 1 * HOUR_MS)], Size: 1 },
  { Id: `sha256:${id('b')}`, RepoTags: [keptAt('b', 3 * HOUR_MS), keptAt('b', 30 * HOUR_MS)], Size: 2 },
  { Id: `sha256:${id('c')}`, RepoTags: [keptAt('c', 25 * HOUR_MS)], Size: 3 },
  { Id: `sha256:${id('d')}`, RepoTags: ['somebody/else:1', 'berthgate.invalid/kept:latest'], Size: 4 },
];

/** What the engine was told, in order. */
function engineWith(root: string) {
  const told: string[] = [];
  const side = engineSide(
    {
      ...emptyDesk('engine'),
      ask: async (endpoint) => (endpoint === 'ImageList' ? images : { DockerRootDir: root }),
      order: async (endpoint, { parameters = {}, query = {} } = {}) => {
        told.push(endpoint === 'BuildPrune' ? `prune ${JSON.stringify(query)}` : `${endpoint} ${parameters.name}`);
        return { status: 200, answer: { SpaceReclaimed: 7 } };
      },
    },
    { id: '', alone: true, onEnded: () => {} },
  );
  return { side, told };
}

const limits = { high: 100, low: 99, keepImagesMs: 24 * HOUR_MS };
const full = { ...limits, high: 0, low: -1 };

test('an image goes that was not used for long, and nothing else while there is room', async () => {
  const { side, told } = engineWith('/');
  const { garbage, disk } = await collectGarbage(side, limits, false);
  expect(garbage.map(({ name, why }) => [name, why])).toEqual([[`sha256:${id('c')}`, 'expired']]);
  expect(told).toEqual([expect.stringMatching(`^ImageDelete berthgate.invalid/kept:${id('c')}-`)]);
  expect(disk).toBeGreaterThan(0);
});

test('a full disk takes kept images, the longest unused first, and then idle build cache', async () => {
  const { side, told } = engineWith('/');
  const { garbage } = await collectGarbage(side, full, false);
  expect(garbage.map(({ kind, name, why }) => [kind, name.slice(-1), why])).toEqual([
    ['image', 'c', 'expired'],
    ['image', 'b', 'disk'],
    ['image', 'a', 'disk'],
    ['build cache', 's', 'disk'],
  ]);
  expect(told.at(-1)).toBe('prune {"all":true,"filters":{"until":["86400s"]}}');
  // Every name of the one that was kept twice.
  expect(told.filter((line) => line.includes(id('b')))).toHaveLength(2);
  expect(told.join()).not.toContain('latest');
});

test('a dry run removes nothing, and a disk that is not at this machine is never full', async () => {
  const dry = engineWith('/');
  expect((await collectGarbage(dry.side, full, true)).garbage).toHaveLength(4);
  expect(dry.told).toEqual([]);
  const far = engineWith('/no/such/folder');
  expect(await collectGarbage(far.side, full, false)).toMatchObject({ disk: null, garbage: [{ why: 'expired' }] });
});

test('an image that one job after the other pulls has one name that keeps it, not one of each job', async () => {
  const job = `j-${'0'.repeat(20)}`;
  const digest = `127.64.0.1:5350/${job}/docker.io/library/base@sha256:${id('f')}`;
  const tags = [keptAt('e', 1 * HOUR_MS), keptAt('e', 3 * HOUR_MS), 'somebody/else:1', 'berthgate.invalid/kept:latest'];
  const told: string[] = [];
  const side = engineSide(
    {
      ...emptyDesk('engine'),
      ask: async () => [{ Id: `sha256:${id('e')}`, RepoTags: tags, RepoDigests: [digest], Size: 1 }],
      order: async (endpoint, { parameters = {} } = {}) => {
        told.push(`${endpoint} ${parameters.name}`);
        return { status: 201, answer: null };
      },
    },
    { id: '', alone: true, onEnded: () => {} },
  );
  await keepPulled(side, job);
  // The new one first: it is never without a name.
  expect(told).toEqual([`ImageTag sha256:${id('e')}`, `ImageDelete ${tags[0]}`, `ImageDelete ${tags[1]}`]);
});
