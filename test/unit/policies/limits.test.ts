import { describe, expect, test } from 'vitest';
import { type DeskQuestion, type EngineDesk, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Policy, PolicyCreation } from '../../../src/exchange/policy.ts';
import type { Json, JsonObject } from '../../../src/ground/json.ts';
import { limitsKind } from '../../../src/rules/policies/limits/limits.ts';
import { contextOf, judgeBy, refusalBy, type Said } from './judging.ts';

/** An engine that lists what a test says it has, and answers a turn later. */
class Desk implements EngineDesk {
  readonly name = 'engine';
  readonly order = emptyDesk('engine').order;
  readonly follow = emptyDesk('engine').follow;
  readonly asked: string[] = [];
  containers: JsonObject[] = [];
  volumes: JsonObject[] = [];
  inspections: Record<string, JsonObject> = {};
  df: JsonObject = {};
  private readonly kept = new Map<string, unknown>();

  once<T>(name: string, make: () => T): T {
    if (!this.kept.has(name)) this.kept.set(name, make());
    return this.kept.get(name) as T;
  }

  async ask(id: string, { parameters }: DeskQuestion = {}): Promise<Json> {
    this.asked.push(id);
    await new Promise((resolve) => setImmediate(resolve));
    switch (id) {
      case 'ContainerList':
        return [...this.containers];
      case 'VolumeList':
        return { Volumes: [...this.volumes] };
      case 'NetworkList':
        return [];
      case 'ContainerInspect':
        return this.inspections[parameters?.id ?? ''] ?? null;
      case 'SystemDataUsage':
        return this.df;
      case 'SystemInfo':
        return { NCPU: 2, LoggingDriver: 'journald' };
      default:
        return null;
    }
  }
}

function limits(options: unknown, desk: EngineDesk = new Desk(), namespaced: unknown = null): Policy {
  const creation = {
    listener: 'people',
    engine: desk,
    ownPorts: [],
    namespaced,
    resolve: String,
    log: { info() {}, warn() {} },
  };
  return limitsKind.create(limitsKind.options.parse(options), creation as PolicyCreation);
}

const create = (HostConfig: object = {}): Said => ({
  path: '/containers/create',
  body: { Image: 'debian', HostConfig },
});

async function bodyOf(policy: Policy, said: Said): Promise<Record<string, Record<string, Json>>> {
  return (await judgeBy(policy, said)).call.body as never;
}

