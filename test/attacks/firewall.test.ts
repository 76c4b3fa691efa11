// What containers of one namespace reach of another's, of the host and of a cloud's metadata: without the firewall, which
// shows that each way is open, and with it. And that what is their own stays within reach.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartEngines, docker } from '../engines/index.ts';
import { Apart, host, internet, page, type Serving } from './apart.ts';

const PATIENCE = { timeout: 90_000, interval: 100 };

type Ways = Readonly<Record<string, readonly [url: string, word: string]>>;

for (const name of ['20.10-apart', '28.5-apart']) {
  describe.skipIf(!canStartEngines())(`the firewall [${name}]`, () => {
    let apart: Apart;
    let serving: Serving;
    /** The gateways of networks, and addresses of bob's container. */
    const at: Record<string, string> = {};

    /** From alice to what is not hers, and what stands at the end. */
    const foreign = (): Ways => ({
      'a container of another': [`http://${at.web}/`, 'bob'],
      'a container of another, IPv6': [`http://[${at.web6}]/`, 'bob'],
      'a port of another, by the address of the host': [`http://${host.v4}:8081/`, 'bob'],
      'a port of another, by the address of the host, IPv6': [`http://[${host.v6}]:8081/`, 'bob'],
      "a port of another, by one's own gateway": [`http://${at.alice}:8081/`, 'bob'],
      "a port of another, by one's own gateway, IPv6": [`http://[${at.alice6}]:8081/`, 'bob'],
      "a port of another, by the other's gateway": [`http://${at.bob}:8081/`, 'bob'],
      "a port of another, by the other's gateway, IPv6": [`http://[${at.bob6}]:8081/`, 'bob'],
      "a port at the other's gateway alone": [`http://${at.bob}:8082/`, 'bob'],
      'a port of a container that nobody owns': [`http://${host.v4}:8083/`, 'nobody'],
      'the metadata of a cloud': [`http://${internet.metadata}/`, 'internet'],
      'the metadata of a cloud, IPv6': [`http://[${internet.metadata6}]/`, 'internet'],
      'the metrics of Berthgate': [`http://${host.v4}:9350/healthz`, 'alive'],
      'a listener of Berthgate': [`http://${host.v4}:2375/_ping`, 'OK'],
      "a listener of Berthgate, by one's own gateway": [`http://${at.alice}:2375/_ping`, 'OK'],
    });

    /** From the engine's own bridge, where steps of builds run. */
    const fromSteps = (): Ways => ({
      'a port of a namespace, by the address of the host': [`http://${host.v4}:8081/`, 'bob'],
      'a port of a namespace, by the gateway of the steps': [`http://${at.steps}:8081/`, 'bob'],
      "a port at the gateway of a namespace's network alone": [`http://${at.bob}:8082/`, 'bob'],
    });
    const ofSteps = (): Ways => ({
      'a port of a container that nobody owns': [`http://${host.v4}:8083/`, 'nobody'],
      'the internet': [`http://${internet.v4}/`, 'internet'],
    });

    const own = (): Ways => ({
      "one's own port, by the address of the host": [`http://${host.v4}:8084/`, 'alice'],
      "one's own port, by the address of the host, IPv6": [`http://[${host.v6}]:8084/`, 'alice'],
      "one's own port, by the gateway": [`http://${at.alice}:8084/`, 'alice'],
      "one's own port, by the gateway, IPv6": [`http://[${at.alice6}]:8084/`, 'alice'],
      "one's own port, by the gateway of another own network": [`http://${at.second}:8084/`, 'alice'],
      "one's own port at the gateway alone": [`http://${at.alice}:8085/`, 'alice'],
      'a container of the same network, by its name': ['http://peer/', 'peer'],
      'a container of the same network, IPv6': [`http://[${at.peer6}]/`, 'peer'],
      'the internet': [`http://${internet.v4}/`, 'internet'],
      'the internet, IPv6': [`http://[${internet.v6}]/`, 'internet'],
    });

    const reached = async (ways: Ways, from = 'alice.me'): Promise<Readonly<Record<string, boolean>>> => {
      const found = Object.entries(ways).map(async ([way, [url, word]]) => {
        const came = await apart.fetch(from, url);
        return [way, came?.includes(word) === true] as const;
      });
      return Object.fromEntries(await Promise.all(found));
    };
    const each = (ways: Ways, open: boolean): Readonly<Record<string, boolean>> =>
      Object.fromEntries(Object.keys(ways).map((way) => [way, open]));

    const holds = async (): Promise<void> => {
      const steps = [reached(fromSteps(), 'nobody'), reached(ofSteps(), 'nobody')];
      expect(await reached(foreign())).toEqual(each(foreign(), false));
      expect(await Promise.all(steps)).toEqual([each(fromSteps(), false), each(ofSteps(), true)]);
    };
    const ownIsReached = (): Promise<void> => expect.poll(() => reached(own()), PATIENCE).toEqual(each(own(), true));
    const listed = (): Promise<string> => apart.here('nft list table inet berthgate 2>/dev/null || true');
    const inPlace = (): Promise<void> =>
      expect
        .poll(async () => (await serving.readyz()).firewall, PATIENCE)
        .toMatchObject({ inPlace: true, missing: [] });

    /** On the engine itself: what namespaces publish need not be at every address of the host. */
    const runFor = (owner: string, called: string, ...more: readonly string[]): Promise<string> => {
      const label = ['--label', `berthgate.namespace=${owner}`];
      return apart.docker('run', '-d', '--name', `${owner}.${called}`, ...label, ...more);
    };
    const makeNetwork = (owner: string, called: string, ...more: readonly string[]): Promise<string> =>
      apart.docker('network', 'create', '--label', `berthgate.namespace=${owner}`, ...more, `${owner}.${called}`);
    const inspect = (...args: readonly string[]): Promise<string> => apart.docker('inspect', '--format', ...args);
    const gatewayOf = async (network: string): Promise<string> => {
      const subnet = await inspect('{{(index .IPAM.Config 0).Subnet}}', network);
      return subnet.replace(/(\d+)\/26$/, (_, last) => String(Number(last) + 1));
    };
    const addressIn = (container: string, network: string, key: string): Promise<string> =>
      inspect(`{{(index .NetworkSettings.Networks "${network}").${key}}}`, container);
    const bridgeOf = async (network: string): Promise<string> =>
      `br-${(await inspect('{{.Id}}', network)).slice(0, 12)}`;

    /** A container gets other ones when it is started again. */
    const learnAddresses = async (): Promise<void> => {
      at.web = await addressIn('bob.web', 'bob.bridge', 'IPAddress');
      at.web6 = await addressIn('bob.web', 'bob.six', 'GlobalIPv6Address');
      at.peer6 = await addressIn('alice.peer', 'alice.six', 'GlobalIPv6Address');
    };

    beforeAll(async () => {
      apart = await Apart.start(name);
      serving = await apart.serve({ apply: false });
      for (const [who, socket] of [
        ['alice', serving.alice],
        ['bob', serving.bob],
      ] as const) {
        // Makes the default network.
        await docker(socket, ['create', '--name', 'first', 'busybox', 'true']);
        at[who] = await gatewayOf(`${who}.bridge`);
        const prefix = `2001:db8:${who === 'alice' ? 'a' : 'b'}::`;
        await makeNetwork(who, 'six', '--ipv6', '--subnet', `${prefix}/64`);
        at[`${who}6`] = `${prefix}1`;
      }
      await docker(serving.alice, ['network', 'create', 'second']);
      at.second = await gatewayOf('alice.second');
      const at8082 = `${at.bob}:8082:80`;
      const web = ['--network', 'bob.bridge', '-p', '8081:80', '-p', at8082, 'busybox', 'sh', '-c', page('bob')];
      await runFor('bob', 'web', ...web);
      await apart.docker('network', 'connect', 'bob.six', 'bob.web');
      await apart.docker('run', '-d', '--name', 'nobody', '-p', '8083:80', 'busybox', 'sh', '-c', page('nobody'));
      at.steps = await addressIn('nobody', 'bridge', 'Gateway');
      const at8085 = `${at.alice}:8085:80`;
      const me = ['--network', 'alice.bridge', '-p', '8084:80', '-p', at8085, 'busybox', 'sh', '-c', page('alice')];
      await runFor('alice', 'me', ...me);
      await apart.docker('network', 'connect', 'alice.six', 'alice.me');
      const peer = ['--network', 'alice.bridge', '--network-alias', 'peer', 'busybox', 'sh', '-c', page('peer')];
      await runFor('alice', 'peer', ...peer);
      await apart.docker('network', 'connect', 'alice.six', 'alice.peer');
      await learnAddresses();
    });
    afterAll(() => apart?.stop());

    test('without it every way is open, but for what the engine itself bars', async () => {
      // The engine bars the way from bridge to bridge, until somebody opens the forwarding of the host.
      const open = 'iptables -w -I FORWARD 1 -j ACCEPT; iptables -w -t raw -F PREROUTING';
      await apart.here(`${open}; ip6tables -w -I FORWARD 1 -j ACCEPT; ip6tables -w -t raw -F PREROUTING`);
      await expect.poll(() => reached(foreign()), PATIENCE).toEqual(each(foreign(), true));
      await expect.poll(() => reached(fromSteps(), 'nobody'), PATIENCE).toEqual(each(fromSteps(), true));
      await ownIsReached();
      expect(await listed()).toBe('');
      expect((await serving.readyz()).firewall).toBeUndefined();
    });

    test('with it none is, and what is their own is reached as before', async () => {
      await apart.end(serving);
      serving = await apart.serve({ apply: true });
      await inPlace();
      await holds();
      await ownIsReached();
    });

    test('what a job publishes is reached by its own container, and by nobody else', async () => {
      const socket = ['-v', '/var/run/docker.sock:/var/run/docker.sock'];
      await docker(serving.alice, ['run', '-d', '--init', '--name', 'job', ...socket, 'busybox', 'sleep', '600']);
      const job = await serving.jobOf('alice.job');
      await docker(job, ['network', 'create', 'project']);
      const web = ['run', '-d', '--network', 'project', '-p', '8087:80', 'busybox', 'sh', '-c', page('of the job')];
      const places = (await docker(job, ['port', await docker(job, web), '80'])).split('\n');
      expect(places).toHaveLength(2);
      // At the gateway of its `bridge`, and at that of the network which the port's container is on.
      const from = (who: string): Promise<unknown> =>
        Promise.all(places.map((place) => apart.fetch(who, `http://${place}/`)));
      await expect.poll(() => from('alice.job'), PATIENCE).toEqual(['of the job', 'of the job']);
      expect(await from('bob.web')).toEqual([null, null]);
      await docker(serving.alice, ['rm', '-f', 'job']);
      await expect.poll(() => apart.docker('ps', '-aq', '--filter', 'name=j-'), PATIENCE).toBe('');
    });

    test('it holds for a network before its create is answered', async () => {
      await docker(serving.bob, ['network', 'create', 'later']);
      expect(await listed()).toContain(await bridgeOf('bob.later'));
      await docker(serving.bob, ['network', 'rm', 'later']);
    });

    test('what is made and published beside Berthgate is followed', async () => {
      await makeNetwork('bob', 'beside');
      const bridge = await bridgeOf('bob.beside');
      await expect.poll(listed, PATIENCE).toContain(bridge);
      await runFor(
        'alice',
        'other',
        '--network',
        'alice.second',
        '-p',
        '8086:80',
        'busybox',
        'sh',
        '-c',
        page('other'),
      );
      const fetched = expect.poll(() => apart.fetch('alice.me', `http://${host.v4}:8086/`), PATIENCE);
      await fetched.toBe('other');
      await apart.docker('rm', '-f', 'alice.other');
      await apart.docker('network', 'rm', 'bob.beside');
      await expect.poll(listed, PATIENCE).not.toMatch(new RegExp(`${bridge}|8086`));
    });

    test.each(['delete table inet berthgate', 'flush chain inet berthgate arriving', 'flush set inet berthgate held'])(
      'it is put back after somebody has done `nft %s`',
      async (spoilt) => {
        const before = await listed();
        const said = serving.watched.stderr.length;
        await apart.here(`nft ${spoilt}`);
        await expect.poll(() => serving.watched.stderr.slice(said), PATIENCE).toContain('it is put back');
        expect(withoutCounts(await listed())).toBe(withoutCounts(before));
      },
    );

    test('it holds over a restart of the engine', async () => {
      await apart.engine.control?.kill();
      await apart.engine.control?.start();
      // What dies with its engine comes back as its owner starts it.
      await apart.docker('start', 'bob.web', 'nobody', 'alice.peer', 'alice.me');
      await learnAddresses();
      await ownIsReached();
      await inPlace();
      await expect.poll(() => apart.fetch('bob.web', `http://${host.v4}:8081/`), PATIENCE).toBe('bob');
      expect(await apart.fetch('alice.me', `http://${host.v4}:8081/`)).toBeNull();
    });

    test('it stays when Berthgate is killed, and the next one brings it up to date', async () => {
      const gone = await bridgeOf('alice.second');
      await apart.end(serving, 'SIGKILL');
      expect(await apart.fetch('alice.me', `http://${host.v4}:8081/`)).toBeNull();
      await apart.docker('network', 'rm', 'alice.second');
      await makeNetwork('bob', 'meanwhile');
      const come = await bridgeOf('bob.meanwhile');
      expect(await listed()).toContain(gone);
      serving = await apart.serve({ apply: true });
      await expect.poll(listed, PATIENCE).toContain(come);
      expect(await listed()).not.toContain(gone);
      await apart.docker('network', 'rm', 'bob.meanwhile');
      await expect.poll(listed, PATIENCE).not.toContain(come);
    });

    test('it is printed, applied and removed by hand', async () => {
      await apart.end(serving);
      const kept = await listed();
      expect((await apart.berthgate('firewall', 'remove')).code).toBe(0);
      expect(await listed()).toBe('');
      const printed = await apart.berthgate('firewall', 'print');
      expect(await listed()).toBe('');
      const applied = await apart.berthgate('firewall', 'apply', '--json');
      expect(JSON.parse(applied.stdout)).toMatchObject({ table: 'inet berthgate', engines: [{ name: 'apart' }] });
      expect(withoutCounts(await listed())).toBe(withoutCounts(kept));
      expect((await apart.berthgate('firewall', 'remove', '--json')).stdout).toContain('"removed":true');
      await apart.here(`nft -f - <<'END'\n${printed.stdout}END`);
      expect(withoutCounts(await listed())).toBe(withoutCounts(kept));
      expect((await apart.berthgate('firewall', 'remove')).code).toBe(0);
    });
  });
}

/** Elements stand in no order of ours. */
function withoutCounts(table: string): string {
  const plain = table.replace(/counter packets \d+ bytes \d+/g, 'counter');
  return plain.replace(/elements = \{([^}]*)\}/g, (_, elements: string) => {
    const sorted = elements.split(',').map((one) => one.replace(/\s+/g, ' ').trim());
    return `elements = { ${sorted.sort().join(', ')} }`;
  });
}
