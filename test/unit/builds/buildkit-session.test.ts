// What a client offers to its builds, where the client does not keep to what is usual.
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Frontends } from '../../../src/builds/buildkit/asked-frontend.ts';
import { bridgeSession } from '../../../src/builds/buildkit/session.ts';

const open: net.Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Both ends of a connection. */
async function connected(): Promise<readonly [net.Socket, net.Socket]> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const one = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [other] = (await accepted) as [net.Socket];
  server.close();
  for (const socket of [one, other]) socket.on('error', () => {});
  open.push(one, other);
  return [one, other];
}

/** The engine's side of a session, and the other end of the client's. */
async function bridged(): Promise<{ readonly engine: http2.ClientHttp2Session; readonly client: net.Socket }> {
  const [clientEnd, client] = await connected();
  const [engineEnd, engine] = await connected();
  void bridgeSession(clientEnd, engineEnd, () => () => {}, new Frontends([]));
  const session = http2.connect('http://localhost', { createConnection: () => engine });
  session.on('error', () => {});
  return { engine: session, client };
}

const call = (engine: http2.ClientHttp2Session, path: string): http2.ClientHttp2Stream => {
  const stream = engine.request({ ':method': 'POST', ':path': path });
  stream.on('error', () => {});
  return stream;
};

const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const SETTINGS = frame(4, 0, 0, Buffer.alloc(0));
const HEADERS = 1;
const END_HEADERS = 4;
const END_STREAM = 1;
/** HPACK: a literal with a new name, and `:status: 200` of the table. */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const OK = Buffer.from([0x88]);

test('a client that has said goodbye while a call runs is asked no more', async () => {
  const { engine, client } = await bridged();
  const session = http2.performServerHandshake(client);
  session.on('error', () => {});
  const asked = new Promise<http2.ServerHttp2Stream>((resolve) => session.on('stream', resolve));
  call(engine, '/first');
  const first = await asked;
  first.on('error', () => {});
  session.goaway(0);
  // What has come back behind the goodbye: the other side has read it.
  await new Promise((resolve) => session.ping(() => resolve(null)));
  const [headers] = (await once(call(engine, '/second'), 'response')) as [http2.IncomingHttpHeaders];
  expect(headers['grpc-status']).toBe('14');
});

test.each([
  ['answers', Buffer.concat([OK, field('http2-settings', 'x')]), null],
  ['ends its answer', OK, field('http2-settings', 'x')],
])('a client that %s with a field that HTTP/2 has no place for ends nobody but itself', async (_, head, trailers) => {
  const { engine, client } = await bridged();
  client.write(SETTINGS);
  client.once('data', () => {
    client.write(frame(HEADERS, END_HEADERS, 1, head));
    if (trailers !== null) client.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers));
  });
  const stream = call(engine, '/first');
  stream.end();
  const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  expect(answer).toMatchObject({ ':status': 200 });
  expect(answer['http2-settings']).toBeUndefined();
  if (trailers === null) return;
  stream.resume();
  await once(stream, 'end');
});
