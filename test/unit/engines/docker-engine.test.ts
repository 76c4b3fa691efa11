import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { DockerEngine, type DockerEngineOptions, type EngineState } from '../../../src/engines/docker-engine.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { Authority } from '../listeners/certificates.ts';

const buffers = new ReadBuffers();

function engineAt(port: number, more: Partial<DockerEngineOptions> = {}): DockerEngine {
  const engine = new DockerEngine({ name: 'local', url: { kind: 'tcp', host: '127.0.0.1', port }, buffers, ...more });
  onTestFinished(() => engine.close());
  return engine;
}

function answerOf(body: string, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const version = (Version: string, newest = '1.41', oldest = '1.12'): string =>
  answerOf(JSON.stringify({ Version, ApiVersion: newest, MinAPIVersion: oldest }));

interface Upstream {
  readonly port: number;
  readonly asked: string[];
  answer: string | null;
}

async function upstream(answer: string | null, server: net.Server = net.createServer()): Promise<Upstream> {
  const asked: string[] = [];
  const made: { port: number; asked: string[]; answer: string | null } = { port: 0, asked, answer };
  const sockets = new Set<net.Socket>();
  const speak = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      asked.push(String(bytes).split('\r\n')[0]!);
      if (made.answer !== null) socket.write(made.answer);
    });
  };
  server.on(server instanceof tls.Server ? 'secureConnection' : 'connection', speak);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  made.port = (server.address() as net.AddressInfo).port;
  return made;
}

async function codeOf(asked: unknown): Promise<string> {
  try {
    await asked;
    return 'none';
  } catch (fault) {
    return fault instanceof Refusal ? fault.code : String(fault);
  }
}

test('an engine is asked once for its versions, however many want to know', async () => {
  const { port, asked } = await upstream(version('20.10.24'));
  const engine = engineAt(port);
  const all = await Promise.all(Array.from({ length: 20 }, () => engine.api()));
  expect(all.every(({ oldest, newest }) => oldest === 12 && newest === 41)).toBe(true);
  expect(asked).toEqual(['GET /version HTTP/1.1']);
  expect(engine.api()).toEqual({ oldest: 12, newest: 41 });
  expect(engine.state).toMatchObject({ up: true, version: '20.10.24' });
});

test('an engine that may have changed is asked again, also when the doubt comes while it is asked', async () => {
  const up = await upstream(version('20.10.24'));
  const turns: EngineState[] = [];
  const engine = engineAt(up.port, { onTurn: (state) => turns.push(state) });
  await engine.api();
  up.answer = version('28.5.1', '1.51', '1.24');
  expect(engine.api()).toEqual({ oldest: 12, newest: 41 });
  engine.doubt();
  const asking = engine.api();
  engine.doubt();
  expect(await asking).toEqual({ oldest: 24, newest: 51 });
  expect(engine.api()).toBeInstanceOf(Promise);
  await engine.api();
  expect(engine.api()).toEqual({ oldest: 24, newest: 51 });
  expect(turns.map(({ version }) => version)).toEqual(['20.10.24', '28.5.1']);
});

test('an engine that is not there is refused with 503, and works as soon as it is there', async () => {
  const probe = net.createServer();
  await new Promise<void>((resolve) => void probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const engine = engineAt(port);
  expect(await codeOf(engine.api())).toBe('engine-refused');
  expect(engine.state).toMatchObject({ up: false, reason: { code: 'engine-refused' } });
  const server = net.createServer((socket) => socket.on('data', () => socket.write(version('1'))));
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  expect(await engine.api()).toEqual({ oldest: 12, newest: 41 });
  expect(engine.state.up).toBe(true);
});

test('a socket file that is absent is an engine that is not there', async () => {
  const engine = engineAt(0, { url: { kind: 'unix', path: '/nonexistent/docker.sock' } });
  expect(await codeOf(engine.api())).toBe('engine-refused');
});

test('an engine that says nothing is given up', async () => {
  const { port } = await upstream(null);
  expect(await codeOf(engineAt(port, { answerMs: 100 }).api())).toBe('engine-timeout');
});

test.each([
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n', 'engine-garbage'],
  ['no JSON', answerOf('hello'), 'engine-garbage'],
  ['no versions', answerOf('{"Version":"1"}'), 'engine-garbage'],
  ['a list', answerOf('[]'), 'engine-garbage'],
  ['a fault', answerOf('{"message":"no"}', '500 Internal Server Error'), 'engine-garbage'],
  ['too much', answerOf(' '.repeat(2_000_000)), 'engine-garbage'],
  ['another protocol', 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n', 'engine-garbage'],
])('an engine that answers with %s is no engine', async (_, answer, code) => {
  const { port } = await upstream(answer);
  expect(await codeOf(engineAt(port).api())).toBe(code);
});

test('over TLS an engine is who its CA says, and sees our certificate, also the one that came later', async () => {
  const authority = new Authority();
  const stranger = new Authority('another CA');
  const { cert, key } = authority.sign('engine');
  const subjects: string[] = [];
  const server = tls.createServer({
    cert: readFileSync(cert),
    key: readFileSync(key),
    ca: readFileSync(authority.ca),
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.on('secureConnection', (socket) => subjects.push(String(socket.getPeerCertificate().subject.CN)));
  const { port } = await upstream(version('26.1.5'), server);
  const mine = authority.sign('mine', 'first');
  const faults: Error[] = [];
  const engine = engineAt(port, {
    tls: { ca: authority.ca, ...mine },
    limits: { idleConnections: 0 },
    onFault: (fault) => faults.push(fault),
  });
  await engine.api();
  const next = authority.sign('next', 'second');
  copyFileSync(next.cert, mine.cert);
  copyFileSync(next.key, mine.key);
  await engine.ask();
  expect(subjects).toEqual(['first', 'second']);
  writeFileSync(mine.cert, 'half a certificate');
  await engine.ask();
  expect(subjects).toEqual(['first', 'second', 'second']);
  expect(faults).toHaveLength(1);

  expect(await codeOf(engineAt(port, { tls: { ca: authority.ca } }).api())).not.toBe('none');
  expect(await codeOf(engineAt(port, { tls: { ca: stranger.ca, ...next } }).api())).toBe('engine-refused');
  expect(await codeOf(engineAt(port, { tls: { ca: '/nonexistent/ca.pem' } }).api())).toBe('engine-refused');
});
