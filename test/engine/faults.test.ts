// An engine that goes wrong, as a client sees it through Berthgate: a status and a message in Docker's form, or a stream
// that is visibly broken; never a short answer that looks whole. And the next call works.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reasons } from '../../src/ground/refusal.ts';
import { FakeEngine } from './fake-engine.ts';
import { EARLY_MESSAGE, type Fault, GOOD_ANSWER } from './faults.ts';
import { type InProcess, serveInFrontOf } from './in-process.ts';
import { ask, RawClient, requestBytes, type WholeAnswer } from './raw-client.ts';

let engine: FakeEngine;
let berthgate: InProcess;

beforeAll(async () => {
  engine = await FakeEngine.start({ tableOnly: true });
  berthgate = await serveInFrontOf(engine.host);
});
afterAll(async () => {
  const log = berthgate.log();
  await berthgate.stop();
  await engine.stop();
  expect(log.filter(({ level, refusal }) => level === 'error' || refusal === 'own-fault')).toEqual([]);
});

const ALONE = '/v1.51/containers/web/json';
const SHARED = '/v1.51/containers/json';
const LINES = '/v1.51/containers/web/stats';

function expectRefusal(answer: WholeAnswer, code: keyof typeof reasons): void {
  expect([answer.header('berthgate-refusal'), answer.status]).toEqual([code, reasons[code].status]);
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.json()).toEqual({ message: expect.stringMatching(/^berthgate: the (engine|answer of the engine) /) });
}

async function expectNextWorks(client?: RawClient): Promise<void> {
  if (client !== undefined && !client.ended) {
    client.send(requestBytes('GET', ALONE));
    expect((await client.answer()).status).toBe(200);
  }
  for (const path of [ALONE, SHARED, LINES]) expect((await ask(berthgate.socket, 'GET', path)).status).toBe(200);
}

describe.each([
  ['a call', ALONE],
  ['a call that several share', SHARED],
  ['a stream', LINES],
])('%s', (_, path) => {
  test.each<[Fault, keyof typeof reasons]>([
    ['reset-before-head', 'engine-reset'],
    ['end-before-head', 'engine-reset'],
    ['half-head', 'engine-garbage'],
    ['garbage-head', 'engine-garbage'],
    ['doubled-length', 'engine-garbage'],
    ['length-and-chunks', 'engine-garbage'],
    ['bare-line-feeds', 'engine-garbage'],
    ['unasked-upgrade', 'engine-garbage'],
  ])('that meets %s is answered %s', async (fault, code) => {
    engine.fault = ({ endpoint }) => (endpoint?.risk === 'ping' ? null : fault);
    const client = await RawClient.connect(berthgate.socket);
    client.send(requestBytes('GET', path));
    expectRefusal(await client.answer(), code);
    engine.fault = () => null;
    await expectNextWorks(client);
    client.destroy();
  });

  test.each<Fault>(['byte-by-byte', 'informational', 'bytes-behind'])(
    'that meets %s gets its answer, and nothing else',
    async (fault) => {
      engine.failOnce(fault);
      const client = await RawClient.connect(berthgate.socket);
      client.send(requestBytes('GET', path));
      const answer = await client.answer();
      expect([answer.status, answer.text]).toEqual([200, GOOD_ANSWER]);
      await expectNextWorks(client);
      expect(client.unread.length).toBe(0);
      client.destroy();
    },
  );
});

describe('an answer that breaks off', () => {
  const broken: readonly Fault[] = ['reset-after-head', 'truncated', 'truncated-chunks', 'garbage-chunk'];

  test.each([ALONE, LINES].flatMap((path) => broken.map((fault) => [path, fault] as const)))(
    'is seen to break off: %s %s',
    async (path, fault) => {
      engine.failOnce(fault);
      const client = await RawClient.connect(berthgate.socket);
      client.send(requestBytes('GET', path));
      // Where the fault was seen before the head had left, an error is the better answer.
      const head = await client.head();
      if (head.status === 502) expect(head.header('berthgate-refusal')).toBe('engine-garbage');
      else await expect(client.body(head)).rejects.toThrow(/the connection ended/);
      await expectNextWorks();
      client.destroy();
    },
  );

  test.each(broken)('is no answer at all to those who share it: %s', async (fault) => {
    engine.failOnce(fault);
    const answer = await ask(berthgate.socket, 'GET', SHARED);
    expect(answer.status).toBe(502);
    expect(['engine-garbage', 'engine-reset']).toContain(answer.header('berthgate-refusal'));
    await expectNextWorks();
  });
});

describe('a kept connection that the engine has given up', () => {
  const targets = (): readonly string[] => engine.received.map(({ request }) => request.target);

  test.each([ALONE, SHARED, LINES])(
    'costs a call that does no harm nothing: it is asked again, once (%s)',
    async (path) => {
      await expectNextWorks();
      engine.received.length = 0;
      engine.failOnce('end-before-head');
      expect((await ask(berthgate.socket, 'GET', path)).status).toBe(200);
      expect(targets()).toEqual([path, path]);
    },
  );

  test.each([
    ['POST', '/v1.51/containers/web/start', {}],
    ['DELETE', '/v1.51/containers/web', {}],
    ['POST', '/v1.51/containers/create', { body: {} }],
  ])('never makes a call twice that changes something: %s %s', async (method, path, given) => {
    await expectNextWorks();
    engine.received.length = 0;
    engine.failOnce('end-before-head');
    expectRefusal(await ask(berthgate.socket, method, path, given), 'engine-reset');
    expect(targets()).toEqual([path]);
    await expectNextWorks();
  });
});

