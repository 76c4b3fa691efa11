// RED-TEAM 43 to 45, and of 46 what is the host's: what else the API reaches. Each is first asked of the engine itself.
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { table } from '../../src/docker/table.ts';
import { ask, RawClient, requestBytes, type WholeAnswer } from '../engine/raw-client.ts';
import { describeGuarded, refusalOf } from './guarded.ts';

type Body = Readonly<Record<string, unknown>>;

/** Engines may share one host, which has a bridge of a name once. */
const bridge = `pol${randomBytes(4).toString('hex')}`;

/** A service inside the site: it counts who comes. */
let visits = 0;
const inner = net.createServer((socket) => {
  visits += 1;
  socket.on('error', () => {});
  socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', () => socket.destroy());
});
const innerPort = (): number => (inner.address() as net.AddressInfo).port;

beforeAll(() => new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise<unknown>((resolve) => inner.close(resolve)));

async function visitsOf(call: () => Promise<unknown>): Promise<number> {
  const before = visits;
  await call();
  return visits - before;
}

describeGuarded('conservative', ['conservative'], (guarded) => {
  const { version, directly, own, makeGuarded } = guarded;

  const forbidden = (answer: WholeAnswer): void => expect(refusalOf(answer).slice(0, 2)).toEqual([403, 'refused']);

  const cluster = table.filter(({ risk }) => risk === 'cluster' || risk === 'tunnel');
  test.each(cluster.map(({ id, method, path, body }) => [id, method, path, body.travel] as const))(
    '43: %s is not served',
    async (id, method, path, travel) => {
      const sent =
        travel === 'json'
          ? { body: id.startsWith('Plugin') ? '[]' : {}, headers: { 'Content-Type': 'application/json' } }
          : {};
      const answer = await ask(guarded.through, method, version + path.replace(/\{[a-z]+\}/g, 'x'), sent);
      if (answer.status !== 404 && answer.status !== 400) forbidden(answer);
      else expect(answer.text).toMatch(/page not found|is expected/);
      expect(answer.status, answer.text).toBe(403);
    },
  );

  test('43: the swarm and plugins answer on the engine itself', async () => {
    expect((await directly('GET', `${version}/plugins`)).status).toBe(200);
    expect((await directly('GET', `${version}/services`)).status).toBe(503);
  });

  test.each([
    '/debug/vars',
    '/debug/pprof/',
    '/debug/pprof/cmdline',
    '/containers/x/checkpoints',
    '/containers/x/copy',
    '/images/x/insert',
  ])('43: %s is no page', async (path) => {
    const answer = await guarded.guarded(path.includes('copy') ? 'POST' : 'GET', version + path);
    expect([answer.status, answer.json<{ message: string }>().message]).toEqual([404, 'page not found']);
  });

  test("43: the engine's own insides are there without us", async () => {
    expect((await directly('GET', '/debug/vars')).text).toContain('memstats');
  });

  test('43: the build cache of everybody, and images that others need, are not swept away', async () => {
    forbidden(await guarded.guarded('POST', `${version}/build/prune?all=1`));
    forbidden(await guarded.guarded('POST', `${version}/build/prune`));
    const filters = encodeURIComponent(JSON.stringify({ dangling: ['0'], label: [own('nobody')] }));
    expect((await directly('POST', `${version}/images/prune?filters=${filters}`)).status).toBe(200);
    forbidden(await guarded.guarded('POST', `${version}/images/prune?filters=${filters}`));
  });

  const networks: readonly (readonly [string, Body, boolean])[] = [
    ['macvlan', { Driver: 'macvlan', Options: { parent: 'lo' } }, false],
    ['ipvlan', { Driver: 'ipvlan', Options: { parent: 'lo' } }, false],
    ['the host itself', { Driver: 'host' }, false],
    ["a bridge of the host's", { Options: { 'com.docker.network.bridge.name': `${bridge}a` } }, true],
    ['an address of the host', { Options: { 'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0' } }, true],
    ['an option that nobody knows', { Options: { tomorrow: '1' } }, true],
    ['another gateway mode', { Options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' } }, true],
    ['unmasked addresses', { Options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' } }, true],
    ['the address of metadata', { IPAM: { Config: [{ Subnet: '169.254.169.0/24' }] } }, true],
    ["somebody else's addresses", { IPAM: { Config: [{ Subnet: '8.8.8.0/24' }] } }, true],
    ['the swarm', { Driver: 'overlay' }, false],
    ['the swarm by its scope', { Scope: 'swarm' }, false],
    ['the routing mesh', { Ingress: true }, false],
    ['a plugin for addresses', { IPAM: { Driver: 'dhcp' } }, false],
  ];

  test.each(networks)('44: a network of %s', async (what, body, works) => {
    const name = own(`net-${what.length}`);
    if (works) {
      const made = await directly('POST', `${version}/networks/create`, { Name: name, ...body });
      expect(made.status, made.text).toBe(201);
      await directly('DELETE', `${version}/networks/${name}`);
    }
    forbidden(await guarded.guarded('POST', `${version}/networks/create`, { Name: own('refused'), ...body }));
    expect((await directly('GET', `${version}/networks/${own('refused')}`)).status).toBe(404);
  });

  test('44: a network that was made with more elsewhere is not joined, and lends nothing', async () => {
    const name = own('bridged');
    const Options = { 'com.docker.network.bridge.name': `${bridge}b` };
    expect((await directly('POST', `${version}/networks/create`, { Name: name, Options })).status).toBe(201);
    const lent = own('lending');
    await directly('POST', `${version}/networks/create`, { Name: lent, ConfigOnly: true, Options });
    const plain = await makeGuarded({});
    const endpoint = { NetworkingConfig: { EndpointsConfig: { [name]: {} } } };
    forbidden(
      await guarded.guarded('POST', `${version}/containers/create`, {
        Image: 'busybox',
        HostConfig: { NetworkMode: name },
      }),
    );
    forbidden(await guarded.guarded('POST', `${version}/containers/create`, { Image: 'busybox', ...endpoint }));
    forbidden(await guarded.guarded('POST', `${version}/networks/${name}/connect`, { Container: plain }));
    forbidden(
      await guarded.guarded('POST', `${version}/networks/create`, {
        Name: own('taking'),
        ConfigFrom: { Network: lent },
      }),
    );
    expect((await directly('POST', `${version}/networks/${name}/connect`, { Container: plain })).status).toBe(200);
  });

  test('44: an endpoint that pretends to be another one', async () => {
    const name = own('own');
    expect((await guarded.guarded('POST', `${version}/networks/create`, { Name: name })).status).toBe(201);
    const plain = await makeGuarded({});
    const connect = (EndpointConfig: Body) =>
      guarded.guarded('POST', `${version}/networks/${name}/connect`, { Container: plain, EndpointConfig });
    for (const config of [{ MacAddress: '02:42:ac:11:00:99' }, { EndpointID: 'x' }, { DriverOpts: { a: 'b' } }])
      forbidden(await connect(config));
    expect((await connect({ Aliases: ['db'] })).status).toBe(200);
  });

  test('44: an endpoint that takes the address of metadata', async () => {
    const name = own('link-local');
    expect((await guarded.guarded('POST', `${version}/networks/create`, { Name: name })).status).toBe(201);
    const settings = { IPAMConfig: { LinkLocalIPs: ['169.254.169.254'] } };
    const body = { HostConfig: { NetworkMode: name }, NetworkingConfig: { EndpointsConfig: { [name]: settings } } };
    const id = await guarded.make({ ...body, Tty: true, Cmd: ['ip', '-4', 'addr'] }, true);
    await directly('POST', `${version}/containers/${id}/wait`);
    expect((await directly('GET', `${version}/containers/${id}/logs?stdout=1`)).text).toContain('169.254.169.254');
    forbidden(await guarded.guarded('POST', `${version}/containers/create`, { Image: 'busybox', ...body }));
    const connect = `${version}/networks/${name}/connect`;
    const plain = await makeGuarded({});
    forbidden(await guarded.guarded('POST', connect, { Container: plain, EndpointConfig: settings }));
    const empty = { IPAMConfig: { LinkLocalIPs: [] } };
    expect((await guarded.guarded('POST', connect, { Container: plain, EndpointConfig: empty })).status).toBe(200);
  });

  test('44: options that concern nothing but the network itself are served', async () => {
    const name = own('options');
    const Options = {
      'com.docker.network.bridge.inhibit_ipv4': 'true',
      'com.docker.network.container_iface_prefix': 'docker',
    };
    expect((await guarded.guarded('POST', `${version}/networks/create`, { Name: name, Options })).status).toBe(201);
    const links = { HostConfig: { NetworkMode: name }, Tty: true, Cmd: ['ip', '-4', 'addr'] };
    const id = await makeGuarded(links, true);
    await directly('POST', `${version}/containers/${id}/wait`);
    const told = (await directly('GET', `${version}/containers/${id}/logs?stdout=1`)).text;
    // The name is that of the link inside; the bridge of the host is there, without an address.
    expect(told).toContain('docker0');
    forbidden(
      await guarded.guarded('POST', `${version}/networks/create`, {
        Name: own('refused'),
        Options: { ...Options, 'com.docker.network.bridge.name': 'docker0' },
      }),
    );
  });

  test('45: the engine is not sent to an address inside the site', async () => {
    const address = `127.0.0.1:${innerPort()}`;
    const asked: readonly (readonly [string, string, string, Body?])[] = [
      ['a file system from an address', 'POST', `/images/create?fromSrc=http://${address}/x.tar&repo=${own('x')}`],
      ['an image from an address', 'POST', `/images/create?fromImage=${address}/x&tag=1`],
      ['what an image is', 'GET', `/distribution/${address}/x/json`],
      ['a password', 'POST', '/auth', { username: 'u', password: 'p', serveraddress: `http://${address}` }],
      ['a search', 'GET', `/images/search?term=${address}/x`],
    ];
    for (const [what, method, path, body] of asked) {
      expect(await visitsOf(() => directly(method, version + path, body)), what).toBeGreaterThan(0);
      let answer: WholeAnswer | undefined;
      expect(await visitsOf(async () => (answer = await guarded.guarded(method, version + path, body))), what).toBe(0);
      forbidden(answer as WholeAnswer);
    }
  });

  test('45: nothing is pushed to an address inside the site', async () => {
    // A site of its own: an engine may come again after the end.
    let visits = 0;
    const site = net.createServer((socket) => {
      visits += 1;
      socket.on('error', () => {}).destroy();
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void site.close());
    const name = `127.0.0.1:${(site.address() as net.AddressInfo).port}/${own('pushed')}`;
    await directly('POST', `${version}/images/busybox/tag?repo=${encodeURIComponent(name)}&tag=1`);
    const headers = { 'X-Registry-Auth': 'e30=' };
    const path = `${version}/images/${name}/push?tag=1`;
    forbidden(await ask(guarded.through, 'POST', path, { headers }));
    expect(visits).toBe(0);
    const visited = new Promise((resolve) => site.once('connection', resolve));
    const pushing = await RawClient.connect(guarded.direct);
    pushing.send(requestBytes('POST', path, { headers }));
    await visited;
    // An engine would try again for most of a minute.
    pushing.destroy();
    await directly('DELETE', `${version}/images/${name}:1`);
  });

  test('45: a build does not take its files from an address', async () => {
    const path = `${version}/build?remote=${encodeURIComponent(`http://127.0.0.1:${innerPort()}/x.tar`)}`;
    expect(await visitsOf(async () => forbidden(await guarded.guarded('POST', path)))).toBe(0);
    expect(await visitsOf(() => directly('POST', path))).toBeGreaterThan(0);
  });

  test("46: what runs on the host is not listed by the host's ps", async () => {
    const id = await makeGuarded({ Cmd: ['sleep', '600'] }, true);
    const top = (args: string): string => `${version}/containers/${id}/top?ps_args=${encodeURIComponent(args)}`;
    for (const args of ['-eo pid=X', '-C dockerd -o pid,args', 'auxe', '-p 1 -o pid,environ'])
      forbidden(await guarded.guarded('GET', top(args)));
    for (const args of ['', '-ef', 'aux', '-eo pid,comm'])
      expect((await guarded.guarded('GET', top(args))).header('berthgate-refusal'), args).toBeUndefined();
  });

  test('46: what the engine says of its host is left out', async () => {
    type Info = Readonly<Record<string, unknown>>;
    const direct = (await directly('GET', `${version}/info`)).json<Info>();
    const through = (await guarded.guarded('GET', `${version}/info`)).json<Info>();
    for (const field of ['DockerRootDir', 'Name', 'ID']) {
      expect(direct[field], field).not.toBe('');
      expect(through[field], field).toBe('');
    }
    expect((direct.RegistryConfig as Info).InsecureRegistryCIDRs).toContain('127.0.0.0/8');
    expect((through.RegistryConfig as Info).InsecureRegistryCIDRs).toEqual([]);
    for (const field of [
      'ServerVersion',
      'OSType',
      'Architecture',
      'MemTotal',
      'NCPU',
      'OperatingSystem',
      'SecurityOptions',
      'IndexServerAddress',
    ]) {
      expect(through[field], field).toEqual(direct[field]);
    }
  });

  test('46: a refusal names nothing that the client has not named', async () => {
    const name = own('others');
    await directly('POST', `${version}/volumes/create`, {
      Name: name,
      DriverOpts: { type: 'none', o: 'bind', device: '/srv/of-others' },
    });
    const answer = await guarded.guarded('POST', `${version}/containers/create`, {
      Image: 'busybox',
      HostConfig: { Binds: [`${name}:/x`] },
    });
    expect(refusalOf(answer)[2]).not.toContain('of-others');
  });
});
