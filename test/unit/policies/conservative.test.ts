import { describe, expect, test } from 'vitest';
import { conservativeKind } from '../../../src/rules/policies/conservative/conservative.ts';
import { host, judged, made, refused } from './conservatively.ts';
import { callOf, contextOf, create, judgeBy, type Said } from './judging.ts';

describe('conservative', () => {
  test('says what must hold, where, and what to do instead', async () => {
    expect(await refused(host({ Privileged: true }))).toMatchObject({
      status: 403,
      place: 'HostConfig.Privileged',
      message: 'must be false',
      rule: 'root',
    });
    expect(await refused(host({ CapAdd: ['CHOWN', 'cap_sys_admin'] }))).toMatchObject({
      place: 'HostConfig.CapAdd[1]',
      message: 'must not be "cap_sys_admin"',
    });
    expect(await refused(host({ Binds: ['/var/run/docker.sock:/var/run/docker.sock'] }))).toMatchObject({
      place: 'HostConfig.Binds[0]',
      hint: expect.stringContaining("engine's own socket"),
    });
    expect(await refused(host({ Binds: ['./src:/src'] }))).toMatchObject({
      message: expect.stringContaining('must be written VOLUME:PATH'),
    });
    expect(await refused(host({ MaskedPaths: [] }))).toMatchObject({ message: 'must be left out' });
    expect(await refused({ path: '/build?version=2&remote=client-session' })).toMatchObject({
      place: 'query.version',
      hint: expect.stringContaining('DOCKER_BUILDKIT=0'),
    });
  });

  test('tells Testcontainers how to go without its privileged reaper', async () => {
    const reaper = { Image: 'testcontainers/ryuk:0.11.0', Labels: { 'org.testcontainers.ryuk': 'true' } };
    const { hint } = await refused(made({ ...reaper, HostConfig: { Privileged: true } }));
    expect(hint).toContain('TESTCONTAINERS_RYUK_DISABLED=true');
  });

  test.each([
    ['POST', '/swarm/init', 'SwarmInit'],
    ['GET', '/services', 'ServiceList'],
    ['GET', '/plugins', 'PluginList'],
    ['POST', '/build/prune', 'BuildPrune'],
  ])('refuses %s %s as a whole', async (method, path, name) => {
    const body = path === '/swarm/init' ? {} : undefined;
    expect(await refused({ method, path, body })).toMatchObject({ status: 403, message: `${name} is not served here` });
  });

  test('refuses to remove the images that others need, and takes dangling ones', async () => {
    const prune = (filters: object): Said => ({
      path: `/images/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`,
    });
    expect(await refused(prune({ dangling: ['false'] }))).toMatchObject({ status: 403, rule: 'shared' });
    for (const filters of [{}, { dangling: ['true'] }, { dangling: { 1: true } }]) await judged(prune(filters));
  });

  test('refuses what it does not know where it says something, and leaves it out where not', async () => {
    expect(await refused(host({ Tomorrow: 'x' }))).toMatchObject({
      place: 'HostConfig.Tomorrow',
      rule: 'unknown',
      message: 'is not known here, and must not be "x"',
    });
    const { body } = await judged(host({ Tomorrow: [], Memory: 1 }));
    expect(body.HostConfig).toEqual({ Memory: 1 });
  });

  test('does not tell about the host that the engine runs on', async () => {
    const { hidesHost } = await judgeBy(create(conservativeKind), { method: 'GET', path: '/info' });
    expect(hidesHost).toBe(true);
    expect((await judgeBy(create(conservativeKind), { method: 'GET', path: '/containers/json' })).hidesHost).toBe(
      false,
    );
  });

  test('asks nobody, and makes nothing new, for calls that can say nothing of weight', () => {
    const context = contextOf();
    const policy = create(conservativeKind);
    for (const said of ['/containers/json?all=1', '/containers/web/json', '/_ping', '/events', '/info']) {
      expect(policy.judge(callOf({ method: 'GET', path: said }), context)).toMatchObject({
        rule: 'harmless',
        changes: [],
      });
    }
    expect(context.asked).toEqual([]);
  });
});