describe('an upload', () => {
  const PATH = '/v1.51/images/load';

  test.each<Fault>(['early-answer', 'early-answer-then-reset'])(
    'whose %s comes while it is on its way is told it',
    async (fault) => {
      engine.failOnce(fault);
      const client = await RawClient.connect(berthgate.socket);
      client.send(`POST ${PATH} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 1), Buffer.from('\r\n')]);
      // As a client does that looks for an answer only when it has sent everything.
      for (let sent = 0; sent < 40; sent++) client.send(chunk);
      client.send('0\r\n\r\n');
      const answer = await client.answer();
      expect([answer.status, answer.json()]).toEqual([500, { message: EARLY_MESSAGE }]);
      await expectNextWorks();
      client.destroy();
    },
  );

  test('that the engine drops without a word is told so', async () => {
    engine.failOnce('reset-before-head');
    const client = await RawClient.connect(berthgate.socket);
    client.send(`POST ${PATH} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`);
    expectRefusal(await client.answer(), 'engine-reset');
    await expectNextWorks();
    client.destroy();
  });

  test('that the client breaks off does not look whole to the engine', async () => {
    engine.received.length = 0;
    const client = await RawClient.connect(berthgate.socket);
    client.send(`POST ${PATH} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`);
    const { request } = await engine.receives(({ endpoint }) => endpoint?.id === 'ImageLoad');
    client.destroy();
    await expect(request.body).rejects.toThrow();
    await expectNextWorks();
  });
});

describe('an upgrade', () => {
  const attach = requestBytes('POST', '/v1.51/containers/web/attach?stream=1', {
    headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
  });

  test.each<[Fault, keyof typeof reasons]>([
    ['reset-before-head', 'engine-reset'],
    ['end-before-head', 'engine-reset'],
    ['garbage-head', 'engine-garbage'],
  ])('that meets %s is answered %s, and becomes no tunnel', async (fault, code) => {
    engine.received.length = 0;
    engine.failOnce(fault);
    const client = await RawClient.connect(berthgate.socket);
    client.send(Buffer.concat([attach, Buffer.from('typed ahead\n')]));
    expectRefusal(await client.answer(), code);
    await client.toEnd();
    await expectNextWorks();
    client.destroy();
  });

  test('that the engine refuses is told its answer, and what was typed ahead reaches nobody', async () => {
    engine.received.length = 0;
    engine.failOnce('early-answer');
    const client = await RawClient.connect(berthgate.socket);
    client.send(
      Buffer.concat([attach, Buffer.from('POST /v1.51/containers/smuggled/kill HTTP/1.1\r\nHost: d\r\n\r\n')]),
    );
    const answer = await client.answer();
    expect([answer.status, answer.json()]).toEqual([500, { message: EARLY_MESSAGE }]);
    // They were bytes of a stream that never was: a client that upgrades has nothing more to ask on this connection.
    await client.toEnd();
    await expectNextWorks();
    expect(engine.received.filter(({ request }) => request.target.includes('smuggled'))).toEqual([]);
    client.destroy();
  });

  test('whose engine dies ends on both sides', async () => {
    const client = await RawClient.connect(berthgate.socket);
    client.send(attach);
    await client.head();
    await client.until('hijacked\n');
    await engine.restart();
    await client.toEnd();
    client.destroy();
    await expectNextWorks();
  });
});

describe('an engine that is not there', () => {
  test('is told to be away, and calls work again when it is back', async () => {
    await engine.die();
    for (const path of [ALONE, SHARED, LINES, '/_ping', '/version']) {
      expectRefusal(await ask(berthgate.socket, 'GET', path), 'engine-refused');
    }
    await engine.listen();
    await expectNextWorks();
  });

  test('has come back as a newer one: its versions are asked for again', async () => {
    await engine.restart();
    await expectNextWorks();
  });

  test('breaks the streams that ran, visibly', async () => {
    engine.fault = ({ endpoint, request }) => {
      if (endpoint?.id !== 'SystemEvents') return null;
      request.stream({ status: 200 }).write('{"Type":"first"}\n');
      return 'silence';
    };
    const client = await RawClient.connect(berthgate.socket);
    client.send(requestBytes('GET', '/v1.51/events'));
    const head = await client.head();
    expect((await client.chunk())?.toString()).toBe('{"Type":"first"}\n');
    engine.fault = () => null;
    await engine.restart();
    await expect(client.body(head)).rejects.toThrow(/the connection ended/);
    await expectNextWorks();
    client.destroy();
  });

  test('keeps nobody waiting who has gone: its side of the call ends too', async () => {
    engine.received.length = 0;
    engine.failOnce('silence');
    const client = await RawClient.connect(berthgate.socket);
    client.send(requestBytes('GET', ALONE));
    const { request } = await engine.receives(({ endpoint }) => endpoint?.id === 'ContainerInspect');
    client.destroy();
    await request.gone;
    await expectNextWorks();
  });
});
