// What a client of a namespace is told of what happens, held against what the engine tells everybody.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, RawClient, requestBytes, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type CountedEngine, countedEngine } from './namespace-calls.ts';

const run = randomBytes(3).toString('hex');
const mine = `nse-${run}`;
const filtersIn = (filters: Readonly<Record<string, readonly string[]>>): string =>
  encodeURIComponent(JSON.stringify(filters));

describeEachEngine('events of a namespace', (engine: TestEngine) => {
  let counted: CountedEngine | undefined;
  let berthgate: InProcess | undefined;
  let container = '';
  let network = '';
  let begun = '';
  let ended = '';

  const own = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
    ask(berthgate?.socket ?? '', method, path, more);
  const direct = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
    ask(engine.socket, method, path, more);

  beforeAll(async () => {
    counted = await countedEngine(engine.host);
    berthgate = await serveInFrontOf(counted.host, { policies: ['conservative'], namespace: mine });
    begun = (Date.now() / 1000).toFixed(3);
    network = (await own('POST', '/networks/create', { body: { Name: 'net' } })).json<{ Id: string }>().Id;
    await own('POST', '/volumes/create', { body: { Name: 'data' } });
    const body = {
      Image: 'busybox',
      Cmd: ['sleep', '600'],
      Labels: { team: 'blue', empty: '' },
      HostConfig: { Binds: ['data:/data'], NetworkMode: 'net' },
    };
    container = (await own('POST', '/containers/create?name=web', { body })).json<{ Id: string }>().Id;
    expect((await own('POST', '/containers/web/start')).status).toBe(204);
    const exec = { Cmd: ['true', 'it', 'is'], AttachStdout: true };
    const { Id } = (await own('POST', '/containers/web/exec', { body: exec })).json<{ Id: string }>();
    expect((await own('POST', `/exec/${Id}/start`, { body: {} })).status).toBe(200);
    await own('POST', '/containers/web/rename?name=www');
    await own('POST', '/containers/www/pause');
    await own('POST', '/containers/www/unpause');
    await own('DELETE', '/containers/www?force=1');
    ended = (Date.now() / 1000 + 0.001).toFixed(3);
  });

  afterAll(async () => {
    const filters = filtersIn({ label: [`berthgate.namespace=${mine}`] });
    for (const { Id } of (await direct('GET', `/containers/json?all=1&filters=${filters}`)).json<{ Id: string }[]>()) {
      await direct('DELETE', `/containers/${Id}?force=1`);
    }
    for (const { Id } of (await direct('GET', `/networks?filters=${filters}`)).json<{ Id: string }[]>()) {
      await direct('DELETE', `/networks/${Id}`);
    }
    const volumes = (await direct('GET', `/volumes?filters=${filters}`)).json<{ Volumes: { Name: string }[] | null }>();
    for (const { Name } of volumes.Volumes ?? []) await direct('DELETE', `/volumes/${Name}`);
    await berthgate?.stop();
    await counted?.stop();
  });

  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
  const past = (filters: string): string => `/events?since=${begun}&until=${ended}&filters=${filters}`;

  type Case = readonly [string, () => Record<string, readonly string[]>, () => Record<string, readonly string[]>];
  const same = (filters: () => Record<string, readonly string[]>): readonly [typeof filters, typeof filters] => [
    filters,
    filters,
  ];
  const cases: readonly Case[] = [
    ['nothing', ...same(() => ({}))],
    ['a type', ...same(() => ({ type: ['container'] }))],
    ['types', ...same(() => ({ type: ['volume', 'network'] }))],
    ['actions', ...same(() => ({ event: ['create', 'destroy'] }))],
    ['an action and a type', ...same(() => ({ event: ['create'], type: ['volume'] }))],
    ['an action that says more', ...same(() => ({ event: ['exec_create'] }))],
    ['the beginning of another action', ...same(() => ({ event: ['cre'] }))],
    ['a full action that says more', ...same(() => ({ event: ['exec_start: true it is'] }))],
    ['the beginning of any, beside health_status', ...same(() => ({ event: ['health_status', 'cre'] }))],
    ['the id of a container', ...same(() => ({ container: [container] }))],
    ['the beginning of the id of a container', ...same(() => ({ container: [container.slice(0, 12)] }))],
    ['the name of a container', () => ({ container: ['web'] }), () => ({ container: [`${mine}.web`] })],
    ['two names', () => ({ container: ['web', 'www'] }), () => ({ container: [`${mine}.web`, `${mine}.www`] })],
    ['a container by the name of a volume', () => ({ container: ['da'] }), () => ({ container: [`${mine}.da`] })],
    ['a volume', () => ({ volume: ['data'] }), () => ({ volume: [`${mine}.data`] })],
    ['a network', () => ({ network: ['net'] }), () => ({ network: [`${mine}.net`] })],
    ['the id of a network', ...same(() => ({ network: [network] }))],
    ['an image', ...same(() => ({ image: ['busybox'] }))],
    ['an image that is another', ...same(() => ({ image: ['debian'] }))],
    ['a label', ...same(() => ({ label: ['team'] }))],
    ['a label with its value', ...same(() => ({ label: ['team=blue'] }))],
    ['two labels', ...same(() => ({ label: ['team=blue', 'empty='] }))],
    ['a label with another value', ...same(() => ({ label: ['team=red'] }))],
    ['an attribute', ...same(() => ({ label: ['driver=local'] }))],
    ['the name of a container, as a label', () => ({ label: ['name=www'] }), () => ({ label: [`name=${mine}.www`] })],
    ['a scope', ...same(() => ({ scope: ['local'] }))],
    ['another scope', ...same(() => ({ scope: ['swarm'] }))],
    ['an empty list', ...same(() => ({ type: [] }))],
  ];

  const none = [
    'the beginning of another action',
    'an image that is another',
    'a label with another value',
    'another scope',
  ];

  test.each(cases)('by %s are those that the engine tells', async (name, said, meant) => {
    const everybodys = lines((await direct('GET', past(filtersIn(meant())))).text);
    // The engine's own names and labels are all that differs.
    const expected = everybodys
      .filter((line) => line.includes(`${mine}.`))
      .map((line) => line.replaceAll(`${mine}.`, '').replaceAll(/"berthgate\.[^"]+":"[^"]*",?/g, ''))
      .map((line) => JSON.parse(line) as unknown);
    const told = lines((await own('GET', past(filtersIn(said())))).text).map((line) => JSON.parse(line) as unknown);
    expect(told).toEqual(expected);
    expect(expected.length > 0).toBe(!none.includes(name));
  });

  test('a stream ends at the time that was asked for', async () => {
    const until = Math.floor(Date.now() / 1000) + 4;
    const answer = await own('GET', `/events?until=${until}&since=${begun}&filters=${filtersIn({ volume: ['data'] })}`);
    expect(answer.text).toContain('"create"');
    expect(Date.now()).toBeGreaterThanOrEqual(until * 1000);
  });

  test('nothing is missing and nothing told twice where the past meets what happens', async () => {
    const since = (Date.now() / 1000).toFixed(3);
    const socket = berthgate?.socket ?? '';
    const clients: RawClient[] = [];
    const make = async (i: number): Promise<void> => {
      expect((await own('POST', '/volumes/create', { body: { Name: `v${i}-` } })).status).toBe(201);
    };
    for (let i = 0; i < 30; i++) {
      const making = make(i);
      if (i % 3 === 0) {
        const client = await RawClient.connect(socket);
        const filters = filtersIn({ type: ['volume'], event: ['create'] });
        client.send(requestBytes('GET', `/events?since=${since}&filters=${filters}`));
        clients.push(client);
      }
      await making;
    }
    const expected = Array.from({ length: 30 }, (_, i) => `v${i}-`);
    for (const client of clients) {
      expect((await client.head()).status).toBe(200);
      let told = '';
      while (!told.includes('v29-')) told += (await client.chunk())?.toString() ?? 'ended v29-';
      const names = [...told.matchAll(/"ID":"([^"]+)"/g)].map(([, name]) => name);
      expect(names).toEqual(expected);
      client.destroy();
    }
  });

  test('many who listen have one stream of the engine, and none of their own', async () => {
    const asked = counted?.asked ?? [];
    const before = asked.length;
    const clients: RawClient[] = [];
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.connect(berthgate?.socket ?? '');
      client.send(requestBytes('GET', '/events'));
      expect((await client.head()).status).toBe(200);
      clients.push(client);
    }
    expect(asked.slice(before).filter((line) => line.includes('/events'))).toEqual([]);
    expect(asked.filter((line) => line === 'GET /events')).toHaveLength(1);
    await own('POST', '/volumes/create', { body: { Name: 'heard' } });
    for (const client of clients) {
      await client.until('"heard"');
      client.destroy();
    }
  });
});
