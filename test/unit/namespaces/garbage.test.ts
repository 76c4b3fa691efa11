// What goes from an engine's disk, and in which order.

import { expect, test, vi } from 'vitest';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import { collectGarbage, engineSide } from '../../../src/rules/namespaces/index.ts';
import { keepPulled } from '../../../src/rules/namespaces/kept-images.ts';

const id = (digit: string): string => digit.repeat(64);
const keptAt = (digit: string, agoMs: number): string =>
  `berthgate.invalid/kept:${id(digit)}-${Math.floor((Date.now() - agoMs) / 1000)}`;
const HOUR_MS = 3_600_000;
const images: readonly Json[] = [
  { Id: `sha256:${id('a')}`, RepoTags: [keptAt('a', 1 * HOUR_MS)], Size: 1 },
  { Id: `sha256:${id('b')}`, RepoTags: [keptAt('b', 3 * HOUR_MS), keptAt('b', 30 * HOUR_MS)], Size: 2 },
  { Id: `sha256:${id('c')}`, RepoTags: [keptAt('c', 25 * HOUR_MS)], Size: 3 },
  { Id: `sha256:${id('d')}`, RepoTags: ['somebody/else:1', 'berthgate.invalid/kept:latest'], Size: 4 },
];
const ADDRESS = '127.0.0.1:5350';
const stepAt = (address: string, agoMs: number): string =>
  `${address}/s_word/cache:t${(Date.now() - agoMs).toString(16).padStart(12, '0')}-0123456789abcdef`;

/** What the engine was told, in order. */
function engine(more: readonly Json[] = []) {
  const told: string[] = [];
  const side = engineSide(
    {
      ...emptyDesk('engine'),
      ask: async (endpoint) => (endpoint === 'ImageList' ? [...images, ...more] : null),
      order: async (endpoint, { parameters = {}, query = {} } = {}) => {
        told.push(endpoint === 'BuildPrune' ? `prune ${JSON.stringify(query)}` : `${endpoint} ${parameters.name}`);
        return { status: 200, answer: { SpaceReclaimed: 7 } };
      },
    },
    { id: '', alone: true, onEnded: () => {} },
  );
  return { side, told };
}

const limits = { high: 85, low: 70, keepImagesMs: 24 * HOUR_MS, idleMs: null };
const roomy = async (): Promise<number> => 85;
const full = async (): Promise<number> => 86;

test('an image goes that was not used for long, and nothing else while there is room', async () => {
  const { side, told } = engine();
  const { garbage, disk } = await collectGarbage(side, roomy, limits, false);
  expect(garbage.map(({ name, why }) => [name, why])).toEqual([[`sha256:${id('c')}`, 'expired']]);
  expect(told).toEqual([expect.stringMatching(`^ImageDelete berthgate.invalid/kept:${id('c')}-`)]);
  expect(disk).toBe(85);
});

test('a full disk takes whatever was not used for longest first, images as well as build cache', async () => {
  const { side, told } = engine([
    { Id: `sha256:${id('5')}`, RepoTags: [stepAt(ADDRESS, 2 * HOUR_MS), stepAt(ADDRESS, 9 * HOUR_MS)], Size: 5 },
    // Of another Berthgate.
    { Id: `sha256:${id('6')}`, RepoTags: [stepAt('127.0.0.9:5350', 90 * HOUR_MS)], Size: 6 },
  ]);
  side.addresses.add(ADDRESS);
  const { garbage } = await collectGarbage(side, full, limits, false);
  expect(garbage.map(({ kind, name, why }) => [kind, name.replace(/^.*(.)\1+$/, '$1'), why])).toEqual([
    ['image', 'c', 'expired'],
    ['build cache', 'not used for 86400s', 'disk'],
    ['build cache', expect.stringMatching(/^not used for 1080\ds$/), 'disk'],
    ['image', 'b', 'disk'],
    ['build cache', expect.stringMatching(/^not used for 720\ds$/), 'disk'],
    ['build cache', '5', 'disk'],
    ['build cache', expect.stringMatching(/^not used for 360\ds$/), 'disk'],
    ['image', 'a', 'disk'],
    ['build cache', 'whatever no build uses', 'disk'],
  ]);
  expect(told.filter((line) => line.startsWith('prune'))).toHaveLength(5);
  expect(told).toContain('prune {"all":true,"filters":{"until":["86400s"]}}');
  expect(told.at(-1)).toBe('prune {"all":true}');
  expect(told.filter((line) => line.includes('/s_word/'))).toHaveLength(2);
  // Every name of the one that was kept twice.
  expect(told.filter((line) => line.includes(id('b')))).toHaveLength(2);
  expect(told.join()).not.toContain('latest');
});