describe('totals', () => {
  test('are exact however many calls come in one turn', async () => {
    const policy = limits({ total: { containers: 5 } });
    const settled = await Promise.allSettled(Array.from({ length: 20 }, () => judgeBy(policy, create())));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  });

  test('count what is promised and listed already once', async () => {
    const desk = new Desk();
    const policy = limits({ total: { containers: 2 } }, desk);
    const first = await judgeBy(policy, create());
    const label = first.decisions[0]?.labels['berthgate.claim'] as string;
    // The engine lists it before its create has been answered.
    desk.containers = [{ Id: 'c1', Labels: { 'berthgate.claim': label, 'berthgate.user': 'alice' } }];
    await judgeBy(policy, create());
    expect((await refusalBy(policy, create())).message).toContain('in use: 2 containers');
    first.ended(201);
    expect((await refusalBy(policy, create())).message).toContain('in use: 2 containers');
  });

  test('give back what a failed call was promised, and keep what may yet be made', async () => {
    const policy = limits({ total: { containers: 1 } });
    (await judgeBy(policy, create())).ended(409);
    const second = await judgeBy(policy, create());
    // The client is gone, and nobody knows what the engine does with it.
    second.ended(0);
    expect((await refusalBy(policy, create())).code).toBe('over-limit');
  });

  test('forget what has been removed as soon as it counts', async () => {
    const desk = new Desk();
    const policy = limits({ total: { containers: 1 } }, desk);
    (await judgeBy(policy, create())).ended(201);
    // Removed meanwhile: the list is empty.
    await judgeBy(policy, create());
  });

  test('ask the engine only when it matters', async () => {
    const desk = new Desk();
    const policy = limits({ total: { containers: 100 } }, desk);
    for (let i = 0; i < 10; i++) (await judgeBy(policy, create())).ended(201);
    expect(desk.asked.filter((id) => id === 'ContainerList')).toHaveLength(1);
  });

  test('weigh containers from before the start by what the engine tells of them', async () => {
    const desk = new Desk();
    desk.containers = [{ Id: 'c1', Labels: { 'berthgate.user': 'alice' } }];
    desk.inspections.c1 = { Id: 'c1', HostConfig: { Memory: 2 ** 30, CpuQuota: 150_000 } };
    const policy = limits(
      { memory: { default: '1GiB' }, cpus: { default: 1 }, total: { memory: '1536MiB', cpus: 2 } },
      desk,
    );
    expect((await refusalBy(policy, create())).message).toContain(
      '1GiB more would be over the limit of 1536MiB for one user; in use: 1GiB',
    );
    const small = create({ Memory: 2 ** 20, NanoCpus: 6e8 });
    expect((await refusalBy(policy, small)).message).toContain(
      '0.6 CPUs more would be over the limit of 2 CPUs for one user; in use: 1.5 CPUs',
    );
  });

  test('hold for each user apart, and for all listeners of an engine together', async () => {
    const desk = new Desk();
    const options = { total: { containers: 1 } };
    await judgeBy(limits(options, desk), create());
    expect((await refusalBy(limits(options, desk), create())).rule).toBe('total-containers');
  });

  test('in a namespace are its own: a volume that a container brings along is counted once, while it is made too', async () => {
    const desk = new Desk();
    const policy = limits({ total: { containers: 5, volumes: 2 } }, desk);
    const body = { Image: 'debian', Volumes: { '/data': {} } };
    const said: Said = { path: '/containers/create', body, namespace: 'shop' };
    const first = await judgeBy(policy, said);
    const claim = first.decisions[0]?.labels['berthgate.claim'] as string;
    // The namespace has made the volume, and the engine has not begun with the container.
    const labels = { 'berthgate.claim': claim, 'berthgate.namespace': 'shop' };
    desk.volumes = [{ Name: `shop.${'a'.repeat(64)}`, Labels: labels }];
    await judgeBy(policy, said);
    expect((await refusalBy(policy, said)).message).toContain('for one namespace; in use: 2 volumes');
    await judgeBy(policy, { ...said, namespace: 'other' });
    await judgeBy(policy, { ...said, namespace: null });
  });

  test('in a namespace know a volume by its name on the engine', async () => {
    const desk = new Desk();
    desk.volumes = [{ Name: 'shop.data', Labels: { 'berthgate.namespace': 'shop' } }];
    const policy = limits({ total: { volumes: 1 } }, desk);
    const named = (Name: string, namespace = 'shop'): Said => ({ path: '/volumes/create', body: { Name }, namespace });
    await judgeBy(policy, named('data'));
    expect((await refusalBy(policy, named('more'))).rule).toBe('total-volumes');
    expect((await refusalBy(policy, { ...create({ Binds: ['more:/m'] }), namespace: 'shop' })).rule).toBe(
      'total-volumes',
    );
    await judgeBy(policy, { ...create({ Binds: ['data:/m'] }), namespace: 'shop' });
    await judgeBy(policy, named('data', 'other'));
  });

  test('a refusal by a later policy gives back what was promised', async () => {
    const policy = limits({ total: { containers: 1 } });
    const images = { name: 'no', judge: () => Promise.reject(new Error('no')) };
    await refusalBy([policy, images], create());
    await judgeBy(policy, create());
  });

  test('builds of both builders are counted together', async () => {
    const policy = limits({ total: { builds: 1 } });
    const solve: Said = { path: '/moby.buildkit.v1.Control/Solve' };
    const build = await judgeBy(policy, solve);
    expect((await refusalBy(policy, solve)).rule).toBe('total-builds');
    expect((await refusalBy(policy, { path: '/build?t=web' })).rule).toBe('total-builds');
    build.ended(200);
    await judgeBy(policy, { path: '/build?t=web' });
    expect((await refusalBy(policy, solve)).rule).toBe('total-builds');
  });

  test('streams and builds are told that they may come again', async () => {
    const policy = limits({ total: { streams: 1, builds: 1 } });
    const build = await judgeBy(policy, { path: '/build?t=web' });
    const again = await refusalBy(policy, { path: '/build?t=web' });
    expect([again.code, again.status]).toEqual(['too-many-at-once', 429]);
    build.ended(200);
    const logs: Said = { method: 'GET', path: '/containers/web/logs?follow=1' };
    const stream = await judgeBy(policy, logs);
    expect((await refusalBy(policy, logs)).rule).toBe('total-streams');
    stream.ended(200);
    (await judgeBy(policy, logs)).ended(0);
    await judgeBy(policy, { path: '/build?t=web' });
  });
});

