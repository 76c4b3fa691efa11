import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readSecured } from '../../../src/wire/accepted-socket.ts';
import { Channel } from '../../../src/wire/channel.ts';
import { InboundConnection } from '../../../src/wire/inbound.ts';
import type { OutboundRequest } from '../../../src/wire/outbound.ts';
import { EnginePool } from '../../../src/wire/outbound.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { type RelayOutcome, relay } from '../../../src/wire/relay.ts';
import { inboundOptions, listen, pause, type Served, Talk, until } from './talk.ts';

const ATTACH = 'POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const UPGRADED = 'HTTP/1.1 101 UPGRADED\r\nContent-Type: raw\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

let folder: string;
let cert: Buffer;
let key: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'berthgate-tunnel-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...args, ...subject, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  key = readFileSync(keyFile);
  cert = readFileSync(certFile);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ends {
  client: Talk;
  engine: Talk;
  outcomes: RelayOutcome[];
}

/** A client and an engine with a tunnel between them. */
async function joined(secureClient: boolean, secureEngine: boolean, hijack = false): Promise<Ends> {
  const engines: Talk[] = [];
  const onEngine = (socket: net.Socket) => void engines.push(new Talk(socket));
  const engineOptions = { allowHalfOpen: true, noDelay: true };
  const enginePort = await listen(
    secureEngine
      ? tls.createServer({ ...engineOptions, key, cert }, onEngine)
      : net.createServer(engineOptions, onEngine),
  );
  const address = { host: 'localhost', port: enginePort, family: 4 };
  const pool = new EnginePool(
    (options) =>
      secureEngine ? tls.connect({ ...address, ca: cert, ...options }) : net.connect({ ...address, ...options }),
    { headBytes: 16_384, headers: 100, connectTimeoutMs: 2000, idleConnections: 10 },
    new ReadBuffers(),
  );
  const outcomes: RelayOutcome[] = [];
  const served: Served = { port: 0, connections: [], closed: [] };
  const options = inboundOptions(
    (exchange) => {
      const { method, target, headers, upgrade } = exchange.head;
      const request: OutboundRequest = { method, target, headers, body: null, upgrade, hijack };
      relay(exchange, pool, request, {
        onHead: (head) => head,
        onFault: () => exchange.abort(),
        onDone: (outcome) => outcomes.push(outcome),
      });
    },
    {},
    served,
  );
  const accept = (socket: net.Socket) => void served.connections.push(new InboundConnection(socket, options));
  const server = secureClient
    ? tls.createServer({ ...engineOptions, key, cert }, accept)
    : net.createServer({ ...engineOptions, pauseOnConnect: true }, accept);
  const port = await listen(server);
  onTestFinished(() => {
    for (const connection of served.connections) connection.socket.destroy();
  });
  const target = { host: 'localhost', port, family: 4, allowHalfOpen: true };
  const client = new Talk(secureClient ? tls.connect({ ...target, ca: cert }) : net.connect(target));
  client.say(hijack ? 'POST /attach HTTP/1.1\r\nHost: x\r\n\r\n' : ATTACH);
  await until(() => engines.length === 1);
  const engine = engines[0] as Talk;
  await engine.hears('\r\n\r\n');
  return { client, engine, outcomes };
}

const WAYS = [
  ['plain on both sides', false, false],
  ['TLS to the client', true, false],
  ['TLS to the engine', false, true],
  ['TLS on both sides', true, true],
] as const;

describe.each(WAYS)('a tunnel, %s', (_way, secureClient, secureEngine) => {
  it('carries bytes both ways and half-closes each way by itself', async () => {
    const { client, engine, outcomes } = await joined(secureClient, secureEngine);
    engine.heard = '';
    engine.say(`${UPGRADED}hello`);
    expect(await client.hears('hello')).toBe(`${UPGRADED}hello`);
    client.say('input').end();
    expect(await engine.hearsEnd()).toBe('input');
    await pause(50);
    engine.say(' and the rest');
    await client.hears('hello and the rest');
    expect(client.ended).toBe(false);
    engine.end();
    await client.hearsEnd();
    await until(() => outcomes.length === 1);
    expect(outcomes[0]).toEqual({ kind: 'tunnel', fromClient: 5, fromEngine: 18, clean: true });
  });

  it('half-closes from the engine first', async () => {
    const { client, engine, outcomes } = await joined(secureClient, secureEngine);
    engine.say(UPGRADED).end();
    await client.hearsEnd();
    engine.heard = '';
    client.say('late').end();
    expect(await engine.hearsEnd()).toBe('late');
    await until(() => outcomes.length === 1);
  });

  it('ends the engine promptly when the client is torn down', async () => {
    const { client, engine, outcomes } = await joined(secureClient, secureEngine);
    engine.say(UPGRADED);
    await client.hears('\r\n\r\n');
    if (secureClient) client.socket.destroy();
    else client.socket.resetAndDestroy();
    await until(() => engine.ended || engine.closed, 500);
    engine.end();
    await until(() => outcomes.length === 1);
    if (!secureClient) expect(outcomes[0]).toMatchObject({ clean: false });
  });

  it('ends the client promptly when the engine is torn down', async () => {
    const { client, engine, outcomes } = await joined(secureClient, secureEngine);
    engine.say(UPGRADED);
    await client.hears('\r\n\r\n');
    if (secureEngine) engine.socket.destroy();
    else engine.socket.resetAndDestroy();
    await until(() => client.ended || client.closed, 500);
    client.end();
    await until(() => outcomes.length === 1);
  });

  it('carries floods both ways at once, with readers that stop now and then', async () => {
    const { client, engine, outcomes } = await joined(secureClient, secureEngine);
    engine.say(UPGRADED);
    await client.hears('\r\n\r\n');
    client.heard = '';
    engine.heard = '';
    const total = 24_000_000;
    // A record of TLS is no multiple of it: bytes of one that stand in another's place are seen.
    const pattern = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => i % 251));
    for (const talk of [client, engine]) {
      talk.socket.pause();
      setTimeout(() => talk.socket.resume(), 100);
      let reads = 0;
      talk.socket.on('data', () => {
        if (++reads % 16 !== 0) return;
        talk.socket.pause();
        setTimeout(() => talk.socket.resume(), 1);
      });
      for (let sent = 0; sent < total; sent += pattern.length) talk.socket.write(pattern);
      talk.socket.end();
    }
    await until(() => client.ended && engine.ended, 20_000);
    const expected = pattern.toString('latin1').repeat(total / pattern.length);
    expect(client.heard === expected).toBe(true);
    expect(engine.heard === expected).toBe(true);
    await until(() => outcomes.length === 1);
    expect(outcomes[0]).toEqual({ kind: 'tunnel', fromClient: total, fromEngine: total, clean: true });
  });
});

