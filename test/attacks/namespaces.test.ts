// Two namespaces on one engine, each behind a Berthgate of its own: what one tries against the other, with the engine
// itself as the control that the trick would work.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';

interface Made {
  readonly container: string;
  readonly exec: string;
  readonly network: string;
  readonly volume: string;
}

const run = randomBytes(3).toString('hex');
const [mine, theirs] = [`nsa-${run}`, `nsb-${run}`];

describeEachEngine(
  'a namespace',
  (engine: TestEngine) => {
    let alice: InProcess | undefined;
    let bob: InProcess | undefined;
    let made: Made | undefined;

    const toAlice = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
      ask(alice?.socket ?? '', method, path, more);
    const toBob = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
      ask(bob?.socket ?? '', method, path, more);
    const direct = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
      ask(engine.socket, method, path, more);
    const bobs = (): Made => made as Made;

    beforeAll(async () => {
      const listener = { policies: ['conservative'] };
      alice = await serveInFrontOf(engine.host, { ...listener, namespace: mine });
      bob = await serveInFrontOf(engine.host, { ...listener, namespace: theirs });
      const network = (await toBob('POST', '/networks/create', { body: { Name: 'net' } })).json<{ Id: string }>().Id;
      await toBob('POST', '/volumes/create', { body: { Name: 'data' } });
      const body = {
        Image: 'busybox',
        Cmd: ['sleep', '600'],
        HostConfig: { Binds: ['data:/data'], NetworkMode: 'net' },
      };
      const container = (await toBob('POST', '/containers/create?name=web', { body })).json<{ Id: string }>().Id;
      expect((await toBob('POST', `/containers/${container}/start`)).status).toBe(204);
      const execBody = { Cmd: ['true'], AttachStdout: true };
      const exec = (await toBob('POST', '/containers/web/exec', { body: execBody })).json<{ Id: string }>().Id;
      made = { container, exec, network, volume: `${theirs}.data` };
    });

    afterAll(async () => {
      const filters = (namespace: string): string =>
        encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${namespace}`] }));
      for (const one of [mine, theirs]) {
        const containers = await direct('GET', `/containers/json?all=1&filters=${filters(one)}`);
        for (const { Id } of containers.json<{ Id: string }[]>())
          await direct('DELETE', `/containers/${Id}?force=1&v=1`);
        const networks = await direct('GET', `/networks?filters=${filters(one)}`);
        for (const { Id } of networks.json<{ Id: string }[]>()) await direct('DELETE', `/networks/${Id}`);
        const volumes = await direct('GET', `/volumes?filters=${filters(one)}`);
        for (const { Name } of volumes.json<{ Volumes: { Name: string }[] | null }>().Volumes ?? []) {
          await direct('DELETE', `/volumes/${Name}`);
        }
      }
      await alice?.stop();
      await bob?.stop();
    });

    const ways: readonly { readonly method: string; readonly path: (id: string) => string; readonly body?: unknown }[] =
      [
        { method: 'GET', path: (id) => `/containers/${id}/json` },
        { method: 'GET', path: (id) => `/containers/${id}/logs?stdout=1` },
        { method: 'GET', path: (id) => `/containers/${id}/top` },
        { method: 'GET', path: (id) => `/containers/${id}/changes` },
        { method: 'GET', path: (id) => `/containers/${id}/stats?stream=0` },
        { method: 'GET', path: (id) => `/containers/${id}/archive?path=/etc/passwd` },
        { method: 'HEAD', path: (id) => `/containers/${id}/archive?path=/etc/passwd` },
        { method: 'PUT', path: (id) => `/containers/${id}/archive?path=/` },
        { method: 'GET', path: (id) => `/containers/${id}/export` },
        { method: 'POST', path: (id) => `/containers/${id}/wait?condition=not-running` },
        { method: 'POST', path: (id) => `/containers/${id}/attach?stream=1&stdout=1` },
        { method: 'POST', path: (id) => `/containers/${id}/exec`, body: { Cmd: ['true'] } },
        { method: 'POST', path: (id) => `/containers/${id}/stop?t=0` },
        { method: 'POST', path: (id) => `/containers/${id}/kill` },
        { method: 'POST', path: (id) => `/containers/${id}/rename?name=x1` },
        { method: 'POST', path: (id) => `/containers/${id}/update`, body: { CpuShares: 2 } },
        { method: 'DELETE', path: (id) => `/containers/${id}?force=1` },
      ];

    test.each(ways)('finds nothing of another by id, prefix or name: $method $path', async ({ method, path, body }) => {
      const more = body === undefined ? {} : { body };
      for (const id of [
        bobs().container,
        bobs().container.slice(0, 12),
        bobs().container.slice(0, 3),
        `${theirs}.web`,
        'web',
      ]) {
        const found = await toAlice(method, path(id), more);
        expect(found.status).toBe(404);
        if (method !== 'HEAD') expect(found.json<{ message: string }>().message).toBe(`No such container: ${id}`);
      }
      // The control: the engine itself knows all of these but the client's own name.
      expect((await direct('GET', `/containers/${bobs().container.slice(0, 12)}/json`)).status).toBe(200);
      expect(
        (await direct('GET', `/containers/${theirs}.web/json`)).json<{ State: { Running: boolean } }>().State.Running,
      ).toBe(true);
    });

    test('does not run or look at the commands of another', async () => {
      const { exec } = bobs();
      expect((await direct('GET', `/exec/${exec}/json`)).status).toBe(200);
      for (const [method, path] of [
        ['GET', `/exec/${exec}/json`],
        ['POST', `/exec/${exec}/resize?h=1&w=1`],
        ['POST', `/exec/${exec}/start`],
      ] as const) {
        const answer = await toAlice(method, path, method === 'POST' ? { body: { Detach: true } } : {});
        expect(answer.status, path).toBe(404);
      }
      expect((await toBob('GET', `/exec/${exec}/json`)).status).toBe(200);
    });

    test.each([
      ['the network of another by id', () => ({ NetworkMode: bobs().network })],
      ['the network of another by name', () => ({ NetworkMode: `${theirs}.net` })],
      ['the network of a container of another', () => ({ NetworkMode: `container:${bobs().container}` })],
      ['the processes of another', () => ({ PidMode: `container:${theirs}.web` })],
      ['the volumes of a container of another', () => ({ VolumesFrom: [bobs().container] })],
      ['a link to a container of another', () => ({ Links: [`${bobs().container}:x`] })],
      ['the network of the host', () => ({ NetworkMode: 'host' })],
    ])('a create does not take %s', async (_, hostConfig) => {
      const answer = await toAlice('POST', '/containers/create', {
        body: { Image: 'busybox', HostConfig: hostConfig() },
      });
      expect([400, 403]).toContain(answer.status);
      expect(answer.text).not.toMatch(new RegExp(`berthgate.namespace|"${theirs}`));
    });

    test('a network of another is not joined by the id that wins over its name', async () => {
      await toAlice('POST', '/networks/create', { body: { Name: 'own' } });
      const EndpointsConfig = { own: { NetworkID: bobs().network } };
      const body = { Image: 'busybox', HostConfig: { NetworkMode: 'own' }, NetworkingConfig: { EndpointsConfig } };
      expect((await toAlice('POST', '/containers/create', { body })).status).toBe(400);
      const connect = { Container: bobs().container, EndpointConfig: {} };
      expect((await toAlice('POST', '/networks/own/connect', { body: connect })).status).toBe(404);
      expect((await toAlice('POST', `/networks/${bobs().network}/connect`, { body: connect })).status).toBe(404);
    });

    test('the name of a volume of another makes a volume of its own', async () => {
      expect((await toAlice('GET', `/volumes/${bobs().volume}`)).status).toBe(404);
      expect((await toAlice('DELETE', `/volumes/${bobs().volume}?force=1`)).status).toBe(204);
      expect((await direct('GET', `/volumes/${bobs().volume}`)).status).toBe(200);
      const body = { Image: 'busybox', HostConfig: { Binds: [`${bobs().volume}:/x`] } };
      const { Id } = (await toAlice('POST', '/containers/create', { body })).json<{ Id: string }>();
      const seen = (await direct('GET', `/containers/${Id}/json`)).json<{ Mounts: { Name: string }[] }>();
      expect(seen.Mounts.map(({ Name }) => Name)).toEqual([`${mine}.${bobs().volume}`]);
      // Its name is in the way of the tests that look for another's.
      await toAlice('DELETE', `/containers/${Id}`);
      await toAlice('DELETE', `/volumes/${bobs().volume}`);
    });

    test('a volume that nobody owns is not taken over by its name', async () => {
      await direct('POST', '/volumes/create', { body: { Name: `${mine}.squat` } });
      try {
        const refused = await toAlice('POST', '/volumes/create', { body: { Name: 'squat' } });
        expect(refused.status).toBe(403);
        const body = { Image: 'busybox', HostConfig: { Binds: ['squat:/x'] } };
        expect((await toAlice('POST', '/containers/create', { body })).status).toBe(403);
        expect((await toAlice('GET', '/volumes/squat')).status).toBe(404);
      } finally {
        await direct('DELETE', `/volumes/${mine}.squat`);
      }
    });

    test('a label without the name, and a name without the label, belong to nobody', async () => {
      const labelled = await direct('POST', '/containers/create', {
        body: { Image: 'busybox', Labels: { 'berthgate.namespace': mine } },
      });
      const named = await direct('POST', `/containers/create?name=${mine}.named`, { body: { Image: 'busybox' } });
      const ids = [labelled, named].map((answer) => answer.json<{ Id: string }>().Id);
      try {
        const listed = (await toAlice('GET', '/containers/json?all=1')).json<{ Id: string }[]>().map(({ Id }) => Id);
        for (const id of ids) {
          expect(listed).not.toContain(id);
          expect((await toAlice('DELETE', `/containers/${id}?force=1`)).status).toBe(404);
        }
        // What carries the label would be pruned by the engine.
        expect((await toAlice('POST', '/containers/prune')).status).toBe(403);
      } finally {
        for (const id of ids) await direct('DELETE', `/containers/${id}`);
      }
    });

    test('labels of ours are neither set, asked for nor seen', async () => {
      const forged = { Image: 'busybox', Labels: { 'berthgate.namespace': theirs } };
      expect((await toAlice('POST', '/containers/create', { body: forged })).status).toBe(403);
      const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${theirs}`] }));
      expect((await toAlice('GET', `/containers/json?filters=${filters}`)).status).toBe(403);
      expect((await toBob('GET', '/containers/web/json')).text).not.toContain('berthgate.');
      expect((await toBob('GET', '/networks/net')).text).not.toContain('berthgate.');
      expect((await toBob('GET', '/volumes/data')).text).not.toContain('berthgate.');
    });

    test('lists, counts, disk usage and prunes are of its own alone', async () => {
      for (const path of ['/containers/json?all=1', '/networks', '/volumes', '/system/df', '/info']) {
        const answer = await toAlice('GET', path);
        expect(answer.status, path).toBe(200);
        expect(answer.text, path).not.toContain(theirs);
        expect(answer.text, path).not.toContain(bobs().container);
      }
      for (const path of ['/containers/prune', '/networks/prune', '/volumes/prune', '/images/prune', '/build/prune']) {
        expect((await toAlice('POST', path)).status, path).toBe(200);
      }
      expect((await direct('GET', `/networks/${bobs().network}`)).status).toBe(200);
      expect((await direct('GET', `/volumes/${bobs().volume}`)).status).toBe(200);
    });

    test('a pattern does not find what is before its own names', async () => {
      const find = async (pattern: string): Promise<number> => {
        const filters = encodeURIComponent(JSON.stringify({ name: [pattern] }));
        return (await toAlice('GET', `/containers/json?all=1&filters=${filters}`)).json<unknown[]>().length;
      };
      await toAlice('POST', '/containers/create?name=found', { body: { Image: 'busybox' } });
      expect(await find('^found$')).toBe(1);
      expect(await find('nsa')).toBe(0);
      expect(await find('web')).toBe(0);
    });

    test('what another has done is not among its events', async () => {
      const until = Math.floor(Date.now() / 1000) + 1;
      await toBob('POST', '/volumes/create', { body: { Name: 'told' } });
      await toAlice('POST', '/volumes/create', { body: { Name: 'heard' } });
      const events = (await toAlice('GET', `/events?since=${until - 3}&until=${until + 1}`)).text;
      expect(events).toContain('"heard"');
      expect(events).not.toMatch(
        new RegExp(`told|${bobs().container}|${bobs().network}|berthgate\\.|"${theirs}\\.web`),
      );
    });

    test('images are neither taken from everybody nor fetched by the engine', async () => {
      for (const [method, path] of [
        ['DELETE', '/images/busybox'],
        ['POST', '/images/create?fromSrc=http://127.0.0.1:1/x.tar&repo=x'],
      ] as const) {
        expect((await toAlice(method, path)).status, path).toBe(403);
      }
    });
  },
  (engine) => engine.socket !== '',
);
