// Addresses of the networks of namespaces, and networks that an administrator shares with all of them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { overlaps, readIpNetwork } from '../../src/ground/ip-network.ts';
import { describeEachEngine, newestEngine, type TestEngine } from '../engines/index.ts';
import { asking, made, type Namespaced, namespaced, printed } from './namespaced.ts';

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Containers?: Readonly<Record<string, { readonly Name: string }>>;
  readonly IPAM: { readonly Config: readonly { readonly Subnet: string; readonly Gateway?: string }[] };
}

const asked = (Subnet: string, Name = 'asked'): object => ({ Name, IPAM: { Config: [{ Subnet }] } });

describeEachEngine(
  'subnets of a namespace',
  (engine: TestEngine) => {
    let alice: Namespaced;
    let bob: Namespaced;

    beforeAll(async () => {
      const networks = {
        pools: [`${engine.subnetPrefix}.128.0/18`, 'fd5b:7a11::/48'],
        size: 28,
        allowed: [`${engine.subnetPrefix}.192.0/20`],
      };
      alice = await namespaced(engine, 'nna', { networks });
      bob = await namespaced(engine, 'nnb', { networks });
    });
    afterAll(async () => {
      await alice?.stop();
      await bob?.stop();
    });

    test('come out of the pools, with IPv6 where it is wanted', async () => {
      await made(alice.ask('POST', '/networks/create', { Name: 'plain' }));
      await made(alice.ask('POST', '/networks/create', { Name: 'both', EnableIPv6: true }));
      const seen = async (name: string): Promise<readonly string[]> => {
        const { IPAM } = (await alice.ask('GET', `/networks/${name}`)).json<Network>();
        return IPAM.Config.map(({ Subnet }) => Subnet);
      };
      const prefix = engine.subnetPrefix.replaceAll('.', '\\.');
      const [plain = '', ...others] = await seen('plain');
      expect(plain).toMatch(new RegExp(`^${prefix}\\.(12[89]|1[3-8]\\d|19[01])\\.\\d+/28$`));
      expect(others).toEqual([]);
      const both = await seen('both');
      expect(both).toHaveLength(2);
      expect(both.find((subnet) => subnet.includes(':'))).toMatch(/^fd5b:7a11:.*\/64$/);
      expect(await seen('bridge')).toHaveLength(2);
    });

    test('that a client asks for are those that are allowed, and taken ones are told without their owner', async () => {
      const subnet = `${engine.subnetPrefix}.192.0/24`;
      const id = await made(bob.ask('POST', '/networks/create', asked(subnet)));
      for (const outside of [
        `${engine.subnetPrefix}.128.0/28`,
        '172.31.0.0/24',
        '0.0.0.0/0',
        '192.168.1.1/24',
        'fd00::/64',
      ]) {
        const refused = await alice.ask('POST', '/networks/create', asked(outside));
        expect(refused.status, outside).toBe(403);
        expect(refused.text).toMatch(/allows|must be the address of a network/);
      }
      const answers = [await alice.ask('POST', '/networks/create', asked(subnet))];
      // What the engine itself says, where no policy has looked before.
      const open = await namespaced(engine, 'nnc', { policies: [] });
      try {
        answers.push(await open.ask('POST', '/networks/create', asked(subnet)));
      } finally {
        await open.stop();
      }
      for (const { status, text } of answers) {
        expect([403, 500]).toContain(status);
        expect(text).toMatch(/overlap/i);
        expect(text).not.toContain(bob.namespace);
        expect(text).not.toContain(id.slice(0, 12));
      }
    });
  },
  (engine) => engine.socket !== '' && engine.control !== undefined,
);

