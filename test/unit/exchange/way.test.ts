// The way of a call whose client goes away before it is known who that is, and of one whose answer cannot be told.

import { expect, onTestFinished, test } from 'vitest';
import { DockerEngine } from '../../../src/engines/docker-engine.ts';
import type { Identity } from '../../../src/exchange/identity.ts';
import type { Verdict } from '../../../src/exchange/policy.ts';
import type { CallRecord } from '../../../src/exchange/recorder.ts';
import { translatingFaults } from '../../../src/exchange/translate-faults.ts';
import { Way, type WayOptions } from '../../../src/exchange/way.ts';
import type { AnswerHead } from '../../../src/wire/message.ts';
import type { EnginePool } from '../../../src/wire/outbound.ts';
import type { OutboundCall } from '../../../src/wire/outbound-call.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { FakeEngine } from '../../engine/fake-engine.ts';
import { dial, get, post, serve, until } from '../wire/talk.ts';

const peer = { transport: 'unix', address: null } as const;
const somebody: Identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };

async function served(options: Pick<WayOptions, 'authenticators' | 'policies'>) {
  const engine = await FakeEngine.start({ tableOnly: true });
  const docker = new DockerEngine({
    name: 'local',
    url: { kind: 'unix', path: engine.socket },
    buffers: new ReadBuffers(),
  });
  const records: CallRecord[] = [];
  const way = new Way({
    listener: 'people',
    engine: docker,
    limits: { jsonBytes: 1000, jsonDepth: 10 },
    recorder: { callEnded: (record) => records.push(record), streamOpened: () => {}, streamClosed: () => {} },
    ...options,
  });
  const { port, closed } = await serve((exchange) => void way.serve(exchange, peer));
  onTestFinished(async () => {
    docker.close();
    await engine.stop();
  });
  await docker.api();
  engine.received.length = 0;
  return { engine, port, closed, records };
}

/** Identities are given one by one. */
async function slowlyIdentified() {
  const waiting: ((identity: Identity) => void)[] = [];
  const identify = (): Promise<Identity> => new Promise((resolve) => void waiting.push(resolve));
  const authenticators = [{ name: 'slow', challenge: null, identify }];
  return { ...(await served({ authenticators, policies: [] })), waiting };
}

test.each([
  ['a stream that does not end by itself', get('/v1.51/events')],
  ['an answer that others may share', get('/v1.51/containers/json')],
  ['an answer that passes as it is', get('/v1.51/info')],
  ['an upload', post('/v1.51/images/create?fromSrc=-&repo=app', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n')],
  [
    'a body that is optional',
    post('/v1.51/containers/web/start', 'Content-Type: application/json\r\nContent-Length: 9\r\n', '{'),
  ],
])('whose client goes away before that does not reach the engine: %s', async (_, request) => {
  const { engine, port, closed, waiting, records } = await slowlyIdentified();
  const talk = await dial(port);
  talk.say(request);
  await until(() => waiting.length === 1);
  talk.socket.resetAndDestroy();
  await until(() => closed.length === 1);
  waiting[0]?.(somebody);
  await until(() => records.length === 1);
  expect(records[0]?.status).toBe(0);

  // The control: who stays is answered, and the engine was asked by nobody else.
  const other = await dial(port);
  other.say(get('/v1.51/version'));
  await until(() => waiting.length === 2);
  waiting[1]?.(somebody);
  await other.hears('200 OK');
  expect(engine.received.map(({ endpoint }) => endpoint?.id)).toEqual(['SystemVersion']);
});

const broken = (): never => {
  throw new Error('broken');
};
const judged: readonly (readonly [string, string, Partial<Verdict>])[] = [
  ['shown', '/v1.51/info', { show: broken }],
  ['shown to several', '/v1.51/containers/json', { show: broken }],
  ['heard', '/v1.51/info', { onAnswer: broken }],
  ['heard, and then shown', '/v1.51/info', { onAnswer: async () => {}, show: broken }],
];

test.each(judged)('an answer that a policy fails on is a fault of that call alone: %s', async (_, path, verdict) => {
  const { port, records } = await served({
    authenticators: [{ name: 'all', challenge: null, identify: () => somebody }],
    policies: [{ name: 'fails', judge: (call) => ({ call, rule: 'r', changes: [], ...verdict }) }],
  });
  const talk = await dial(port);
  talk.say(get(path));
  await talk.hears(/^HTTP\/1\.1 500 .*a fault of Berthgate itself/s);
  expect(records[0]?.refusal?.cause).toEqual(new Error('broken'));
});

test('a refusal of the engine that cannot be told is a fault of that call alone', () => {
  const head = { status: 404, reason: '', headers: [], framing: { kind: 'none' } } as unknown as AnswerHead;
  const call: OutboundCall = { body: null, resume: () => {}, abort: () => {} };
  const pool: Pick<EnginePool, 'send'> = {
    send: (_, events) => {
      events.onHead(head, Buffer.from('{}'), true);
      return call;
    },
  };
  const faults: Error[] = [];
  const events = { onHead: broken, onData: broken, onEnd: broken, onUpgrade: broken };
  const request = { method: 'GET', target: '/', headers: [], body: null, upgrade: null };
  translatingFaults(pool, broken).send(request, { ...events, onFault: (fault) => void faults.push(fault) });
  expect(faults.map(({ cause }) => cause)).toEqual([new Error('broken')]);
});