describe('a tunnel', () => {
  it('begins with what the client sent before the engine agreed', async () => {
    const { client, engine } = await joined(false, false);
    client.say('early input').end();
    engine.heard = '';
    await pause(300);
    expect(engine.heard).toBe('');
    engine.say(UPGRADED);
    expect(await engine.hearsEnd()).toBe('early input');
    engine.say('output').end();
    expect(await client.hearsEnd()).toBe(`${UPGRADED}output`);
  });

  it('begins with a large early input too', async () => {
    const { client, engine } = await joined(false, false);
    const input = 'x'.repeat(3_000_000);
    client.say(input);
    await pause(100);
    engine.heard = '';
    engine.say(UPGRADED);
    await until(() => engine.heard.length === input.length);
  });

  it('also follows the 200 of the legacy way', async () => {
    const { client, engine } = await joined(false, false, true);
    engine.heard = '';
    engine.say('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nout');
    expect(await client.hears(/out$/)).toBe(
      'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nout',
    );
    client.say('in').end();
    expect(await engine.hearsEnd()).toBe('in');
    engine.end();
    await client.hearsEnd();
  });

  it('does not begin where the engine refuses, and what was typed ahead is no request', async () => {
    const { client, engine, outcomes } = await joined(false, false);
    client.say('GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n');
    engine.heard = '';
    await pause(30);
    engine.say('HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno');
    await client.hears(/409 .*no$/s);
    expect(outcomes[0]).toEqual({ kind: 'answered' });
    await client.hearsEnd();
    expect(engine.heard).toBe('');
  });
});

describe('a channel over TLS', () => {
  it('reads what a server accepted into the buffers given, on this version of Node', async () => {
    const buffer = Buffer.alloc(16);
    const reads: string[] = [];
    const secured: boolean[] = [];
    const server = tls.createServer({ key, cert }, (socket) => {
      const callback = (bytes: number, into: Buffer): boolean => {
        expect(into).toBe(buffer);
        reads.push(into.toString('latin1', 0, bytes));
        return true;
      };
      secured.push(readSecured(socket, { buffer: () => buffer, callback }));
      socket.on('end', () => reads.push('END'));
    });
    const port = await listen(server);
    const client = new Talk(tls.connect({ host: '127.0.0.1', servername: 'localhost', port, ca: cert }));
    client.say('what is said at once').end();
    await until(() => reads.includes('END'));
    expect(secured).toEqual([true]);
    expect(reads).toEqual(['what is said at ', 'once', 'END']);
  });

  it('hears what the other side said last, where it was stopped and has said all itself', async () => {
    const said = Buffer.alloc(60_000, 'x');
    const port = await listen(
      tls.createServer({ key, cert, allowHalfOpen: true }, (socket) => {
        socket.resume();
        socket.on('end', () => socket.end(said));
      }),
    );
    let heard = 0;
    const order: string[] = [];
    const channel = Channel.dial(
      (options) =>
        tls.connect({ host: '127.0.0.1', servername: 'localhost', port, ca: cert, ...options }, () => channel.end()),
      {
        onBytes: (_buffer, start, end) => {
          if (heard === 0) channel.pause();
          heard += end - start;
        },
        onEof: () => order.push(`end after ${heard}`),
        onFlushed: () => {},
        onClosed: () => order.push('closed'),
      },
      new ReadBuffers(),
    );
    await until(() => heard > 0);
    // Long enough for all of it to be here, and the socket closed.
    await pause(100);
    channel.resume();
    await until(() => order.includes('closed'));
    expect(order).toEqual(['end after 60000', 'closed']);
  });
});
