// Where the published ports of namespaces stand open, and what a client can do to have them somewhere else.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type Asking, asking, made, type Namespaced, namespaced, printed } from './namespaced.ts';

interface Inspected {
  readonly Id: string;
  readonly HostConfig: { readonly PortBindings: Ports };
  readonly NetworkSettings: { readonly Ports: Ports; readonly Networks: Readonly<Record<string, { Gateway: string }>> };
}

type Ports = Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>;

const served = (word: string): readonly string[] => [
  'sh',
  '-c',
  `echo ${word} > /tmp/index.html; exec httpd -f -p 80 -h /tmp`,
];

async function inspected(ask: Asking, id: string): Promise<Inspected> {
  return (await ask('GET', `/containers/${id}/json`)).json<Inspected>();
}

/** What a client from inside reads at the address, trying until somebody listens. */
function read(ask: Asking, address: string, port: number, more: Readonly<Record<string, unknown>> = {}) {
  const once = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${address} ${port} 2>/dev/null | tail -n 1`;
  const script = `for i in $(seq 30); do said=$(${once}); [ -n "$said" ] && echo "$said" && exit; sleep 1; done; echo nobody`;
  return printed(ask, { Cmd: ['sh', '-c', script], ...more });
}

describeEachEngine(
  'published ports of a namespace',
  (engine: TestEngine) => {
    const direct = asking(engine.socket);

    describe('at the gateway', () => {
      let alice: Namespaced;
      let bob: Namespaced;

      beforeAll(async () => {
        const ports = { address: 'gateway', range: '20000-20099' };
        alice = await namespaced(engine, 'pga', { ports });
        bob = await namespaced(engine, 'pgb', { ports });
      });
      afterAll(async () => {
        await alice?.stop();
        await bob?.stop();
      });

      const web = (word: string, bindings: unknown, more: object = {}): Readonly<Record<string, unknown>> => ({
        Image: 'busybox',
        Cmd: served(word),
        ExposedPorts: { '80/tcp': {} },
        HostConfig: { PortBindings: bindings, ...more },
      });

      test('are those of two namespaces with the same number, and each reaches its own from inside', async () => {
        const gateways: string[] = [];
        for (const { ask, namespace } of [alice, bob]) {
          const body = web(namespace, { '80/tcp': [{ HostPort: '20080' }] });
          const id = await made(ask('POST', '/containers/create?name=web', body));
          const started = await ask('POST', `/containers/${id}/start`);
          expect(started.status, started.text).toBe(204);
          const { NetworkSettings } = await inspected(ask, id);
          const gateway = NetworkSettings.Networks.bridge?.Gateway;
          expect(NetworkSettings.Ports['80/tcp']).toEqual([{ HostIp: gateway, HostPort: '20080' }]);
          gateways.push(gateway ?? '');
          // As Testcontainers finds its host from inside a container.
          expect(await printed(ask, { Cmd: ['sh', '-c', "ip route | awk '/default/ {print $3}'"] })).toBe(gateway);
          const bridge = (await ask('GET', '/networks/bridge')).json<{ IPAM: { Config: { Gateway: string }[] } }>();
          expect(bridge.IPAM.Config[0]?.Gateway).toBe(gateway);
        }
        expect(await read(alice.ask, gateways[0] ?? '', 20080)).toBe(alice.namespace);
        expect(await read(bob.ask, gateways[1] ?? '', 20080)).toBe(bob.namespace);
      });

      test("of a user's network are at its gateway, and at that of `bridge`, where clients look for all ports", async () => {
        await made(alice.ask('POST', '/networks/create', { Name: 'project' }));
        const bindings = {
          '80/tcp': [
            { HostIp: '0.0.0.0', HostPort: '20081' },
            { HostIp: '::', HostPort: '20081' },
          ],
        };
        const id = await made(
          alice.ask('POST', '/containers/create', web('project', bindings, { NetworkMode: 'project' })),
        );
        expect((await alice.ask('POST', `/containers/${id}/start`)).status).toBe(204);
        const { NetworkSettings } = await inspected(alice.ask, id);
        const gateway = NetworkSettings.Networks.project?.Gateway;
        const bridge = (await alice.ask('GET', '/networks/bridge')).json<{ IPAM: { Config: { Gateway: string }[] } }>();
        const places = [gateway, bridge.IPAM.Config[0]?.Gateway].map((HostIp) => ({ HostIp, HostPort: '20081' }));
        expect(NetworkSettings.Ports['80/tcp']).toHaveLength(2);
        expect(NetworkSettings.Ports['80/tcp']).toEqual(expect.arrayContaining(places));
        expect(await read(alice.ask, places[1]?.HostIp ?? '', 20081)).toBe('project');
        const HostConfig = { NetworkMode: 'project' };
        expect(await read(alice.ask, gateway ?? '', 20081, { HostConfig })).toBe('project');
      });

      test('that nobody numbered are within the range, also all that are exposed', async () => {
        const body = {
          Image: 'busybox',
          Cmd: ['sleep', '600'],
          ExposedPorts: { '80/tcp': {}, '81/tcp': {} },
          HostConfig: { PublishAllPorts: true },
        };
        const id = await made(alice.ask('POST', '/containers/create', body));
        expect((await alice.ask('POST', `/containers/${id}/start`)).status).toBe(204);
        const { Ports, Networks } = (await inspected(alice.ask, id)).NetworkSettings;
        for (const port of ['80/tcp', '81/tcp']) {
          const [place] = Ports[port] ?? [];
          expect(place?.HostIp).toBe(Networks.bridge?.Gateway);
          expect(Number(place?.HostPort)).toBeGreaterThanOrEqual(20000);
          expect(Number(place?.HostPort)).toBeLessThanOrEqual(20099);
        }
      });

      test.each(['19999', '20100', '20090-20100', '80', '-1', '20080/tcp'])(
        'are not %s, which is not in the range',
        async (HostPort) => {
          const body = web('x', { '80/tcp': [{ HostPort }] });
          const answer = await alice.ask('POST', '/containers/create', body);
          expect([400, 403]).toContain(answer.status);
          if (answer.status === 403) expect(answer.text).toContain('must be a port from 20000 to 20099');
        },
      );

      test('do not come to other addresses of the host by way of a container that had no network', async () => {
        const bindings = { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '20082' }] };
        const attack = web('x', bindings, { NetworkMode: 'none' });
        const id = await made(alice.ask('POST', '/containers/create', attack));
        const { HostConfig } = await inspected(direct, id);
        expect(HostConfig.PortBindings['80/tcp']?.[0]?.HostIp).toMatch(/^10\./);
        // The control: the engine would have kept what was said.
        const free = await made(direct('POST', '/containers/create', attack));
        expect((await inspected(direct, free)).HostConfig.PortBindings['80/tcp']?.[0]?.HostIp).toBe('0.0.0.0');
        await direct('DELETE', `/containers/${free}`);
      });
    });

    describe('at an address of the host', () => {
      let alice: Namespaced;
      let bob: Namespaced;

      beforeAll(async () => {
        alice = await namespaced(engine, 'pha');
        bob = await namespaced(engine, 'phb', { ports: { address: '::1' } });
      });
      afterAll(async () => {
        await alice?.stop();
        await bob?.stop();
      });

      test('are taken by somebody, and nobody is told by whom', async () => {
        const publishing = (HostPort: string): object => ({
          Image: 'busybox',
          Cmd: ['sleep', '600'],
          ExposedPorts: { '80/tcp': {} },
          HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] } },
        });
        const first = await made(direct('POST', `/containers/create?name=${bob.namespace}`, publishing('')));
        try {
          await direct('POST', `/containers/${first}/start`);
          const taken = (await inspected(direct, first)).NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
          const id = await made(alice.ask('POST', '/containers/create?name=late', publishing(taken)));
          const refused = await alice.ask('POST', `/containers/${id}/start`);
          expect(refused.status).toBe(500);
          expect(refused.text).toMatch(/already allocated|address already in use/);
          expect(refused.text).not.toContain(alice.namespace);
          expect(refused.text).not.toContain(bob.namespace);
          expect(refused.text).not.toContain(first.slice(0, 12));
        } finally {
          await direct('DELETE', `/containers/${first}?force=1`);
        }
      });

      test('said for both families stand there once', async () => {
        const places = [
          { HostIp: '0.0.0.0', HostPort: '' },
          { HostIp: '::', HostPort: '' },
        ];
        const body = { Image: 'busybox', Cmd: ['sleep', '600'], HostConfig: { PortBindings: { '80/tcp': places } } };
        const id = await made(alice.ask('POST', '/containers/create', body));
        const { HostConfig } = await inspected(direct, id);
        expect(HostConfig.PortBindings['80/tcp']).toEqual([{ HostIp: '127.0.0.1', HostPort: '' }]);
      });

      test('can be one of IPv6', async () => {
        const HostConfig = { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] } };
        const body = { Image: 'busybox', Cmd: ['sleep', '600'], ExposedPorts: { '80/tcp': {} }, HostConfig };
        const id = await made(bob.ask('POST', '/containers/create', body));
        const started = await bob.ask('POST', `/containers/${id}/start`);
        expect(started.status, started.text).toBe(204);
        expect((await inspected(bob.ask, id)).NetworkSettings.Ports['80/tcp']?.[0]?.HostIp).toBe('::1');
      });
    });
  },
  (engine) => engine.socket !== '',
);
