// RED-TEAM 49 and 51: another's containers, commands, networks and volumes by every endpoint, reference and filter.
import { expect, test } from 'vitest';
import { RawClient } from '../engine/raw-client.ts';
import { describeTwoUsers, filtersIn } from './two-users.ts';

describeTwoUsers('another namespace', ({ mine, theirs, alice, bob, direct, aliceSocket, bobs, own, engine }) => {
  /** Everything that says which container of bob's is meant. */
  const references = (): readonly string[] => [
    bobs().container,
    bobs().container.slice(0, 12),
    bobs().container.slice(0, 5),
    `${theirs}.web`,
    'web',
  ];

  test.each([
    ['POST', 'start'],
    ['POST', 'restart?t=0'],
    ['POST', 'pause'],
    ['POST', 'unpause'],
    ['POST', 'resize?h=1&w=1'],
    ['POST', 'stop?t=0'],
    ['POST', 'wait?condition=next-exit'],
    ['POST', 'attach?stream=1&stdin=1&stdout=1&logs=1'],
    ['GET', 'logs?stdout=1&follow=1'],
    ['GET', 'stats?stream=0&one-shot=1'],
    ['GET', 'top?ps_args=aux'],
    ['GET', 'export'],
    ['GET', 'archive?path=/data'],
    ['POST', 'rename?name=mine'],
  ])('is not reached: %s %s', async (method, what) => {
    const before = (await direct('GET', `/containers/${bobs().container}/json`)).json<{
      State: object;
      Name: string;
    }>();
    for (const reference of references()) {
      const answer = await alice(method, `/containers/${reference}/${what}`);
      expect([answer.status, answer.json().message]).toEqual([404, `No such container: ${reference}`]);
    }
    const after = (await direct('GET', `/containers/${bobs().container}/json`)).json<{ State: object; Name: string }>();
    expect([after.State, after.Name]).toEqual([before.State, before.Name]);
    // The control: every one of these but bob's own word for it means his container, to the engine.
    for (const reference of references().slice(0, -1)) {
      expect((await direct('GET', `/containers/${reference}/json`)).json().Id).toBe(bobs().container);
    }
  });

  test('is not attached to by a websocket', async () => {
    const upgrade = async (socket: string, reference: string): Promise<number> => {
      const client = await RawClient.connect(socket);
      try {
        const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://d\r\n';
        const head = `GET /containers/${reference}/attach/ws?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n`;
        client.send(`${head}Connection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`);
        return (await client.head()).status;
      } finally {
        client.destroy();
      }
    };
    for (const reference of references()) expect(await upgrade(aliceSocket(), reference)).toBe(404);
    expect(await upgrade(engine.socket, bobs().container)).toBe(101);
  });

  test.each([
    ['its volumes, read only', (id: string) => ({ VolumesFrom: [`${id}:ro`] })],
    ['its memory', (id: string) => ({ IpcMode: `container:${id}` })],
    ['its processes', (id: string) => ({ PidMode: `container:${id}` })],
    ['its network', (id: string) => ({ NetworkMode: `container:${id}` })],
    ['a link to it', (id: string) => ({ Links: [`${id}:db`] })],
  ])('is not joined for %s', async (_, hostConfig) => {
    for (const reference of references()) {
      const body = { Image: 'busybox', Cmd: ['true'], HostConfig: hostConfig(reference) };
      const refused = await alice('POST', '/containers/create', { body });
      expect([refused.status, refused.json().message]).toEqual([400, `No such container: ${reference}`]);
    }
    // The control: bob himself makes such a container, so it is no fault of the request.
    const body = { Image: 'busybox', Cmd: ['true'], HostConfig: hostConfig('web') };
    expect((await bob('POST', '/containers/create', { body })).status).toBe(201);
  });

  test('is not linked to, connected or cut off on a network', async () => {
    const name = own('net');
    const network = (await alice('POST', '/networks/create', { body: { Name: name } })).json<{ Id: string }>().Id;
    const box = own('box');
    await alice('POST', `/containers/create?name=${box}`, { body: { Image: 'busybox' } });
    const target = { Container: bobs().container };
    for (const [path, body] of [
      [`/networks/${network}/connect`, target],
      [`/networks/${name}/disconnect`, { ...target, Force: true }],
      [`/networks/${bobs().network}/disconnect`, { ...target, Force: true }],
      [`/networks/${bobs().network}/connect`, { Container: box }],
      [`/networks/${theirs}.net/connect`, { Container: box }],
      [`/networks/${name}/connect`, { Container: box, EndpointConfig: { Links: [`${bobs().container}:db`] } }],
      [`/networks/${name}/connect`, { Container: box, EndpointConfig: { NetworkID: bobs().network } }],
    ] as const) {
      const answer = await alice('POST', path, { body });
      expect(answer.status, `${path} ${JSON.stringify(body)}`).toBe(404);
    }
    const seen = (await direct('GET', `/networks/${bobs().network}`)).json<{ Containers: object }>();
    expect(Object.keys(seen.Containers)).toEqual([bobs().container]);
    // The control: for the engine both networks and both containers fit together.
    expect((await direct('POST', `/networks/${network}/connect`, { body: target })).status).toBe(200);
    expect((await direct('POST', `/networks/${network}/disconnect`, { body: target })).status).toBe(200);
  });

  test('commands of it are not looked at, started or resized, by any beginning of their ids', async () => {
    const { exec } = bobs();
    expect((await direct('GET', `/exec/${exec}/json`)).status).toBe(200);
    for (const id of [exec, exec.slice(0, 12)]) {
      expect((await alice('GET', `/exec/${id}/json`)).status).toBe(404);
      expect((await alice('POST', `/exec/${id}/start`, { body: { Detach: true } })).status).toBe(404);
      expect((await alice('POST', `/exec/${id}/resize?h=1&w=1`)).status).toBe(404);
    }
    expect((await direct('GET', `/exec/${exec}/json`)).json()).toMatchObject({ Running: false, ExitCode: null });
  });

  test.each([
    ['before', () => bobs().container],
    ['since', () => bobs().container],
    ['before', () => `${theirs}.web`],
    ['since', () => 'web'],
  ])('is no mark to list %s or after', async (key, value) => {
    for (const filters of [{ [key]: [value()] }, { [key]: { [value()]: true } }]) {
      const answer = await alice('GET', `/containers/json?all=1&filters=${filtersIn(filters)}`);
      expect([answer.status, answer.json().message]).toEqual([404, `No such container: ${value()}`]);
    }
    // What is not there is told in the same words.
    const absent = await alice('GET', `/containers/json?all=1&filters=${filtersIn({ [key]: ['nobody-has-this'] })}`);
    expect([absent.status, absent.json().message]).toEqual([404, 'No such container: nobody-has-this']);
    if (value() !== 'web') {
      expect((await direct('GET', `/containers/json?filters=${filtersIn({ [key]: [value()] })}`)).status).toBe(200);
    }
  });

  const finders: readonly (readonly [string, string, () => Readonly<Record<string, readonly string[]>>])[] = [
    ['containers/json?all=1&', 'id', () => ({ id: [bobs().container] })],
    ['containers/json?all=1&', 'a beginning of its id', () => ({ id: [bobs().container.slice(0, 6)] })],
    ['containers/json?all=1&', 'name', () => ({ name: [`${theirs}.web`] })],
    ['containers/json?all=1&', 'a pattern', () => ({ name: ['zzz', '.*b\\.web'] })],
    ['containers/json?all=1&', 'a pattern of everything', () => ({ name: ['.*'] })],
    ['containers/json?all=1&', 'an empty pattern', () => ({ name: [''] })],
    ['containers/json?all=1&', 'its image', () => ({ ancestor: ['busybox'] })],
    ['containers/json?all=1&', 'its network', () => ({ network: [bobs().network] })],
    ['containers/json?all=1&', "its network's name", () => ({ network: [`${theirs}.net`] })],
    ['containers/json?all=1&', 'its volume', () => ({ volume: [`${theirs}.data`] })],
    ['containers/json?all=1&', 'a place in it', () => ({ volume: ['/data'] })],
    ['containers/json?all=1&', 'its state', () => ({ status: ['running'] })],
    ['containers/json?all=1&', 'that it is no task', () => ({ 'is-task': ['false'] })],
    ['networks?', 'id', () => ({ id: [bobs().network] })],
    ['networks?', 'a pattern', () => ({ name: ['net$'] })],
    ['networks?', 'its kind', () => ({ type: ['custom'] })],
    ['networks?', 'its driver', () => ({ driver: ['bridge'] })],
    ['volumes?', 'name', () => ({ name: [`${theirs}.data`] })],
    ['volumes?', 'that it is in use', () => ({ dangling: ['false'] })],
  ];

  test.each(finders)('is not found in %s by %s', async (list, _, filters) => {
    const said = filters();
    const both = [said, Object.fromEntries(Object.entries(said).map(([key, values]) => [key, mapOf(values)]))];
    for (const one of both) {
      const answer = await alice('GET', `/${list}filters=${filtersIn(one)}`);
      expect([200, 400]).toContain(answer.status);
      expect(answer.text).not.toContain(theirs);
      expect(answer.text).not.toContain(bobs().container);
      expect(answer.text).not.toContain(bobs().network);
      expect(answer.text).not.toContain('"data"');
    }
    // The control: the engine finds it so.
    expect((await direct('GET', `/${list}filters=${filtersIn(said)}`)).text).toContain(`${theirs}.`);
  });

  test('is not pruned by filters that turn ours around', async () => {
    const [box, net, vol] = [own('box'), own('net'), own('vol')];
    await bob('POST', `/containers/create?name=${box}`, { body: { Image: 'busybox' } });
    await bob('POST', '/networks/create', { body: { Name: net } });
    await bob('POST', '/volumes/create', { body: { Name: vol } });
    for (const filters of [
      {},
      { 'label!': [`berthgate.namespace=${mine}`] },
      { label: [`berthgate.namespace=${theirs}`] },
      { label: ['berthgate.namespace'], 'label!': ['x'] },
      { until: ['2100-01-01T00:00:00Z'] },
      { all: ['true'] },
      { all: { true: true }, 'label!': { x: true } },
    ]) {
      for (const what of ['containers', 'networks', 'volumes']) {
        const pruned = await alice('POST', `/${what}/prune?filters=${filtersIn(filters)}`);
        expect([200, 400, 403]).toContain(pruned.status);
      }
    }
    expect((await bob('GET', `/containers/${box}/json`)).status).toBe(200);
    expect((await bob('GET', `/networks/${net}`)).status).toBe(200);
    expect((await bob('GET', `/volumes/${vol}`)).status).toBe(200);
    // The control: all three are what a prune removes.
    const label = [`berthgate.namespace=${theirs}`];
    const all = engine.apiVersion === '1.41' ? {} : { all: ['true'] };
    expect((await direct('POST', `/containers/prune?filters=${filtersIn({ label })}`)).text).toContain(
      '"SpaceReclaimed"',
    );
    expect((await direct('POST', `/networks/prune?filters=${filtersIn({ label })}`)).text).toContain(
      `${theirs}.${net}`,
    );
    const volumes = await direct('POST', `/volumes/prune?filters=${filtersIn({ label, ...all })}`);
    expect(volumes.text).toContain(`${theirs}.${vol}`);
    expect((await bob('GET', `/containers/${box}/json`)).status).toBe(404);
  });

  test('is not taken over by what is put in the place of a thing that went', async () => {
    const name = own('swap');
    const made = await alice('POST', `/containers/create?name=${name}`, { body: { Image: 'busybox' } });
    expect((await alice('GET', `/containers/${name}/json`)).status).toBe(200);
    await direct('DELETE', `/containers/${made.json().Id}`);
    const other = await direct('POST', `/containers/create?name=${mine}.${name}`, { body: { Image: 'busybox' } });
    const { Id } = other.json<{ Id: string }>();
    try {
      for (const reference of [name, Id, String(made.json().Id)]) {
        const answer = await alice('GET', `/containers/${reference}/json`);
        expect([answer.status, answer.json().message]).toEqual([404, `No such container: ${reference}`]);
        expect((await alice('DELETE', `/containers/${reference}?force=1`)).status).toBe(404);
      }
      expect((await direct('GET', `/containers/${mine}.${name}/json`)).json().Id).toBe(Id);
    } finally {
      await direct('DELETE', `/containers/${Id}?force=1`);
    }
  });
});

function mapOf(values: readonly string[]): Readonly<Record<string, true>> {
  return Object.fromEntries(values.map((value) => [value, true]));
}
