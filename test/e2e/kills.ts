// kill -9 at every call by which a namespace changes its engine, as it is sent and as it is answered: after a restart,
// everything is whole and owned, or gone. One that only reads leaves the engine as the call before it did.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type Killable, type Moment, startKillable } from './killed.ts';

interface Mounted {
  readonly Id: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly State: { readonly Status: string };
  readonly Mounts: readonly { readonly Type: string; readonly Name: string; readonly Destination: string }[];
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly Aliases: readonly string[] }>> };
}

interface Volume {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

/** No action takes more changes. */
const MOST_CALLS = 30;
const RECOVERED_MS = 150_000;

/** Of an engine, which tells nobody: polled. What does not come true is seen by the assertions that follow. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + RECOVERED_MS;
  while (!(await holds()) && Date.now() < deadline) await pause(100);
}

/** `all`: both moments, and every action; else a sample. Each kill costs a start. */
export function describeKills(extent: 'all' | 'sample', fits: (engine: TestEngine) => boolean): void {
  describeEachEngine('kill -9', (engine) => seeKills(engine, extent === 'all'), fits);
}

function seeKills(engine: TestEngine, all: boolean): void {
  const moments: readonly Moment[] = all ? ['sent', 'answered'] : ['answered'];
  const ns = `kill-${randomBytes(3).toString('hex')}`;
  const image = `${ns}:volumes`;
  let killable: Killable | undefined;
  const it = (): Killable => killable as Killable;
  /** What the kills have left, before anybody looked after it. */
  const leftOpen = { orphans: 0, entries: 0 };
  /** Volumes without a name that their user kept: by a `docker rm` without -v. */
  const keptByUser = new Set<string>();

  const direct = (method: string, path: string, body?: unknown) =>
    ask(engine.socket, method, path, body === undefined ? {} : { body });
  const filters = (said: unknown): string => `filters=${encodeURIComponent(JSON.stringify(said))}`;
  const owned = { label: [`berthgate.namespace=${ns}`] };
  const volumes = async (said: unknown): Promise<readonly Volume[]> =>
    (await direct('GET', `/volumes?${filters(said)}`)).json<{ Volumes: Volume[] | null }>().Volumes ?? [];
  const unnamed = ({ Name }: Volume): boolean => new RegExp(`^${ns}\\.[0-9a-f]{64}$`).test(Name);
  const orphans = async (): Promise<readonly string[]> =>
    (await volumes({ ...owned, dangling: ['true'] }))
      .filter((volume) => unnamed(volume) && !keptByUser.has(volume.Name))
      .map(({ Name }) => Name);
  const entries = async () =>
    volumes({ label: [`berthgate.instance=${await it().installation()}`], dangling: ['true'] });
  const inspect = async (name: string): Promise<Mounted | null> => {
    const answer = await direct('GET', `/containers/${ns}.${name}/json`);
    return answer.status === 404 ? null : answer.json<Mounted>();
  };
  const create = (more: Readonly<Record<string, unknown>> = {}, host: Readonly<Record<string, unknown>> = {}) => ({
    body: { Image: image, Cmd: ['sleep', '600'], Volumes: { '/anon': {} }, HostConfig: host, ...more },
  });

  /** The same, once for each call that it makes to the engine. `make` gives a name of its own for each time. */
  async function killEverywhere(
    prepare: (name: string) => Promise<void>,
    act: (name: string) => { method: string; path: string; body?: unknown },
    see: (name: string) => Promise<void>,
  ): Promise<number> {
    let calls = 0;
    for (const moment of moments) {
      for (let nth = 1; nth <= MOST_CALLS; nth++) {
        const name = `x${randomBytes(4).toString('hex')}`;
        await prepare(name);
        const before = (await orphans()).length;
        const { method, path, body } = act(name);
        const killed = await it().killedAt(nth, moment, method, path, body === undefined ? {} : { body });
        if (!killed) break;
        calls++;
        leftOpen.orphans += Math.max(0, (await orphans()).length - before);
        leftOpen.entries += (await entries()).filter(({ Labels }) => Labels?.['berthgate.intent'] !== undefined).length;
        await it().start();
        await see(name);
      }
    }
    return calls;
  }

  /** Whole: labelled, and all that it mounts is labelled too. */
  async function expectWhole(name: string, mounts: number): Promise<boolean> {
    const found = await inspect(name);
    if (found === null) return false;
    expect(found.Config.Labels['berthgate.namespace']).toBe(ns);
    const mounted = found.Mounts.filter(({ Type }) => Type === 'volume');
    expect(mounted.length).toBe(mounts);
    for (const { Name } of mounted) {
      const volume = (await direct('GET', `/volumes/${Name}`)).json<Volume>();
      expect(volume.Labels?.['berthgate.namespace'], Name).toBe(ns);
    }
    const seen = await it().call('GET', `/containers/${name}/json`);
    expect(seen.json<{ Id: string }>().Id).toBe(found.Id);
    return true;
  }

  beforeAll(async () => {
    const { Id } = (await direct('POST', '/containers/create', { Image: 'busybox' })).json<{ Id: string }>();
    const changes = encodeURIComponent('VOLUME /of-image');
    await direct('POST', `/commit?container=${Id}&repo=${ns}&tag=volumes&changes=${changes}`);
    await direct('DELETE', `/containers/${Id}`);
    killable = await startKillable(engine, ns, [image]);
    await it().call('POST', '/networks/create', { body: { Name: 'net' } });
  });

  afterAll(async () => {
    await killable?.stop();
    const listed = await direct('GET', `/containers/json?all=1&${filters(owned)}`);
    for (const { Id } of listed.json<{ Id: string }[]>()) await direct('DELETE', `/containers/${Id}?force=1&v=1`);
    const networks = await direct('GET', `/networks?${filters(owned)}`);
    for (const { Id } of networks.json<{ Id: string }[]>()) await direct('DELETE', `/networks/${Id}`);
    for (const { Name } of await volumes(owned)) await direct('DELETE', `/volumes/${Name}`);
    await direct('DELETE', `/images/${image}`);
  });

  test('at every call of a create, with volumes of every kind on a network of its own', async () => {
    const calls = await killEverywhere(
      async () => {},
      (name) => ({
        method: 'POST',
        path: `/containers/create?name=${name}`,
        ...create({}, { Binds: [`${name}-data:/data`], NetworkMode: 'net' }),
      }),
      async (name) => void (await expectWhole(name, 3)),
    );
    // A named volume, an entry, two volumes without a name, the container, the end of the entry.
    expect(calls).toBeGreaterThanOrEqual(6 * moments.length);
  });

  test('at every call of a create that goes with its end, on the default network', async () => {
    const calls = await killEverywhere(
      async () => {},
      (name) => ({ method: 'POST', path: `/containers/create?name=${name}`, ...create({}, { AutoRemove: true }) }),
      async (name) => void (await expectWhole(name, 2)),
    );
    expect(calls).toBeGreaterThanOrEqual(3 * moments.length);
  });

  test.skipIf(!all)('at every call of a connect and of a rename', async () => {
    await killEverywhere(
      async (name) => {
        await it().call('POST', `/containers/create?name=${name}`, create());
      },
      (name) => ({ method: 'POST', path: '/networks/net/connect', body: { Container: name } }),
      async (name) => void expect(await expectWhole(name, 2)).toBe(true),
    );
    await killEverywhere(
      async (name) => {
        await it().call('POST', `/containers/create?name=${name}`, create());
      },
      (name) => ({ method: 'POST', path: `/containers/${name}/rename?name=${name}-new` }),
      async (name) => {
        const [old, renamed] = [await expectWhole(name, 2), await expectWhole(`${name}-new`, 2)];
        expect([old, renamed].sort()).toEqual([false, true]);
      },
    );
  });

  test.skipIf(!all)('at every call of a create of a volume and of a network', async () => {
    await killEverywhere(
      async () => {},
      (name) => ({ method: 'POST', path: '/volumes/create', body: { Name: name } }),
      async (name) => {
        const seen = await direct('GET', `/volumes/${ns}.${name}`);
        if (seen.status === 200) expect(seen.json<Volume>().Labels?.['berthgate.namespace']).toBe(ns);
        expect((await it().call('GET', `/volumes/${name}`)).status).toBe(seen.status);
      },
    );
    await killEverywhere(
      async () => {},
      (name) => ({ method: 'POST', path: '/networks/create', body: { Name: name } }),
      async (name) => {
        const seen = await direct('GET', `/networks/${ns}.${name}`);
        if (seen.status === 200) expect(seen.json<Volume>().Labels?.['berthgate.namespace']).toBe(ns);
        expect((await it().call('GET', `/networks/${name}`)).status).toBe(seen.status);
      },
    );
  });

  test('at every call of a remove with volumes', async () => {
    const calls = await killEverywhere(
      async (name) => {
        await it().call('POST', `/containers/create?name=${name}`, create({}, { Binds: [`${name}-data:/data`] }));
      },
      (name) => ({ method: 'DELETE', path: `/containers/${name}?v=1` }),
      async (name) => {
        await expectWhole(name, 3);
        expect((await direct('GET', `/volumes/${ns}.${name}-data`)).status).toBe(200);
      },
    );
    expect(calls).toBeGreaterThanOrEqual(4 * moments.length);
  });

  test('at every call of a start that brings a new name', async () => {
    const calls = await killEverywhere(
      async (name) => {
        const net = { NetworkMode: 'net' };
        const said = { NetworkingConfig: { EndpointsConfig: { net: { Aliases: ['said'] } } } };
        await it().call('POST', `/containers/create?name=${name}`, create(said, net));
        await it().call('POST', `/containers/${name}/rename?name=${name}-new`);
      },
      (name) => ({ method: 'POST', path: `/containers/${name}-new/start` }),
      async (name) => {
        expect((await it().call('POST', `/containers/${name}-new/start`)).text).toBe('');
        const [endpoint] = Object.values((await inspect(`${name}-new`))?.NetworkSettings.Networks ?? {});
        const aliases = endpoint?.Aliases.filter((alias) => !/^[0-9a-f]{12}$/.test(alias));
        expect(aliases).toEqual(['said', `${name}-new`]);
        await direct('DELETE', `/containers/${ns}.${name}-new?force=1`);
        await it().call('POST', '/volumes/prune');
      },
    );
    // An entry, the leaving, the joining, the end of the entry, the start.
    expect(calls).toBeGreaterThanOrEqual(5 * moments.length);
  });

  test('while a container ends that goes with its end', async () => {
    for (let times = 0; times < 2; times++) {
      const name = `auto${times}`;
      await it().call('POST', `/containers/create?name=${name}`, create({}, { AutoRemove: true }));
      expect((await it().call('POST', `/containers/${name}/start`)).text).toBe('');
      await it().kill();
      await direct('POST', `/containers/${ns}.${name}/kill`);
      await until(async () => (await inspect(name)) === null);
      leftOpen.orphans += (await orphans()).length;
      await it().start();
    }
  });

  test('and after all of that nothing is left that nobody asked for, and nothing is lost that somebody keeps', async () => {
    // The volumes of a container that was removed without them, right before a kill and after one.
    for (const again of [false, true]) {
      const name = `kept${again}`;
      await it().call('POST', `/containers/create?name=${name}`, create());
      const found = await inspect(name);
      for (const { Name } of found?.Mounts ?? []) keptByUser.add(Name);
      if (again) {
        await it().kill();
        await it().start();
      }
      expect((await it().call('DELETE', `/containers/${name}`)).status).toBe(204);
      await it().kill();
      await it().start();
    }
    expect(keptByUser.size).toBe(4);
    // The control: there was something to look after.
    expect(leftOpen.orphans).toBeGreaterThanOrEqual(4);
    expect(leftOpen.entries).toBeGreaterThanOrEqual(3);
    await until(async () => (await entries()).length + (await orphans()).length === 0);
    expect(await entries()).toEqual([]);
    expect(await orphans()).toEqual([]);
    for (const kept of keptByUser) expect((await direct('GET', `/volumes/${kept}`)).status, kept).toBe(200);
    const all = (await direct('GET', '/volumes')).json<{ Volumes: Volume[] }>().Volumes;
    for (const volume of all.filter(({ Name }) => Name.startsWith(`${ns}.`))) {
      expect(volume.Labels?.['berthgate.namespace'], volume.Name).toBe(ns);
    }
    const listed = await direct('GET', `/containers/json?all=1&${filters({ name: [`^/${ns}\\.`] })}`);
    for (const { Names } of listed.json<{ Names: string[] }[]>()) {
      const name = (Names[0] as string).slice(ns.length + 2);
      const found = await inspect(name);
      expect(await expectWhole(name, found?.Mounts.length ?? 0)).toBe(true);
      expect(['created', 'running', 'exited']).toContain(found?.State.Status);
    }
  });
}
