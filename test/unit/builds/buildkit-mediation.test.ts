// A connection to BuildKit, with an engine whose connections are seen.
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { framed } from '../../../src/builds/buildkit/grpc.ts';
import { BuildkitMediation } from '../../../src/builds/buildkit/mediation.ts';
import { own } from '../../../src/docker/marks.ts';
import { printMessage } from '../../../src/docker/protobuf.ts';
import { message, text } from '../../../src/docker/shape.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { asItIs, type MediatedConnection } from '../../../src/exchange/mediation.ts';
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

interface Mediated {
  readonly session: http2.ClientHttp2Session;
  /** The engine's end of the connections that it was asked for. */
  readonly engines: readonly net.Socket[];
  /** Nobody is accepted any more. */
  leave(): void;
  readonly ended: Promise<void>;
  end(): Promise<void>;
}

/** A client whose calls are served so; the engine gives as many connections. */
async function mediated(
  serve: MediatedConnection['serve'],
  {
    connections = 1,
    bodyTimeoutMs = 60_000,
    newest = 50,
  }: { connections?: number; bodyTimeoutMs?: number; newest?: number } = {},
): Promise<Mediated> {
  const client = await tunnel();
  const engines = await Promise.all(Array.from({ length: connections }, tunnel));
  const given = engines.map(({ end }) => end);
  const connection = {
    exchange: { upgrade: () => client.end },
    engine: {
      api: async () => ({ newest }),
      pool: {
        send: (_: unknown, { onUpgrade }: { onUpgrade(head: null, end: TunnelEnd): void }) =>
          onUpgrade(null, given.shift() as TunnelEnd),
      },
    },
    request: {},
    sessionRequest: () => ({}),
    offers: () => () => {},
    serve,
  } as unknown as MediatedConnection;
  const ended = new BuildkitMediation({ buildTimeMs: null, frontends: [], bodyTimeoutMs }).mediate(connection);
  const session = http2.connect('http://localhost', { createConnection: () => client.far });
  session.on('error', () => {});
  await once(session, 'remoteSettings');
  return {
    session,
    engines: engines.map(({ far }) => far),
    leave: () => client.end.channel.onLeave?.(),
    ended,
    async end() {
      for (const far of [client.far, ...engines.map((one) => one.far)]) far.destroy();
      await ended;
    },
  };
}

function call(session: http2.ClientHttp2Session, method: string): http2.ClientHttp2Stream {
  const path = `/moby.buildkit.v1.Control/${method}`;
  const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false });
  stream.on('error', () => {});
  return stream;
}

const faultOf = (doing: Promise<unknown>): Promise<string | null> =>
  doing.then(
    () => null,
    (fault: Error) => fault.message,
  );

test('a session that its client has given up before the engine took it is ended at the engine', async () => {
  let give: () => void = () => {};
  const mayCarry = new Promise<void>((resolve) => {
    give = resolve;
  });
  const { session, engines, end } = await mediated(
    async (inner) => {
      await mayCarry;
      return faultOf(inner.carry(asItIs({ headers: {} } as unknown as Call), []));
    },
    { connections: 2 },
  );
  const offer = call(session, 'Session');
  offer.write('x');
  await new Promise((resolve) => session.ping(resolve));
  offer.close(http2.constants.NGHTTP2_NO_ERROR);
  // What was said before it has been heard by then.
  await new Promise((resolve) => session.ping(resolve));
  const closed = once((engines[1] as net.Socket).resume(), 'close');
  give();
  expect(await closed).toBeDefined();
  await end();
});

const toldOf = async (stream: http2.ClientHttp2Stream): Promise<string> => {
  const [headers] = (await once(stream.resume(), 'response')) as [http2.IncomingHttpHeaders];
  return decodeURIComponent(String(headers['grpc-message']));
};

test('calls of which nobody says the end hold no more than two of the largest messages together', async () => {
  let read = 0;
  const { session, end } = await mediated(async (inner) => {
    const fault = await faultOf(inner.read());
    if (fault === null) read++;
    return fault ?? 'read';
  });
  const begun = Buffer.alloc(8 << 20);
  begun.writeUInt32BE(16 << 20, 1);
  const held = Array.from({ length: 5 }, () => call(session, 'Solve'));
  const told = held.map(toldOf);
  for (const stream of held) stream.write(begun);
  expect(await Promise.race(told)).toContain('more than 32 MiB at a time');
  for (const stream of held) stream.close(http2.constants.NGHTTP2_CANCEL);
  await Promise.all(held.map((stream) => stream.destroyed || once(stream, 'close')));
  // The control: what they have held is free again, for a message as large as any.
  const after = call(session, 'Solve');
  after.end(framed(printMessage(message({ Ref: [1, text(own)] }), { Ref: 'a'.repeat((16 << 20) - 10) })));
  expect(await toldOf(after)).toBe('read');
  expect(read).toBe(1);
  await end();
});

test('a message that does not come in time is waited for no longer, and its client is told', async () => {
  const { session, end } = await mediated(async (inner) => faultOf(inner.read()), { bodyTimeoutMs: 50 });
  const slow = call(session, 'Solve');
  slow.write('\0');
  expect(await toldOf(slow)).toContain('did not arrive within 50 ms');
  await end();
});

test('a client is told goodbye where nobody is accepted any more, and none of its calls is cut', async () => {
  const begun: http2.ServerHttp2Stream[] = [];
  const { session, engines, leave, ended } = await mediated((inner) =>
    inner.carry(asItIs({ headers: {}, endpoint: inner.endpoint, body: {} } as unknown as Call), []).then(() => null),
  );
  http2
    .performServerHandshake(engines[0] as net.Socket)
    .on('stream', (stream: http2.ServerHttp2Stream) => begun.push(stream));
  const farewells: number[] = [];
  session.on('goaway', (code) => farewells.push(code));
  const listing = call(session, 'ListWorkers');
  listing.end(Buffer.alloc(5));
  while (begun.length === 0) await new Promise((resolve) => session.ping(resolve));
  leave();
  await new Promise((resolve) => session.ping(resolve));
  expect(farewells).toEqual([]);
  begun[0]?.respond({ ':status': 200 }, { endStream: true });
  const [answer] = await once(listing.resume(), 'response');
  expect(answer[':status']).toBe(200);
  await once(listing, 'close');
  leave();
  await once(session, 'close');
  expect(farewells).toEqual([0]);
  await ended;
});

test('why a call is refused is told also where that would be longer than any field, in whole characters', async () => {
  const unit = 'é"€😀';
  const whys = Array.from(encodeURIComponent(unit), (_, before) => 'a'.repeat(before) + unit.repeat(10_000));
  const left = [...whys];
  const { session, end } = await mediated(async () => left.shift() as string);
  for (const why of whys) {
    const told = await toldOf(call(session, 'Solve'));
    expect(told.length).toBeGreaterThan(4000);
    expect(why.startsWith(told)).toBe(true);
  }
  await end();
});

test('who resets its call to an engine that is too old harms nobody else', async () => {
  const { session, engines, ended } = await mediated(async () => null, { newest: 41 });
  const reset = call(session, 'Solve');
  reset.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  expect(await toldOf(call(session, 'Info'))).toContain('too old for BuildKit');
  session.destroy();
  await ended;
  for (const engine of engines) engine.destroy();
});