describe('what is bounded instead of refused', () => {
  test.each([
    { Name: 'always' },
    { Name: 'unless-stopped' },
    { Name: 'on-failure' },
    { Name: 'on-failure', MaximumRetryCount: 99 },
  ])('restarting by %j ends after ten times, and is shown as it was said', async (policy) => {
    const { body, changes } = await judged(host({ RestartPolicy: policy }));
    expect(body.HostConfig).toMatchObject({ RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 10 } });
    expect(changes).toMatchObject([
      {
        place: 'HostConfig.RestartPolicy',
        from: policy,
        given: ['HostConfig', 'RestartPolicy'],
        warning: expect.any(String),
      },
    ]);
  });

  test.each([{ Name: '' }, { Name: 'no' }, { Name: 'on-failure', MaximumRetryCount: 3 }, null])(
    'restarting by %j stays as it is',
    async (policy) => {
      const { body, changes } = await judged(host({ RestartPolicy: policy }));
      expect(body.HostConfig).toEqual({ RestartPolicy: policy });
      expect(changes).toEqual([]);
    },
  );

  test('limits of the kernel are lowered to what there may be', async () => {
    const limits = [
      { Name: 'nofile', Soft: 1024, Hard: 9_999_999 },
      { Name: 'rtprio', Soft: -1, Hard: -1 },
      { Name: 'core', Soft: -1, Hard: -1 },
    ];
    const { body, changes } = await judged(host({ Ulimits: limits }));
    expect(body.HostConfig).toEqual({
      Ulimits: [
        { Name: 'nofile', Soft: 1024, Hard: 1_048_576 },
        { Name: 'rtprio', Soft: 0, Hard: 0 },
        { Name: 'core', Soft: -1, Hard: -1 },
      ],
    });
    expect(changes.map(({ place }) => place)).toEqual(['HostConfig.Ulimits[0]', 'HostConfig.Ulimits[1]']);
  });

  test('health is asked for ten times a second at most', async () => {
    const { body } = await judged(
      made({ Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000, StartInterval: 5 } }),
    );
    expect(body.Healthcheck).toMatchObject({ Interval: 100_000_000, StartInterval: 100_000_000 });
  });

  test('a network that may be attached to is made without that', async () => {
    const { body } = await judged({ path: '/networks/create', body: { Name: 'n', Attachable: true } });
    expect(body).toEqual({ Name: 'n', Attachable: false });
  });
});

describe('published ports', () => {
  const bindings = (HostPort: string, HostIp?: string) =>
    host({ PortBindings: { '80/tcp': [{ HostPort, ...(HostIp === undefined ? {} : { HostIp }) }] } });

  test.each([undefined, '', '0.0.0.0', '192.0.2.1', '::'])(
    'go to the address of the listener instead of %s',
    async (ip) => {
      const { body, changes } = await judged(bindings('8080', ip), { ports: { address: '127.0.0.2' } });
      expect(body.HostConfig).toMatchObject({
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.2', HostPort: '8080' }] },
      });
      expect(changes).toMatchObject([{ from: ip ?? '', warning: expect.stringContaining('127.0.0.2') }]);
    },
  );

  test.each(['', '0', '8080', '8000-8010'])('may be %j', async (port) => {
    await judged(bindings(port));
  });

  test.each(['80', '1000-1030', '65530-70000', 'x', '-1', '2375', '5300-5400', '8080/tcp', '010', '9000-8000'])(
    'may not be %j',
    async (port) => {
      expect(await refused(bindings(port))).toMatchObject({ rule: 'published-ports' });
    },
  );

  test('all of an image are named one by one', async () => {
    const { body, changes } = await judged(
      made({
        ExposedPorts: { '9/udp': {} },
        HostConfig: { PublishAllPorts: true, PortBindings: { '80': [{ HostPort: '8080' }] } },
      }),
      {},
      { 'ImageInspect busybox': { Config: { ExposedPorts: { '80/tcp': {}, '443/tcp': {} } } } },
    );
    const free = [{ HostIp: '127.0.0.1', HostPort: '' }];
    expect(body.HostConfig).toEqual({
      PublishAllPorts: false,
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }], '443/tcp': free, '9/udp': free },
    });
    expect(changes[0]).toMatchObject({ from: true, to: false, given: ['HostConfig', 'PublishAllPorts'] });
  });
});

describe('subnets', () => {
  const network = (Subnet: string): Said => ({
    path: '/networks/create',
    body: { Name: 'n', IPAM: { Config: [{ Subnet }] } },
  });
  const options = { subnets: ['172.16.0.0/12'] };
  const known = { NetworkList: [{ Name: 'a', IPAM: { Config: [{ Subnet: '172.20.0.0/16' }] } }] };

  test('pass within what is allowed, where nobody has them', async () => {
    await judged(network('172.21.0.0/24'), options, known);
  });

  test.each(['172.20.5.0/24', '172.16.0.0/12', '10.0.0.0/24', '172.21.0.1/24', '0.0.0.0/0', '169.254.169.254/32', 'x'])(
    'do not pass: %s',
    async (subnet) => {
      expect(await refused(network(subnet), options, known)).toMatchObject({ status: 403, rule: 'subnets' });
    },
  );

  test('are refused where none are allowed', async () => {
    expect(await refused(network('172.21.0.0/24'))).toMatchObject({ place: 'IPAM.Config[0].Subnet' });
  });
});

