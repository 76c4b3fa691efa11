// A connection to BuildKit, with an engine whose connections are seen.
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { BuildkitMediation } from '../../../src/builds/buildkit/mediation.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { asItIs, type InnerCall, type MediatedConnection } from '../../../src/exchange/mediation.ts';
import { Channel } from '../../../src/wire/channel.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import type { TunnelEnd } from '../../../src/wire/tunnel.ts';

const open: net.Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** An end as it is handed over, and the socket at its other end. */
async function tunnel(): Promise<{ end: TunnelEnd; far: net.Socket }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const far = net.connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const [near] = await accepted;
  server.close();
  open.push(near, far);
  const user = { onBytes() {}, onEof() {}, onFlushed() {}, onClosed() {} };
  const channel = Channel.accept(near, user, new ReadBuffers());
  channel.pause();
  return { end: { channel, bytes: Buffer.alloc(0) }, far };
}

test('a session that its client has given up before the engine took it is ended at the engine', async () => {
  const [client, engine, offered] = [await tunnel(), await tunnel(), await tunnel()];
  const given = [engine.end, offered.end];
  let give: () => void = () => {};
  const mayCarry = new Promise<void>((resolve) => {
    give = resolve;
  });
  const connection = {
    exchange: { upgrade: () => client.end },
    engine: {
      api: async () => ({ newest: 50 }),
      pool: {
        send: (_: unknown, { onUpgrade }: { onUpgrade(head: null, end: TunnelEnd): void }) =>
          onUpgrade(null, given.shift() as TunnelEnd),
      },
    },
    request: {},
    sessionRequest: () => ({}),
    offers: () => () => {},
    async serve(inner: InnerCall) {
      await mayCarry;
      return inner.carry(asItIs({ headers: {} } as unknown as Call), []).then(
        () => null,
        (fault: Error) => fault.message,
      );
    },
  } as unknown as MediatedConnection;
  const ended = new BuildkitMediation({ buildTimeMs: null, frontends: [] }).mediate(connection);
  const session = http2.connect('http://localhost', { createConnection: () => client.far });
  session.on('error', () => {});
  const call = session.request(
    { ':method': 'POST', ':path': '/moby.buildkit.v1.Control/Session' },
    { endStream: false },
  );
  call.on('error', () => {}).write('x');
  await once(session, 'remoteSettings');
  call.close(http2.constants.NGHTTP2_NO_ERROR);
  // What was said before it has been heard by then.
  await new Promise((resolve) => session.ping(resolve));
  const closed = once(offered.far.resume(), 'close');
  give();
  expect(await closed).toBeDefined();
  for (const { far } of [client, engine]) far.destroy();
  await ended;
});

test('a client is told goodbye where nobody is accepted any more, and none of its calls is cut', async () => {
  const [client, engine] = [await tunnel(), await tunnel()];
  const begun: http2.ServerHttp2Stream[] = [];
  const connection = {
    exchange: { upgrade: () => client.end },
    engine: {
      api: async () => ({ newest: 50 }),
      pool: {
        send: (_: unknown, { onUpgrade }: { onUpgrade(head: null, end: TunnelEnd): void }) =>
          onUpgrade(null, engine.end),
      },
    },
    request: {},
    offers: null,
    serve: (inner: InnerCall) =>
      inner.carry(asItIs({ headers: {}, endpoint: inner.endpoint, body: {} } as unknown as Call), []).then(() => null),
  } as unknown as MediatedConnection;
  http2.performServerHandshake(engine.far).on('stream', (stream: http2.ServerHttp2Stream) => begun.push(stream));
  const ended = new BuildkitMediation({ buildTimeMs: null, frontends: [] }).mediate(connection);
  const session = http2.connect('http://localhost', { createConnection: () => client.far });
  const farewells: number[] = [];
  session.on('goaway', (code) => farewells.push(code));
  const call = session.request({ ':method': 'POST', ':path': '/moby.buildkit.v1.Control/ListWorkers' });
  call.end(Buffer.alloc(5));
  while (begun.length === 0) await new Promise((resolve) => session.ping(resolve));
  client.end.channel.onLeave?.();
  await new Promise((resolve) => session.ping(resolve));
  expect(farewells).toEqual([]);
  begun[0]?.respond({ ':status': 200 }, { endStream: true });
  const [answer] = await once(call.resume(), 'response');
  expect(answer[':status']).toBe(200);
  await once(call, 'close');
  client.end.channel.onLeave?.();
  await once(session, 'close');
  expect(farewells).toEqual([0]);
  await ended;
});
