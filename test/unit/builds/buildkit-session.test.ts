// What a client offers to its builds, as the engine and Berthgate have it.
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { Frontends } from '../../../src/builds/buildkit/asked-frontend.ts';
import { framed } from '../../../src/builds/buildkit/grpc.ts';
import { bridgeSession } from '../../../src/builds/buildkit/session.ts';
import { printMessage } from '../../../src/docker/protobuf.ts';
import { credentialsResponse, filePacket } from '../../../src/docker/shapes/buildkit.ts';
import type { Offer } from '../../../src/exchange/mediation.ts';
import { StreamEnd } from '../../../src/wire/h2/stream-end.ts';

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

const opened = (socket: net.Socket) => ({ channel: new StreamEnd(socket), bytes: Buffer.alloc(0) });

interface Bridged {
  readonly engine: http2.ClientHttp2Session;
  readonly client: http2.ServerHttp2Session;
  /** What Berthgate itself has from the client. */
  readonly offer: Offer;
  /** With why, where it did not just end. */
  readonly ended: Promise<string | null>;
}

/** The engine's side of a session, and the client's, which gives room as BuildKit's clients do. */
async function bridged(windowBytes = 65_535): Promise<Bridged> {
  const [clientEnd, clientSocket] = await connected();
  const [engineEnd, engineSocket] = await connected();
  let offer: Offer | null = null;
  const offered = (one: Offer): (() => void) => {
    offer = one;
    return () => {};
  };
  const bridging = bridgeSession(opened(clientEnd), opened(engineEnd), offered, new Frontends(['docker/dockerfile']));
  const ended = bridging.then(
    () => null,
    (fault: Error) => fault.message,
  );
  const client = http2.performServerHandshake(clientSocket);
  client.setLocalWindowSize(1 << 20);
  const engine = http2.connect('http://localhost', {
    createConnection: () => engineSocket,
    settings: { initialWindowSize: windowBytes },
  });
  for (const session of [client, engine]) session.on('error', () => {});
  await once(engine, 'remoteSettings');
  engine.setLocalWindowSize(windowBytes);
  if (offer === null) throw new Error('nothing is offered');
  return { engine, client, offer, ended };
}

type Answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

function serve(client: http2.ServerHttp2Session, answer: Answer): void {
  client.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => {});
    answer(stream, headers);
  });
}

function call(engine: http2.ClientHttp2Session, path: string, more: object = {}): http2.ClientHttp2Stream {
  const stream = engine.request({ ':method': 'POST', ':path': path, ...more });
  stream.on('error', () => {});
  stream.end();
  return stream;
}

const FILES = '/moby.filesync.v1.FileSync/DiffCopy';
const packet = (fields: object): Buffer => framed(printMessage(filePacket, fields as never));

test('the engine asks for no credentials, and Berthgate has them from the client', async () => {
  const { engine, client, offer } = await bridged();
  const asked: string[] = [];
  serve(client, (stream, headers) => {
    asked.push(String(headers[':path']));
    stream.respond({ ':status': 200 });
    stream.end(framed(printMessage(credentialsResponse, { Username: 'alice', Secret: 'of alice' })));
  });
  const [headers] = (await once(call(engine, '/moby.filesync.v1.Auth/Credentials'), 'response')) as [
    http2.IncomingHttpHeaders,
  ];
  expect(headers['grpc-status']).toBe('12');
  await buffer(call(engine, '/first'));
  expect(await offer.credentials('registry.example.org')).toEqual({
    kind: 'password',
    username: 'alice',
    password: 'of alice',
  });
  expect(asked).toEqual(['/first', '/moby.filesync.v1.Auth/Credentials']);
});

test('a client that has said goodbye is asked no more', async () => {
  const { engine, client, offer } = await bridged();
  const goodbye = once(engine, 'goaway');
  client.goaway(0);
  await goodbye;
  expect(await offer.credentials('registry.example.org')).toBeNull();
});

test.each([
  ['in one piece', 100_000],
  ['in pieces', 3],
])('a Dockerfile that asks for a frontend which is not served ends its transfer: %s', async (_, size) => {
  const { engine, client } = await bridged();
  serve(client, async (stream, headers) => {
    stream.respond({ ':status': 200 });
    const syntax = headers['dir-name'] === 'dockerfile' ? String(headers.syntax) : 'evil/x';
    const bytes = Buffer.concat([
      packet({ Type: 2, ID: 1, Data: `# syntax=${syntax}\nFROM x\n` }),
      packet({ Type: 3 }),
    ]);
    for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
    stream.end();
  });
  const transfer = async (more: object): Promise<{ bytes: number; status: unknown; said: string }> => {
    const stream = call(engine, FILES, more);
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on('trailers', (fields) => {
      trailers = fields;
    });
    const { length } = await buffer(stream);
    return {
      bytes: length,
      status: trailers['grpc-status'],
      said: decodeURIComponent(String(trailers['grpc-message'])),
    };
  };
  expect(await transfer({ 'dir-name': 'dockerfile', syntax: 'evil/x' })).toEqual({
    bytes: 0,
    status: '7',
    said: expect.stringContaining('# syntax=evil/x is not served here'),
  });
  expect((await transfer({ 'dir-name': 'dockerfile', syntax: 'docker/dockerfile:1' })).bytes).toBeGreaterThan(40);
  expect((await transfer({ 'dir-name': 'context', syntax: '' })).bytes).toBeGreaterThan(40);
});

test('a name of a frontend without end ends its transfer, or its session, and nobody else is harmed', async () => {
  const { engine, client, ended: over } = await bridged(32 << 20);
  const asking = (bytes: number): Buffer => packet({ Type: 2, ID: 1, Data: `# syntax=${'%'.repeat(bytes)}\n` });
  serve(client, (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(asking(Number(headers.length)));
  });
  const ended = call(engine, FILES, { 'dir-name': 'dockerfile', length: '100000' });
  const [trailers] = (await once(ended.resume(), 'trailers')) as [http2.IncomingHttpHeaders];
  expect(trailers['grpc-status']).toBe('7');
  expect(String(trailers['grpc-message'])).toContain('is not served here');
  // Spelled as gRPC has it, it would be of more than any frame holds.
  const gone = once(engine, 'close');
  call(engine, FILES, { 'dir-name': 'dockerfile', length: String(6 << 20) }).resume();
  await gone;
  expect(await over).toBe('a session ended by an answer of which too much is held');
});
