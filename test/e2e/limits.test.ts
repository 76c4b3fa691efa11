// The policy `limits` in front of real engines: what one user gets is what there is, however many ask at once.
import { afterEach, expect, test } from 'vitest';
import { askEngine, describeEachEngine, docker } from '../engines/index.ts';
import { type Answer, judged, judgedAs, removeAllOf } from './asking.ts';

const MiB = 1024 * 1024;
const sleeper = { Image: 'busybox', Cmd: ['sleep', '600'] };

describeEachEngine('limits', (engine) => {
  const user = `lim-${process.pid}-${engine.name}`;
  let number = 0;
  const own = (): string => `${user}-${++number}`;
  const create = '/containers/create';

  afterEach(() => removeAllOf(engine, user));

  async function inspect(id: string) {
    return JSON.parse((await askEngine(engine.host, 'GET', `/containers/${id}/json`)).text);
  }

  test('twenty creates at once get the five containers that a user may have, and a removal makes room for one', async () => {
    const { ask } = await judged(engine.host, user, { use: 'limits', total: { containers: 5 } });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask('POST', `${create}?name=${own()}`, sleeper)),
    );
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 403);
    expect([made.length, refused.length]).toEqual([5, 15]);
    expect(refused[0]?.code).toBe('over-limit');
    expect(refused[0]?.message).toContain('over the limit of 5 containers for one user; in use: 5 containers');

    expect((await ask('DELETE', `/containers/${made[0]?.json.Id}?v=1`)).status).toBe(204);
    const again = await Promise.all(Array.from({ length: 3 }, () => ask('POST', create, sleeper)));
    expect(again.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  test('creates that the engine refuses take nothing', async () => {
    const { ask } = await judged(engine.host, user, { use: 'limits', total: { containers: 1 } });
    const name = own();
    expect((await ask('POST', `${create}?name=${name}`, { Image: 'lim-is-not-there' })).status).toBe(404);
    expect((await ask('POST', `${create}?name=${name}`, sleeper)).status).toBe(201);
    expect((await ask('POST', create, sleeper)).status).toBe(403);
  });

  test('what a user holds is known after a restart, and belongs to this user alone', async () => {
    const options = { use: 'limits', memory: { default: '32MiB' }, total: { memory: '64MiB' } };
    const first = await judged(engine.host, user, options);
    expect((await first.ask('POST', create, sleeper)).status).toBe(201);
    await first.stop();
    const second = await judged(engine.host, user, options);
    expect((await second.ask('POST', create, sleeper)).status).toBe(201);
    const refused = await second.ask('POST', create, sleeper);
    expect(refused.message).toContain('32MiB more would be over the limit of 64MiB for one user; in use: 64MiB');
    const other = await judged(engine.host, `${user}-other`, options);
    const theirs = await other.ask('POST', create, sleeper);
    expect(theirs.status).toBe(201);
    await removeAllOf(engine, `${user}-other`);
  });

  test('a container gets the defaults, and no more than the most', async () => {
    const { ask } = await judged(engine.host, user, {
      use: 'limits',
      memory: { default: '32MiB', max: '64MiB' },
      cpus: { default: 0.5, max: 1 },
      pids: { default: 50, max: 100 },
      shm: { max: '16MiB' },
      ulimits: { nofile: { max: 1024 } },
      logs: { maxSize: '1MiB', maxFiles: 2 },
      total: { containers: 10 },
    });
    const plain = await ask('POST', create, sleeper);
    const { HostConfig: given } = await inspect(plain.json.Id);
    expect(given).toMatchObject({ Memory: 32 * MiB, NanoCpus: 5e8, PidsLimit: 50, ShmSize: 16 * MiB });
    expect(given.Ulimits).toEqual([{ Name: 'nofile', Soft: 1024, Hard: 1024 }]);
    expect(given.LogConfig.Config).toMatchObject({ 'max-size': String(MiB), 'max-file': '2' });
    expect((await ask('POST', `/containers/${plain.json.Id}/start`)).status).toBe(204);

    const tooMuch: readonly [object, string][] = [
      [{ Memory: 65 * MiB }, 'HostConfig.Memory 65MiB is over the limit of 64MiB'],
      [{ Memory: -1 }, 'HostConfig.Memory no limit is over the limit of 64MiB'],
      [{ Memory: 64 * MiB, MemorySwap: -1 }, 'HostConfig.MemorySwap no limit is over the limit of 128MiB'],
      [{ NanoCpus: 2e9 }, 'HostConfig.NanoCpus 2 CPUs is over the limit of 1 CPU'],
      [{ CpuQuota: 300_000 }, 'HostConfig.CpuQuota 3 CPUs is over the limit of 1 CPU'],
      [{ CpuQuota: 100_000, CpuPeriod: 10_000 }, 'HostConfig.CpuQuota 10 CPUs is over the limit of 1 CPU'],
      [{ PidsLimit: -1 }, 'HostConfig.PidsLimit no limit is over the limit of 100'],
      [{ ShmSize: 17 * MiB }, 'HostConfig.ShmSize 17MiB is over the limit of 16MiB'],
    ];
    for (const [HostConfig, message] of tooMuch) {
      const answer: Answer = await ask('POST', create, { ...sleeper, HostConfig });
      expect([answer.status, answer.message]).toEqual([403, expect.stringContaining(message)]);
    }
    // Old clients say it beside the host configuration, and old engines listen.
    const legacy = await ask('POST', create, { ...sleeper, Memory: 65 * MiB });
    expect(legacy.message).toContain('Memory 65MiB is over the limit of 64MiB');

    const ulimited = { ...sleeper, HostConfig: { Ulimits: [{ Name: 'nofile', Soft: -1, Hard: -1 }] } };
    const lowered = await ask('POST', create, ulimited);
    expect(lowered.json.Warnings.join()).toContain('HostConfig.Ulimits[0].Hard is lowered to 1024');
    expect((await inspect(lowered.json.Id)).HostConfig.Ulimits).toEqual([{ Name: 'nofile', Soft: 1024, Hard: 1024 }]);
    const shown = await ask('GET', `/containers/${lowered.json.Id}/json`);
    expect(shown.json.HostConfig.Ulimits).toEqual([{ Name: 'nofile', Soft: -1, Hard: -1 }]);
  });

  test('an update cannot take a limit away, nor more than there is', async () => {
    const { ask } = await judged(engine.host, user, {
      use: 'limits',
      memory: { default: '32MiB', max: '64MiB' },
      cpus: { max: 1 },
      pids: { default: 50, max: 100 },
      total: { containers: 10, memory: '80MiB' },
    });
    const made = await ask('POST', create, { ...sleeper, HostConfig: { CpuQuota: 100_000, CpuPeriod: 100_000 } });
    const id = made.json.Id as string;
    const update = (body: object): Promise<Answer> => ask('POST', `/containers/${id}/update`, body);
    await ask('POST', `/containers/${id}/start`);

    expect((await update({ PidsLimit: 0 })).message).toContain('PidsLimit no limit is over the limit of 100');
    expect((await update({ PidsLimit: -1 })).status).toBe(403);
    expect((await update({ Memory: -1, MemorySwap: -1 })).status).toBe(403);
    expect((await update({ CpuPeriod: 1000 })).message).toContain('CpuPeriod 100 CPUs is over the limit of 1 CPU');
    expect((await update({ CpuQuota: -1 })).status).toBe(403);
    // Says nothing of memory and processes: they stay.
    expect((await update({ Memory: 0, PidsLimit: null, CpuShares: 512 })).status).toBe(200);
    expect((await inspect(id)).HostConfig).toMatchObject({ Memory: 32 * MiB, PidsLimit: 50, CpuShares: 512 });
    expect((await update({ Memory: 60 * MiB, MemorySwap: 120 * MiB })).status).toBe(200);

    const second = await ask('POST', create, sleeper);
    expect([second.status, second.message]).toEqual([
      403,
      expect.stringContaining('32MiB more would be over the limit of 80MiB for one user; in use: 60MiB'),
    ]);
  });

  test('volumes count, also those that containers have brought along and left', async () => {
    const { ask } = await judged(engine.host, user, { use: 'limits', total: { volumes: 3 } });
    const named = own();
    expect((await ask('POST', '/volumes/create', { Name: named })).status).toBe(201);
    expect((await ask('POST', '/volumes/create', { Name: named })).status).toBe(201);
    const made = await ask('POST', create, { ...sleeper, Volumes: { '/data': {} } });
    expect(made.status).toBe(201);
    const anonymous = (await inspect(made.json.Id)).Mounts[0].Name as string;
    await ask('DELETE', `/containers/${made.json.Id}`);
    const bound = own();
    const second = await ask('POST', create, {
      ...sleeper,
      HostConfig: { Binds: [`${bound}:/data`, `${named}:/other`] },
    });
    expect(second.status).toBe(201);
    const refused = await ask('POST', '/volumes/create', {});
    expect(refused.message).toContain(
      '1 volume more would be over the limit of 3 volumes for one user; in use: 3 volumes',
    );
    await docker(engine, ['rm', '-f', second.json.Id]);
    await docker(engine, ['volume', 'rm', bound, anonymous]);
    expect((await ask('POST', '/volumes/create', {})).status).toBe(201);
  });

  test('networks and published ports count', async () => {
    const { ask } = await judged(engine.host, user, { use: 'limits', total: { networks: 1, ports: 2 } });
    const subnet = { IPAM: { Config: [{ Subnet: `${engine.subnetPrefix}.78.0/24` }] } };
    const [one, other] = await Promise.all(
      ['a', 'b'].map((name) => ask('POST', '/networks/create', { Name: own() + name, ...subnet })),
    );
    expect([one?.status, other?.status].sort()).toEqual([201, 403]);
    const PortBindings = { '80/tcp': [{ HostPort: '' }], '81/tcp': [{ HostPort: '' }] };
    expect((await ask('POST', create, { ...sleeper, HostConfig: { PortBindings } })).status).toBe(201);
    const published = { ...sleeper, ExposedPorts: { '80/tcp': {} }, HostConfig: { PublishAllPorts: true } };
    const refused = await ask('POST', create, published);
    expect(refused.message).toContain('1 published port more would be over the limit of 2 published ports');
    expect((await ask('POST', create, sleeper)).status).toBe(201);
  });

  test('of a namespace count what it holds, whoever of it calls, and nothing that is not its own', async () => {
    const [one, other] = [`${user}-one`, `${user}-other`];
    const listener = {
      namespace: user.replaceAll('.', ''),
      policies: [{ use: 'limits', total: { containers: 3, volumes: 3, networks: 1, streams: 1 } }],
    };
    try {
      const outside = await judged(engine.host, one, { use: 'limits', total: { containers: 1, volumes: 1 } });
      expect((await outside.ask('POST', create, sleeper)).status).toBe(201);
      const { ask, open } = await judgedAs(engine.host, [one, other], listener);
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, at) =>
          ask('POST', `${create}?name=c${at}`, { ...sleeper, Volumes: { '/v': {} } }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 403, 403, 403, 403, 403]);
      const refused = await ask('POST', '/volumes/create', { Name: 'data' });
      expect(refused.message).toContain('over the limit of 3 volumes for one namespace; in use: 3 volumes');
      // What is there already under its name is not another one, and gone is gone.
      const [first] = answers.filter(({ status }) => status === 201);
      expect((await ask('DELETE', `/containers/${first?.json.Id}?v=1`)).status).toBe(204);
      expect((await ask('POST', '/volumes/create', { Name: 'data' })).status).toBe(201);
      expect((await ask('POST', '/volumes/create', { Name: 'data' })).status).toBe(201);
      expect((await ask('POST', create, { ...sleeper, HostConfig: { Binds: ['data:/d'] } })).status).toBe(201);
      expect((await ask('POST', create, { ...sleeper, HostConfig: { Binds: ['more:/d'] } })).status).toBe(403);
      // The default network is not one that somebody has made.
      const nets = await Promise.all(['n1', 'n2'].map((Name) => ask('POST', '/networks/create', { Name })));
      expect(nets.map(({ status }) => status).sort()).toEqual([201, 403]);
      const stream = await open('GET', '/events');
      expect((await ask('GET', '/events')).status).toBe(429);
      stream.close();
      // After a restart the engine tells the same.
      const again = await judgedAs(engine.host, [other], listener);
      expect((await again.ask('POST', create, sleeper)).message).toContain('in use: 3 containers');
      expect((await outside.ask('POST', create, sleeper)).message).toContain('for one user; in use: 1 container');
    } finally {
      await removeAllOf(engine, one);
      await removeAllOf(engine, other);
    }
  });

  test('streams count while they are open, and are refused with 429', async () => {
    const { ask, open } = await judged(engine.host, user, { use: 'limits', total: { streams: 2 } });
    const streams = await Promise.all([open('GET', '/events'), open('GET', '/events')]);
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    const refused = await ask('GET', '/events');
    expect([refused.status, refused.code]).toEqual([429, 'too-many-at-once']);
    expect(refused.message).toContain('one user may have 2 streams at one time, and 2 are in use');
    streams[0]?.close();
    await expect
      .poll(async () => {
        const again = await open('GET', '/events');
        again.close();
        return again.status;
      })
      .toBe(200);
    streams[1]?.close();
  });

  test('a container whose lifetime is over is stopped, also when it was made before a restart', async () => {
    const options = { use: 'limits', lifetime: '2s', total: { containers: 5 } };
    const first = await judged(engine.host, user, options);
    const made = await first.ask('POST', create, { ...sleeper, HostConfig: { Init: true } });
    await first.ask('POST', `/containers/${made.json.Id}/start`);
    await first.stop();
    const running = async (): Promise<boolean> => (await inspect(made.json.Id)).State.Running;
    expect(await running()).toBe(true);
    const second = await judged(engine.host, user, options);
    await expect.poll(running, { timeout: 20_000, interval: 200 }).toBe(false);
    // Started again, it is too old still.
    await second.ask('POST', `/containers/${made.json.Id}/start`);
    await expect.poll(running, { timeout: 20_000, interval: 200 }).toBe(false);
  });

  test('the bytes of layers and images are measured', async () => {
    const first = await judged(engine.host, user, { use: 'limits', total: { containers: 5 } });
    const Cmd = ['dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=3'];
    const made = await first.ask('POST', create, { ...sleeper, Cmd });
    await first.ask('POST', `/containers/${made.json.Id}/start`);
    await first.ask('POST', `/containers/${made.json.Id}/wait`);
    const total = { layerBytes: '1MiB', imageBytes: '1KiB' };
    const { ask } = await judged(engine.host, user, { use: 'limits', total });
    const refused = await ask('POST', create, sleeper);
    expect(refused.message).toContain('the limit of 1MiB for one user is reached; in use: 3MiB');
    const pull = await ask('POST', '/images/create?fromImage=lim-never&tag=1');
    expect([pull.status, pull.code]).toEqual([403, 'over-limit']);
    expect(pull.message).toContain('the limit of 1KiB for one user is reached; in use:');
  });
});