test('no more goes than it takes until there is room', async () => {
  const { side, told } = engine();
  const used = async (): Promise<number> => (told.some((line) => line.includes(id('b'))) ? 70 : 86);
  const { garbage } = await collectGarbage(side, used, limits, false);
  expect(garbage.filter(({ kind }) => kind === 'image').map(({ name }) => name.slice(-1))).toEqual(['c', 'b']);
  expect(told.at(-1)).toContain(id('b'));
});

test('what is of nearly the same age takes no build cache one by one', async () => {
  const near = [1, 2, 3].map((digit) => ({
    Id: `sha256:${id(String(digit))}`,
    RepoTags: [keptAt(String(digit), HOUR_MS + digit * 1000)],
  }));
  const { side, told } = engine(near);
  await collectGarbage(side, full, limits, false);
  expect(told.filter((line) => line.startsWith('prune'))).toHaveLength(4);
});

test('a dry run removes nothing, and a disk that is not at this machine is never full', async () => {
  const dry = engine();
  expect((await collectGarbage(dry.side, full, limits, true)).garbage).toHaveLength(4);
  expect(dry.told).toEqual([]);
  const far = engine();
  expect(await collectGarbage(far.side, async () => null, limits, false)).toMatchObject({
    disk: null,
    garbage: [{ why: 'expired' }],
  });
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

test('on a full disk a namespace goes in which nothing runs and that nobody has used for long, and no other', async () => {
  const told: string[] = [];
  const gone = new Set<string>();
  const job = `j-${'0'.repeat(20)}`;
  const container = (owner: string, State: string): Json => ({
    Id: owner,
    Names: [`/${owner}.web`],
    Labels: { 'berthgate.namespace': owner, 'berthgate.instance': owner === 'elsewhere' ? 'other' : 'here' },
    State,
    ImageID: '',
  });
  const states = {
    idle: 'exited',
    runs: 'running',
    asleep: 'paused',
    back: 'exited',
    // Another Berthgate's, which may be in use there.
    elsewhere: 'exited',
    [job]: 'exited',
  };
  const side = engineSide(
    {
      ...emptyDesk('engine'),
      ask: async (endpoint, { query = {} } = {}) => {
        if (endpoint !== 'ContainerList') return null;
        const [label = ''] = (query.filters as { label?: string[] } | undefined)?.label ?? ['nobody'];
        const all = Object.entries(states).filter(([owner]) => !gone.has(owner));
        return all.flatMap(([owner, state]) =>
          label === 'berthgate.namespace' || label.endsWith(`=${owner}`) ? [container(owner, state)] : [],
        );
      },
      order: async (endpoint, { parameters = {} } = {}) => {
        if (endpoint === 'ContainerDelete') gone.add(String(parameters.id));
        told.push(`${endpoint} ${parameters.id ?? ''}`);
        return { status: 200, answer: null };
      },
    },
    { id: 'here', alone: true, onEnded: () => {} },
  );
  const namespaces = (collected: Awaited<ReturnType<typeof collectGarbage>>): readonly string[] =>
    collected.garbage.flatMap(({ kind, name }) => (kind === 'namespace' ? [name] : []));
  expect(namespaces(await collectGarbage(side, full, limits, true))).toEqual([]);
  // Nobody knows of a use before the server began: that was a moment ago.
  expect(namespaces(await collectGarbage(side, full, { ...limits, idleMs: HOUR_MS }, true))).toEqual([]);
  vi.useFakeTimers({ now: Date.now() + 2 * HOUR_MS, toFake: ['Date'] });
  try {
    side.uses.note('back');
    const idle = { ...limits, idleMs: HOUR_MS };
    expect(namespaces(await collectGarbage(side, full, idle, true))).toEqual(['idle']);
    expect(namespaces(await collectGarbage(side, roomy, idle, false))).toEqual([]);
    expect(gone.size).toBe(0);
    expect(namespaces(await collectGarbage(side, full, idle, false))).toEqual(['idle']);
  } finally {
    vi.useRealTimers();
  }
  // Of the cache what was not used for as long, and what is younger where that was not enough.
  expect(told).toEqual(['BuildPrune ', 'BuildPrune ', 'ContainerDelete idle', 'BuildPrune ']);
});