describe('bounds', () => {
  test('leave a reservation below the limit that is filled in', async () => {
    const policy = limits({ memory: { default: '64MiB', max: '1GiB' } });
    const body = await bodyOf(policy, create({ MemoryReservation: 128 * 2 ** 20 }));
    expect(body.HostConfig?.Memory).toBe(128 * 2 ** 20);
  });

  test('say processors in the way that the client has begun with, and never more than the engine has', async () => {
    const policy = limits({ cpus: { max: 4 } });
    expect((await bodyOf(policy, create())).HostConfig).toEqual({ NanoCpus: 2e9 });
    expect((await bodyOf(policy, create({ CpuPeriod: 50_000 }))).HostConfig).toEqual({
      CpuPeriod: 50_000,
      CpuQuota: 100_000,
    });
    const { query } = (
      await judgeBy(limits({ cpus: { default: 0.5 }, memory: { max: '1GiB' } }), { path: '/build?t=a' })
    ).call;
    expect(query).toMatchObject({ cpuquota: '50000', cpuperiod: '100000', memory: String(2 ** 30) });
  });

  test('of builds hold too', async () => {
    const policy = limits({ memory: { max: '1GiB' }, cpus: { max: 1 }, shm: { max: '64MiB' } });
    for (const [query, place] of [
      ['memory=2147483648', 'query.memory'],
      ['memory=-1', 'query.memory'],
      ['memory=1&memswap=-1', 'query.memswap'],
      ['cpuquota=200000', 'query.cpuquota'],
      ['shmsize=134217728', 'query.shmsize'],
    ]) {
      expect(await refusalBy(policy, { path: `/build?t=a&${query}` })).toMatchObject({ code: 'over-limit', place });
    }
  });

  test('lower what is too much where that is wanted, and tell the client', async () => {
    const policy = limits({ memory: { max: '64MiB', over: 'lower' }, pids: { max: 100, over: 'lower' } });
    const { call, decisions } = await judgeBy(policy, create({ Memory: 2 ** 40, PidsLimit: -1 }));
    expect(call.body).toMatchObject({ HostConfig: { Memory: 2 ** 26, PidsLimit: 100 } });
    expect(decisions[0]?.changes).toMatchObject([
      { from: 2 ** 40, to: 2 ** 26, warning: 'HostConfig.Memory is lowered to 64MiB', given: ['HostConfig', 'Memory'] },
      { from: -1, to: 100, warning: 'HostConfig.PidsLimit is lowered to 100' },
    ]);
  });

  test('of logs hold for drivers that keep them on the engine, and sizes are never read too small', async () => {
    const policy = limits({ logs: { maxSize: '1MiB', maxFiles: 3 } });
    const log = (Config: object, Type = 'json-file'): Said => create({ LogConfig: { Type, Config } });
    const options = async (said: Said): Promise<unknown> =>
      ((await bodyOf(policy, said)).HostConfig as Record<string, JsonObject>).LogConfig?.Config;
    expect(await options(log({}))).toEqual({ 'max-size': '1048576', 'max-file': '3' });
    expect(await options(log({ 'max-size': '1m', 'max-file': '2' }))).toEqual({ 'max-size': '1m', 'max-file': '2' });
    expect(await options(log({ 'max-size': '1048577' }))).toMatchObject({ 'max-size': '1048576' });
    expect(await options(log({ 'max-size': '-1' }))).toMatchObject({ 'max-size': '1048576' });
    expect(await options(log({ tag: 'x' }, 'syslog'))).toEqual({ tag: 'x' });
    expect((await refusalBy(policy, log({ 'max-size': '1e9' }))).place).toBe('HostConfig.LogConfig.Config.max-size');
    // The engine's own driver, journald here, takes no such option.
    expect((await bodyOf(policy, create())).HostConfig).toEqual({});
  });

  test('of an update see the container as it is', async () => {
    const policy = limits({ cpus: { max: 1 }, pids: { max: 10 } });
    const context = contextOf({
      'ContainerInspect web': { Id: 'web', HostConfig: { CpuQuota: 100_000, CpuPeriod: 100_000 } },
    });
    const update = (body: object): Said => ({ path: '/containers/web/update', body });
    expect((await refusalBy(policy, update({ CpuPeriod: 10_000 }), context)).place).toBe('CpuPeriod');
    expect((await refusalBy(policy, update({ PidsLimit: 0 }), context)).place).toBe('PidsLimit');
    await judgeBy(policy, update({ CpuPeriod: 200_000 }), context);
    await judgeBy(policy, update({ Memory: 0, CpuShares: 2 }), context);
  });

  test('of options that contradict each other are refused with their place', () => {
    const faults = (options: unknown) =>
      limitsKind.options.safeParse(options).error?.issues.map(({ path }) => path.join('.'));
    expect(faults({ memory: { default: '2GiB', max: '1GiB' } })).toEqual(['memory.default']);
    expect(faults({ memory: { max: '2GiB' }, swap: { max: '1GiB' } })).toEqual(['swap.max']);
    expect(faults({ total: { memory: '1GiB', cpus: 2 } })).toEqual(['total.memory', 'total.cpus']);
    expect(faults({ logs: { maxFiles: 2 } })).toEqual(['logs.maxFiles']);
    expect(faults({ memroy: {} })).toEqual(['']);
  });
});

