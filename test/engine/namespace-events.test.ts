// The events of namespaces while the engine, or a client, does not behave: one stream of the engine for all of them.
import { afterEach, expect, test } from 'vitest';
import { FakeEngine } from './fake-engine.ts';
import { type InProcess, serveInFrontOf } from './in-process.ts';
import { ask, RawClient, requestBytes } from './raw-client.ts';

let engine: FakeEngine | undefined;
let berthgate: InProcess | undefined;

async function begin(): Promise<{ readonly engine: FakeEngine; readonly berthgate: InProcess }> {
  engine = await FakeEngine.start();
  berthgate = await serveInFrontOf(engine.host, { namespace: 'nsa' });
  return { engine, berthgate };
}

afterEach(async () => {
  await berthgate?.stop();
  await engine?.stop();
  berthgate = undefined;
  engine = undefined;
});

async function listen(socket: string, query = ''): Promise<RawClient> {
  const client = await RawClient.connect(socket);
  client.send(requestBytes('GET', `/v1.51/events${query}`));
  const head = await client.head();
  expect([head.status, head.header('content-type')]).toEqual([200, 'application/json']);
  return client;
}

let moment = Date.now() * 1e6;

function happen({ world }: FakeEngine, name: string, more = ''): void {
  moment += 1000;
  const event = {
    Type: 'volume',
    Action: 'create',
    Actor: { ID: name, Attributes: { driver: 'local', more } },
    scope: 'local' as const,
    time: Math.floor(moment / 1e9),
    timeNano: moment,
  };
  world.history.push(event);
  for (const listener of world.listeners) listener(event);
}

/** Reads chunks until the event of that name. */
async function until(client: RawClient, name: string): Promise<string> {
  const told: string[] = [];
  do {
    const chunk = await client.chunk();
    if (chunk === null) throw new Error(`ended before ${name}`);
    told.push(chunk.toString());
    // Lines come whole.
  } while (told.at(-1)?.includes(`"ID":"${name}"`) !== true);
  return told.join('');
}

const streamsOf = ({ received }: FakeEngine): number =>
  received.filter(({ endpoint, query }) => endpoint?.id === 'SystemEvents' && query.get('until') === null).length;

test('any number of clients have one stream of the engine between them', async () => {
  const { engine, berthgate } = await begin();
  const clients = await Promise.all(Array.from({ length: 50 }, () => listen(berthgate.socket)));
  happen(engine, 'nsb.theirs');
  happen(engine, 'nsa.mine');
  for (const client of clients) expect(await until(client, 'mine')).not.toContain('theirs');
  expect(streamsOf(engine)).toBe(1);
  for (const client of clients) client.destroy();
});

test('the past comes before what happens, each once, also what happens while the past is told', async () => {
  const { engine, berthgate } = await begin();
  for (let i = 0; i < 20; i++) happen(engine, `nsa.before${i}`);
  const client = await listen(berthgate.socket, '?since=1');
  const isReplay = (query: URLSearchParams): boolean => query.get('since') === '1' && query.get('until') !== null;
  await engine.receives(({ endpoint, query }) => endpoint?.id === 'SystemEvents' && isReplay(query));
  for (let i = 0; i < 20; i++) happen(engine, `nsa.while${i}`);
  let told = await until(client, 'while19');
  // The stream about the past has ended, and the other one goes on.
  await expect.poll(() => engine.world.listeners.size, { timeout: 20_000 }).toBe(1);
  for (let i = 0; i < 20; i++) happen(engine, `nsa.after${i}`);
  told += await until(client, 'after19');
  const names = ['before', 'while', 'after'].flatMap((word) => Array.from({ length: 20 }, (_, i) => `${word}${i}`));
  expect([...told.matchAll(/"ID":"(\w+)"/g)].map(([, name]) => name)).toEqual(names);
  client.destroy();
});

test('who reads slowly is cut off, and nobody else notices', async () => {
  const { engine, berthgate } = await begin();
  const slow = await listen(berthgate.socket);
  slow.socket.pause();
  const quick = await listen(berthgate.socket);
  const text = 'x'.repeat(16_384);
  const reading = until(quick, 'last');
  // More than the limit and all that the kernel takes of a client that does not read.
  for (let i = 0; i < 800; i++) {
    happen(engine, `nsa.event${i}`, text);
    if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  happen(engine, 'nsa.last');
  const told = await reading;
  expect([...told.matchAll(/"ID":"event\d+"/g)]).toHaveLength(800);
  await expect
    .poll(() => berthgate.log().filter(({ refusal }) => refusal === 'slow-reader').length, { timeout: 20_000 })
    .toBe(1);
  slow.socket.resume();
  // Never a clean end of what is not whole.
  await expect(until(slow, 'last')).rejects.toThrow();
  slow.destroy();
  quick.destroy();
});

test('a stream ends as the engine ends its own: cleanly when it shuts down, broken when it dies', async () => {
  const { engine, berthgate } = await begin();
  const client = await listen(berthgate.socket);
  for (const end of [...engine.world.eventStreams]) end();
  expect(await client.chunk()).toBeNull();
  const second = await listen(berthgate.socket);
  await engine.die();
  await expect(second.chunk()).rejects.toThrow();
  expect((await ask(berthgate.socket, 'GET', '/v1.51/events')).status).toBe(503);
  await engine.listen();
  const third = await listen(berthgate.socket);
  happen(engine, 'nsa.again');
  await until(third, 'again');
  third.destroy();
});

test('a time that cannot be read, or an end before the beginning, is refused', async () => {
  const { berthgate } = await begin();
  for (const query of ['?since=yesterday', '?until=1.', '?since=20&until=10']) {
    const answer = await ask(berthgate.socket, 'GET', `/v1.51/events${query}`);
    expect([answer.status, answer.header('berthgate-refusal')]).toEqual([400, 'unreadable-query']);
  }
});