describeEachEngine(
  'a network that is shared',
  (engine: TestEngine) => {
    const direct = asking(engine.socket);
    const HostConfig = (NetworkMode: string): object => ({
      Image: 'busybox',
      Cmd: ['sleep', '600'],
      HostConfig: { NetworkMode },
    });
    let name = '';
    let shared = '';
    let alice: Namespaced;
    let bob: Namespaced;
    let web = '';

    beforeAll(async () => {
      name = `ingress-${Math.random().toString(16).slice(2, 8)}`;
      shared = await made(direct('POST', '/networks/create', asked(`${engine.subnetPrefix}.254.0/24`, name)));
      const networks = { pools: [`${engine.subnetPrefix}.240.0/22`], shared: [name] };
      alice = await namespaced(engine, 'nsa', { networks });
      bob = await namespaced(engine, 'nsb', { networks });
      web = await made(bob.ask('POST', '/containers/create?name=web', HostConfig(name)));
      expect((await bob.ask('POST', `/containers/${web}/start`)).status).toBe(204);
    });
    afterAll(async () => {
      await alice?.stop();
      await bob?.stop();
      await direct('DELETE', `/networks/${shared}`);
    });

    test('is listed and looked at under its own name, with own containers alone', async () => {
      const listed = (await alice.ask('GET', '/networks')).json<Network[]>();
      expect(listed.filter(({ Name }) => Name === name)).toHaveLength(1);
      const filtered = await alice.ask(
        'GET',
        `/networks?filters=${encodeURIComponent(JSON.stringify({ name: [name] }))}`,
      );
      expect(filtered.json<Network[]>().map(({ Name }) => Name)).toEqual([name]);
      for (const reference of [name, shared, shared.slice(0, 12)]) {
        const seen = (await alice.ask('GET', `/networks/${reference}`)).json<Network>();
        expect(seen.Name).toBe(name);
        expect(seen.Containers).toEqual({});
      }
      const seen = (await bob.ask('GET', `/networks/${name}`)).json<Network>();
      expect(Object.keys(seen.Containers ?? {})).toEqual([web]);
      // The control: the engine tells of whoever is there.
      expect((await direct('GET', `/networks/${shared}`)).text).toContain(web);
    });

    test('is joined and left, by whoever wants, and strangers meet there', async () => {
      const inspected = (await bob.ask('GET', `/containers/${web}/json`)).json<{
        HostConfig: { NetworkMode: string };
        NetworkSettings: { Networks: Record<string, { IPAddress: string; NetworkID: string }> };
      }>();
      expect(inspected.HostConfig.NetworkMode).toBe(name);
      expect(Object.keys(inspected.NetworkSettings.Networks)).toEqual([name]);
      const address = inspected.NetworkSettings.Networks[name]?.IPAddress;
      const ping = { Cmd: ['ping', '-c', '1', '-W', '10', address], HostConfig: { NetworkMode: name } };
      expect(await printed(alice.ask, ping)).toContain('1 packets received');
      const id = await made(alice.ask('POST', '/containers/create?name=guest', HostConfig('bridge')));
      expect((await alice.ask('POST', `/networks/${name}/connect`, { Container: id })).status).toBe(200);
      expect((await direct('GET', `/containers/${id}/json`)).text).toContain(`"${name}"`);
      expect((await alice.ask('POST', `/networks/${shared}/disconnect`, { Container: 'guest' })).status).toBe(200);
      expect((await direct('GET', `/containers/${id}/json`)).text).not.toContain(`"${name}"`);
      // What is another's does not leave.
      expect((await alice.ask('POST', `/networks/${name}/disconnect`, { Container: web })).status).toBe(404);
    });

    test('has no names in it that a client chooses', async () => {
      const endpoint = { Aliases: ['proxy'] };
      const creates: readonly (readonly [string, object])[] = [
        ['by its name', { ...HostConfig(name), NetworkingConfig: { EndpointsConfig: { [name]: endpoint } } }],
        [
          'by the id that wins over another name',
          {
            ...HostConfig('mine'),
            NetworkingConfig: { EndpointsConfig: { mine: { ...endpoint, NetworkID: shared } } },
          },
        ],
      ];
      await made(alice.ask('POST', '/networks/create', { Name: 'mine' }));
      for (const [way, body] of creates) {
        const id = await made(alice.ask('POST', '/containers/create', body));
        expect((await alice.ask('POST', `/containers/${id}/start`)).status, way).toBe(204);
      }
      const late = await made(alice.ask('POST', '/containers/create', HostConfig('mine')));
      expect((await alice.ask('POST', `/containers/${late}/start`)).status).toBe(204);
      const connect = { Container: late, EndpointConfig: endpoint };
      expect((await alice.ask('POST', `/networks/${name}/connect`, connect)).status).toBe(200);
      const lookUp = (word: string) => ({
        Cmd: ['ping', '-c', '1', '-W', '5', word],
        HostConfig: { NetworkMode: name },
      });
      expect(await printed(bob.ask, lookUp('proxy'))).toMatch(/bad address/);
      // The control: on the engine itself the same create is found by that name.
      const own = creates[0]?.[1] as object;
      const id = await made(direct('POST', '/containers/create', own));
      try {
        await direct('POST', `/containers/${id}/start`);
        expect(await printed(bob.ask, lookUp('proxy'))).toContain('1 packets received');
      } finally {
        await direct('DELETE', `/containers/${id}?force=1`);
      }
    });

    test('has no name in it that a container gets later, by a rename before its start', async () => {
      await made(alice.ask('POST', '/networks/create', { Name: 'later' }));
      const start = async (before: string, after: string): Promise<string> => {
        const id = await made(alice.ask('POST', `/containers/create?name=${before}`, HostConfig(name)));
        const connect = { Container: id };
        expect((await alice.ask('POST', '/networks/later/connect', connect)).status).toBe(200);
        expect((await alice.ask('POST', `/containers/${id}/rename?name=${after}`)).status).toBe(204);
        expect((await alice.ask('POST', `/containers/${id}/start`)).status).toBe(204);
        return id;
      };
      const created = await start('plain', 'gateway');
      // One that runs, joins late, and comes back under another name.
      const late = await made(alice.ask('POST', '/containers/create?name=late', HostConfig('later')));
      expect((await alice.ask('POST', `/containers/${late}/start`)).status).toBe(204);
      expect((await alice.ask('POST', `/networks/${name}/connect`, { Container: late })).status).toBe(200);
      expect((await alice.ask('POST', `/containers/${late}/rename?name=mirror`)).status).toBe(204);
      expect((await alice.ask('POST', `/containers/${late}/restart?t=0`)).status).toBe(204);
      const lookUp = (word: string, NetworkMode: string) => ({
        Cmd: ['ping', '-c', '1', '-W', '5', word],
        HostConfig: { NetworkMode },
      });
      for (const [id, word] of [
        [created, 'gateway'],
        [late, 'mirror'],
      ] as const) {
        const inspected = (await direct('GET', `/containers/${id}/json`)).json<{
          NetworkSettings: { Networks: Record<string, { Aliases: string[] | null; DriverOpts: object | null }> };
        }>();
        const { [name]: there, ...others } = inspected.NetworkSettings.Networks;
        expect(there?.Aliases ?? []).not.toContain(word);
        expect(JSON.stringify(there)).not.toContain('berthgate.');
        expect(await printed(bob.ask, lookUp(word, name))).toMatch(/bad address/);
        // The control: on a network of its own that rename and start do bring the name.
        expect(JSON.stringify(others)).toContain(`"${word}"`);
        expect(await printed(alice.ask, lookUp(word, 'later'))).toContain('1 packets received');
      }
      // Nor is what we keep there the client's to say.
      const forged = { DriverOpts: { 'berthgate.alias': 'forged' } };
      const body = { ...HostConfig(name), NetworkingConfig: { EndpointsConfig: { [name]: forged } } };
      expect((await alice.ask('POST', '/containers/create', body)).status).toBe(403);
    });

    test('is not joined with an address or a host name of its choice', async () => {
      const endpoint = (settings: object): object => ({
        ...HostConfig(name),
        NetworkingConfig: { EndpointsConfig: { [name]: settings } },
      });
      for (const body of [
        endpoint({ IPAMConfig: { IPv4Address: `${engine.subnetPrefix}.254.77` } }),
        { ...HostConfig(name), Hostname: 'proxy' },
        endpoint({ MacAddress: '02:42:ac:11:00:07' }),
      ]) {
        const refused = await alice.ask('POST', '/containers/create', body);
        expect(refused.status, JSON.stringify(body)).toBe(403);
      }
      const named = await made(alice.ask('POST', '/containers/create', { ...HostConfig('bridge'), Hostname: 'proxy' }));
      const refused = await alice.ask('POST', `/networks/${name}/connect`, { Container: named });
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('host name');
    });

    test('is neither removed, nor pruned, nor made again', async () => {
      expect((await alice.ask('DELETE', `/networks/${name}`)).status).toBe(403);
      expect((await alice.ask('DELETE', `/networks/${shared}`)).status).toBe(403);
      // An engine prunes once at a time, and others test on it: 409.
      await expect.poll(async () => (await alice.ask('POST', '/networks/prune')).status, { timeout: 30_000 }).toBe(200);
      const again = await alice.ask('POST', '/networks/create', { Name: name });
      expect(again.status).toBe(409);
      expect(again.json<{ message: string }>().message).toBe(`network with name ${name} already exists`);
      expect((await direct('GET', `/networks/${shared}`)).status).toBe(200);
    });
  },
  (engine) => engine.socket !== '' && engine.control !== undefined,
);

const newest = newestEngine();

describe.skipIf(newest?.control === undefined)('an engine', () => {
  const MANY = 210;
  const AT_ONCE = 6;
  let alice: Namespaced;

  beforeAll(async () => {
    alice = await namespaced(newest as TestEngine, 'nmany');
  });
  afterAll(async () => {
    await alice?.stop();
  }, 240_000);

  test('has more networks than its own pools have addresses for', { timeout: 240_000 }, async () => {
    let next = 0;
    const make = async (): Promise<void> => {
      while (next < MANY) await made(alice.ask('POST', '/networks/create', { Name: `n${next++}` }));
    };
    const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, make));
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    const listed = (await alice.ask('GET', '/networks')).json<Network[]>();
    const subnets = listed.flatMap(({ IPAM }) => IPAM.Config.map(({ Subnet }) => readIpNetwork(Subnet)));
    expect(subnets).toHaveLength(MANY);
    const sorted = subnets.flatMap((one) => one ?? []).sort((one, other) => (one.first < other.first ? -1 : 1));
    for (const [index, one] of sorted.entries()) {
      const before = sorted[index - 1];
      expect(before === undefined || !overlaps(before, one)).toBe(true);
    }
  });
});