describe('bytes', () => {
  const df = {
    Images: [
      { Id: 'i1', RepoTags: ['debian:12'], Size: 100 },
      { Id: 'i2', RepoTags: ['alpine:3'], Size: 50 },
    ],
    Containers: [
      { ImageID: 'i2', SizeRw: 7, Labels: { 'berthgate.user': 'alice' }, Mounts: [{ Type: 'volume', Name: 'v2' }] },
      { ImageID: 'i1', SizeRw: 1000, Labels: {} },
    ],
    Volumes: [
      { Name: 'v1', Labels: { 'berthgate.user': 'alice' }, UsageData: { Size: 20 } },
      { Name: 'v2', Labels: null, UsageData: { Size: 3 } },
      { Name: 'v3', Labels: { 'berthgate.user': 'bob' }, UsageData: { Size: 1000 } },
    ],
  };
  const since152 = {
    ImageUsage: { Items: df.Images },
    ContainerUsage: { Items: df.Containers },
    VolumeUsage: { Items: df.Volumes },
  };

  test.for([
    ['up to 1.51', df],
    ['since 1.52', since152],
  ] as const)('are summed up for the user as the API tells them %s', async ([, answer]) => {
    const desk = new Desk();
    desk.df = answer as never;
    const reached = async (total: object, said: Said): Promise<string> =>
      (await refusalBy(limits({ total }, desk), said)).message;
    expect(await reached({ layerBytes: 7 }, create())).toContain('in use: 7B');
    expect(await reached({ volumeBytes: 20 }, { path: '/volumes/create', body: {} })).toContain('in use: 23B');
    const pull: Said = { path: '/images/create?fromImage=debian&tag=12' };
    expect(await reached({ imageBytes: 50 }, pull)).toContain('in use: 50B');
    (await judgeBy(limits({ total: { imageBytes: 51 } }, desk), pull)).ended(200);
    await expect.poll(() => reached({ imageBytes: 150 }, pull)).toContain('in use: 150B');
  });

  test('of images are those that the namespace has names for', async () => {
    const desk = new Desk();
    const image = (Id: string, Size: number, ...RepoTags: readonly string[]) => ({ Id, Size, RepoTags });
    const names = [
      image('i1', 100, 'gateway/shop/docker.io/library/app:1', 'gateway/other/docker.io/library/app:1'),
      image('i2', 20, 'gateway/shop/u_image:x'),
      image('i3', 3000, 'gateway/shop2/docker.io/library/app:1', 'shop/app:1'),
    ];
    desk.df = { Images: names } as never;
    const policy = limits({ total: { imageBytes: 120 } }, desk, { images: (name: string) => `gateway/${name}/` });
    const load: Said = { path: '/images/load', namespace: 'shop' };
    expect((await refusalBy(policy, load)).message).toContain('for one namespace is reached; in use: 120B');
    const empty = await judgeBy(policy, { ...load, namespace: 'nobody' });
    empty.load[0]?.size?.({ archive: 500, contents: 120 });
    expect(() => empty.load[0]?.size?.({ archive: 0, contents: 121 })).toThrow('the archive holds more than is left');
    empty.ended(200);
  });

  test('of the build cache are of who was building when they appeared', async () => {
    const desk = new Desk();
    const record = (ID: string, Size: number, Shared = false) => ({ ID, Size, Shared });
    desk.df = { BuildCache: [record('before', 1000)] };
    const policy = limits({ total: { buildCacheBytes: 100 } }, desk);
    const build: Said = { path: '/build?t=web' };
    const others: Said = { ...build, namespace: 'shop' };
    const first = await judgeBy(policy, build);
    desk.df = { BuildCache: [record('before', 1000), record('own', 60), record('shared', 500, true)] };
    first.ended(200);
    const second = await judgeBy(policy, others);
    const untagged = { Id: 'i9', RepoTags: null, Size: 1050, SharedSize: 1000 };
    desk.df = { BuildCache: [...(desk.df.BuildCache as []), record('theirs', 70)], Images: [untagged] };
    second.ended(200);
    // 60 of its own are left room for; of 120 that appeared while only the other one built, nothing counts.
    const third = await judgeBy(policy, build);
    expect((await refusalBy(policy, others)).message).toBe(
      'the limit of 100B for one namespace is reached; in use: 120B',
    );
    desk.df = { BuildCache: [...(desk.df.BuildCache as []), record('more', 40)], Images: [untagged] };
    third.ended(200);
    await refusalBy(policy, others);
    expect((await refusalBy(policy, build)).message).toBe('the limit of 100B for one user is reached; in use: 100B');
  });
});
