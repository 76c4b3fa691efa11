// The way of a call whose client goes away before it is known who that is.

import { expect, onTestFinished, test } from 'vitest';
import { DockerEngine } from '../../../src/engines/docker-engine.ts';
import type { Identity } from '../../../src/exchange/identity.ts';
import type { CallRecord } from '../../../src/exchange/recorder.ts';
import { Way } from '../../../src/exchange/way.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { FakeEngine } from '../../engine/fake-engine.ts';
import { dial, get, post, serve, until } from '../wire/talk.ts';

const peer = { transport: 'unix', address: null } as const;
const somebody: Identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };

/** Identities are given one by one. */
async function slowlyIdentified() {
  const engine = await FakeEngine.start({ tableOnly: true });
  const docker = new DockerEngine({
    name: 'local',
    url: { kind: 'unix', path: engine.socket },
    buffers: new ReadBuffers(),
  });
  const waiting: ((identity: Identity) => void)[] = [];
  const records: CallRecord[] = [];
  const way = new Way({
    listener: 'people',
    authenticators: [
      { name: 'slow', challenge: null, identify: () => new Promise((resolve) => void waiting.push(resolve)) },
    ],
    policies: [],
    engine: docker,
    limits: { jsonBytes: 1000, jsonDepth: 10 },
    recorder: { callEnded: (record) => records.push(record), streamOpened: () => {}, streamClosed: () => {} },
  });
  const { port, closed } = await serve((exchange) => void way.serve(exchange, peer));
  onTestFinished(async () => {
    docker.close();
    await engine.stop();
  });
  await docker.api();
  engine.received.length = 0;
  return { engine, port, closed, waiting, records };
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