describe('what the administrator opens', () => {
  test('passes by its place and value, and nothing beside it', async () => {
    const options = { allow: { 'HostConfig.CapAdd': ['SYS_PTRACE'] } };
    for (const name of ['SYS_PTRACE', 'CAP_SYS_PTRACE', 'cap_sys_ptrace'])
      await judged(host({ CapAdd: [name] }), options);
    expect(await refused(host({ CapAdd: ['SYS_PTRACE', 'SYS_ADMIN'] }), options)).toMatchObject({
      place: 'HostConfig.CapAdd[1]',
    });
    expect(await refused(made({ CapAdd: ['SYS_PTRACE'] }), options)).toMatchObject({ place: 'CapAdd[0]' });
  });

  test('is a value behind a key', async () => {
    const options = { allow: { 'HostConfig.Sysctls.net.core.somaxconn': ['1024'] } };
    await judged(host({ Sysctls: { 'net.core.somaxconn': '1024' } }), options);
    await refused(host({ Sysctls: { 'net.core.somaxconn': '1' } }), options);
    await refused(host({ Sysctls: { 'net.core.somaxconn': '1024', 'kernel.msgmax': '1' } }), options);
  });

  test('is an entry of a list by what it says', async () => {
    const options = { allow: { 'HostConfig.Devices': [{ PathOnHost: '/dev/fuse' }] } };
    const device = { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' };
    await judged(host({ Devices: [device] }), options);
    await refused(host({ Devices: [device, { ...device, PathOnHost: '/dev/sda' }] }), options);
  });

  test('is the gateway of the host, a parameter of a build, or an option of a driver', async () => {
    await judged(host({ ExtraHosts: ['up:host-gateway'] }), { allow: { 'HostConfig.ExtraHosts': ['host-gateway'] } });
    const proxy = `/build?buildargs=${encodeURIComponent('{"HTTP_PROXY":"http://proxy:3128"}')}`;
    await refused({ path: proxy });
    await judged({ path: proxy }, { allow: { 'query.buildargs.HTTP_PROXY': ['http://proxy:*'] } });
    const volume = { path: '/volumes/create', body: { Name: 'v', DriverOpts: { type: 'tmpfs', device: 'tmpfs' } } };
    await refused(volume);
    await judged(volume, { allow: { 'DriverOpts.type': ['tmpfs'], 'DriverOpts.device': ['tmpfs'] } });
  });

  test('is a folder of the host, and nothing in it or above it', async () => {
    const options = { allow: { binds: ['/srv/cache', '/srv/data/**:ro', '/srv/data/work'] } };
    const passing = [
      '/srv/cache:/c',
      '//srv/./cache/:/c:ro',
      '/srv/data:/d:ro',
      '/srv/data/a/b:/d:ro',
      '/srv/data/work:/w',
    ];
    for (const bind of passing) {
      const { changes } = await judged(host({ Binds: [bind] }), options);
      expect(changes).toEqual([]);
    }
    for (const bind of ['/srv', '/srv/cache2', '/srv/cache/a', '/srv/cache/../x', '/srv/data2']) {
      await refused(host({ Binds: [`${bind}:/c`] }), options);
    }
    for (const words of ['rshared', 'z', 'ro,Z']) await refused(host({ Binds: [`/srv/cache:/c:${words}`] }), options);
    await judged(host({ Mounts: [{ Type: 'bind', Source: '/srv/cache', Target: '/c' }] }), options);
    const spreading = { Type: 'bind', Source: '/srv/cache', Target: '/c', BindOptions: { Propagation: 'rshared' } };
    await refused(host({ Mounts: [spreading] }), options);
    await refused(host({ Mounts: [{ Source: '/etc', Target: '/c' }] }), options);
  });

  test('is what is in a folder only read-only: a link in it would lead anywhere', () => {
    expect(() => create(conservativeKind, { allow: { binds: ['/srv/**'] } })).toThrow(/must be read-only/);
  });

  test('is a folder that is mounted read-only, whatever was asked for', async () => {
    const options = { allow: { binds: ['/srv/cache/**:ro'] } };
    const { body, changes } = await judged(
      host({
        Binds: ['/srv/cache:/c', '/srv/cache:/d:ro', '/srv/cache/x:/e:rw,nocopy'],
        Mounts: [{ Type: 'bind', Source: '/srv/cache', Target: '/f', BindOptions: { ReadOnlyNonRecursive: true } }],
      }),
      options,
    );
    expect(body.HostConfig).toEqual({
      Binds: ['/srv/cache:/c:ro', '/srv/cache:/d:ro', '/srv/cache/x:/e:ro,nocopy'],
      Mounts: [
        {
          Type: 'bind',
          Source: '/srv/cache',
          Target: '/f',
          ReadOnly: true,
          BindOptions: { ReadOnlyNonRecursive: false },
        },
      ],
    });
    expect(changes.map(({ place, given }) => [place, given])).toEqual([
      ['HostConfig.Binds[0]', ['HostConfig', 'Binds', 0]],
      ['HostConfig.Binds[2]', ['HostConfig', 'Binds', 2]],
      ['HostConfig.Mounts[0]', ['HostConfig', 'Mounts', 0]],
    ]);
  });

  test.each(['/', '/run', '/var/run/docker.sock', '/var', '/proc', '/var/lib/docker/volumes', 'srv', '/srv/../etc'])(
    'is never a way to the engine itself: %s',
    (path) => {
      expect(() => create(conservativeKind, { allow: { binds: [path] } })).toThrow(/binds/);
    },
  );

  test('must be a place that calls have', () => {
    expect(() => create(conservativeKind, { allow: { 'HostConfig.CapAd': ['x'] } })).toThrow(/no call has a place/);
    expect(() => create(conservativeKind, { allow: { 'query.networkmod': ['x'] } })).toThrow(/no call has a place/);
    create(conservativeKind, { allow: { 'HostConfig.LogConfig.Config.syslog-address': ['udp://*'] } });
  });
});

describe('registries', () => {
  const pull = (image: string): Said => ({ path: `/images/create?fromImage=${encodeURIComponent(image)}&tag=1` });

  test.each([
    'busybox',
    'docker.io/library/busybox',
    'registry.example.org:5000/a/b',
    'ghcr.io/a/b@sha256:'.concat('a'.repeat(64)),
  ])('are asked for %s', async (image) => {
    await judged(pull(image));
  });

  test.each([
    '127.0.0.1:5000/a',
    'localhost:5000/a',
    'localhost/a',
    'inner:80/a',
    '[::1]:5000/a',
    '10.1:80/a',
    'metadata.google.internal/a',
    'x.localhost:80/a',
    'LOCALHOST/a',
  ])('are not asked for %s', async (image) => {
    expect(await refused(pull(image))).toMatchObject({ place: 'query.fromImage', rule: 'fetches' });
    const plain = image.replace(/:\d+\//, '/');
    if (!image.includes('['))
      expect(
        await refused({ path: `/images/${plain.includes('.') || plain.includes('localhost') ? plain : image}/push` }),
      ).toMatchObject({ rule: 'fetches' });
  });

  test('may be listed', async () => {
    const options = { registries: ['docker.io', '127.0.0.1:5000', '*.example.org'] };
    for (const image of ['busybox', '127.0.0.1:5000/a', 'r.example.org:444/a']) await judged(pull(image), options);
    for (const image of ['ghcr.io/a', '127.0.0.1:5001/a', 'example.org.evil/a']) await refused(pull(image), options);
  });

  test('are logged in to as they are pulled from', async () => {
    const login = (serveraddress: string): Said => ({
      path: '/auth',
      body: { username: 'u', password: 'p', serveraddress },
    });
    for (const address of ['', 'https://index.docker.io/v1/', 'registry.gitlab.com', 'https://r.example.org:5000'])
      await judged(login(address));
    for (const address of ['http://169.254.169.254/latest', 'localhost:5000', 'http://a@10.0.0.1', 'unix:///run/x']) {
      expect(await refused(login(address))).toMatchObject({ place: 'serveraddress' });
    }
  });
});

describe('what a create leaves to the engine', () => {
  test('is said in words: its own namespaces, and a host configuration', async () => {
    const { body } = await judged({ path: '/v1.24/containers/create', body: { Image: 'busybox' } });
    expect(body.HostConfig).toEqual({ IpcMode: 'private', CgroupnsMode: 'private' });
    expect((await judged({ path: '/v1.40/containers/create', body: { Image: 'busybox' } })).body.HostConfig).toEqual({
      CgroupnsMode: 'private',
    });
    expect((await judged(made({}))).body.HostConfig).toEqual({});
    expect((await judged(host({ IpcMode: 'shareable' }))).body.HostConfig).toEqual({ IpcMode: 'shareable' });
  });

  test("is the container's own tree of cgroups where the engine would show the host's", async () => {
    const { body } = await judged(host({}), {}, { SystemInfo: { DefaultRuntime: 'runc', CgroupVersion: '1' } });
    expect(body.HostConfig).toEqual({ CgroupnsMode: 'private' });
  });

  test('is judged beside the host configuration too, where old engines look for it', async () => {
    expect(await refused(made({ Privileged: true }))).toMatchObject({ place: 'Privileged' });
    expect(await refused(made({ Binds: ['/:/x'], HostConfig: null }))).toMatchObject({ place: 'Binds[0]' });
  });
});
