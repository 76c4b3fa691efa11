import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { renderFault } from '../../../src/exchange/answer-refusal.ts';
import type { Peer } from '../../../src/exchange/identity.ts';
import { Listener, type ListenerSetup } from '../../../src/front/listeners/listener.ts';
import { openSockets } from '../../../src/front/listeners/open-sockets.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { Authority } from './certificates.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {} };

interface Rig {
  readonly listener: Listener;
  readonly port: number;
  readonly peers: Peer[];
  readonly setup: ListenerSetup;
  /** Codes of the refusals of those who were turned away. */
  readonly turnedAway: string[];
}

async function listen(facts: Partial<ListenerSetup> = {}): Promise<Rig> {
  const peers: Peer[] = [];
  const turnedAway: string[] = [];
  const setup: ListenerSetup = {
    onTurnedAway: ({ code }) => void turnedAway.push(code),
    name: 'people',
    authenticators: [],
    connections: 100,
    tls: undefined,
    renderFault,
    limits: { headBytes: 65_536, headers: 200, headTimeoutMs: 5000, bodyTimeoutMs: 5000 },
    way: {
      serve: async (exchange, peer) => {
        peers.push(peer);
        const body = await exchange.readBody(1024 * 1024);
        exchange.answer({ status: 200, reason: 'OK', headers: [] }, `${exchange.head.target} ${body.length}`);
      },
    },
    ...facts,
  };
  const listener = new Listener(setup, new ReadBuffers(), silent);
  const sockets = await openSockets(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    {
      access: { mode: 0o600 },
      ready: [],
      server: { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      onConnection: (socket, kind) => listener.accept(socket, kind),
      onFault: () => {},
    },
  );
  listener.listensOn(sockets);
  onTestFinished(() => {
    listener.stopAccepting(false);
    listener.destroy();
  });
  return { listener, peers, setup, turnedAway, port: (sockets[0]!.server.address() as net.AddressInfo).port };
}

const ping = 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n';

/** All that comes until the connection is closed, or, with `until`, until that has come. */
function talk(socket: net.Socket, say: string, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    socket.setTimeout(8000, () => reject(new Error(`nothing more came after ${heard}`)));
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      heard += String(bytes);
      if (until?.test(heard)) resolve(heard);
    });
    for (const over of ['end', 'close']) socket.on(over, () => resolve(heard));
    socket.write(say);
    onTestFinished(() => void socket.destroy());
  });
}

test('over the limit of connections, a client is told so in the form of Docker, and the others go on', async () => {
  const { port, listener, turnedAway } = await listen({ connections: 2 });
  const first = net.connect(port);
  expect(await talk(first, ping, /_ping 0/)).toContain('200 OK');
  expect(await talk(net.connect(port), ping, /_ping 0/)).toContain('200 OK');
  const refused = await talk(net.connect(port), ping);
  expect(refused).toMatch(/^HTTP\/1.1 429 /);
  expect(refused).toContain('Berthgate-Refusal: too-many-connections');
  expect(JSON.parse(refused.split('\r\n\r\n')[1]!)).toEqual({ message: expect.stringContaining('2 connections') });
  expect(turnedAway).toEqual(['too-many-connections']);
  expect(await talk(first, ping, /_ping 0/)).toContain('200 OK');
  first.destroy();
  await expect.poll(() => listener.connections).toBe(1);
  expect(await talk(net.connect(port), ping, /_ping 0/)).toContain('200 OK');
});

test('a flood beyond the limit is cut without a word', async () => {
  const { port, listener } = await listen({ connections: 1 });
  const sockets = Array.from({ length: 200 }, () => net.connect(port));
  for (const socket of sockets) socket.on('error', () => {});
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(listener.connections).toBeLessThanOrEqual(65);
});

test('the facts of a peer are made once a connection', async () => {
  const { port, peers } = await listen();
  const socket = net.connect(port);
  await talk(socket, ping, /_ping 0/);
  await talk(socket, ping, /_ping 0/);
  expect(peers).toHaveLength(2);
  expect(peers[0]).toBe(peers[1]);
  expect(peers[0]).toEqual({ transport: 'tcp', address: '127.0.0.1' });
});

test('an authenticator that throws at a new connection costs that connection only', async () => {
  const { port } = await listen({
    authenticators: [
      {
        name: 'bad',
        challenge: null,
        identify: () => null,
        accepted: () => {
          throw new Error('plugin fault');
        },
      },
    ],
  });
  expect(await talk(net.connect(port), ping)).toMatch(/^HTTP\/1.1 500 /);
  expect(await talk(net.connect(port), ping)).toMatch(/^HTTP\/1.1 500 /);
});

test('when it drains, what was accepted is served once, and idle connections end', async () => {
  const { port, listener } = await listen();
  const used = net.connect(port);
  await talk(used, ping, /_ping 0/);
  const unused = net.connect(port);
  await expect.poll(() => listener.connections).toBe(2);
  const ended = new Promise((resolve) => used.on('close', resolve));
  listener.stopAccepting(false);
  listener.drain(false);
  await ended;
  expect(await talk(unused, ping)).toMatch(/200 OK.*Connection: close/is);
  await listener.empty();
});

test('when another process has taken over, idle connections are served once more and then end', async () => {
  const { port, listener } = await listen();
  const used = net.connect(port);
  await talk(used, ping, /_ping 0/);
  listener.stopAccepting(true);
  listener.drain(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await talk(used, ping)).toMatch(/200 OK.*Connection: close/is);
  await listener.empty();
});

test("a tunnel is nobody's idle connection: it ends by itself", async () => {
  const { port, listener } = await listen({
    way: {
      serve: async (exchange) => {
        const { channel } = exchange.upgrade({ status: 101, reason: 'UPGRADED', headers: [] }, 'tcp');
        channel.user = {
          onBytes: (buffer, start, end) => void channel.write(Buffer.from(buffer.subarray(start, end))),
          onEof: () => channel.end(),
          onFlushed: () => {},
          onClosed: () => {},
        };
        channel.resume();
      },
    },
  });
  const socket = net.connect(port);
  const upgrade = 'POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
  expect(await talk(socket, upgrade, /101/)).toContain('101');
  listener.stopAccepting(false);
  listener.drain(false);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await talk(socket, 'still there', /still there/)).toContain('still there');
  socket.end();
  await listener.empty();
});

function connectTls(port: number, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(
      { port, host: '127.0.0.1', allowHalfOpen: true, ...options } as tls.ConnectionOptions,
      () => resolve(socket),
    );
    socket.on('error', reject);
    onTestFinished(() => void socket.destroy());
  });
}

test('over TLS a half-closed connection still gets its answer', async () => {
  const authority = new Authority();
  const { port, peers } = await listen({ tls: { ...authority.sign('server'), clientCert: 'none' } });
  const socket = await connectTls(port, { ca: readFileSync(authority.ca) });
  const body = 'x'.repeat(100_000);
  const heard = talk(socket, `POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  socket.end();
  expect(await heard).toContain('/p 100000');
  expect(peers[0]).toEqual({ transport: 'tls', address: '127.0.0.1' });
});

test('TLS below 1.2 is refused', async () => {
  const authority = new Authority();
  const { port } = await listen({ tls: { ...authority.sign('server'), clientCert: 'none' } });
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await expect(connectTls(port, { ca: readFileSync(authority.ca), ...old })).rejects.toThrow();
});

test('a required client certificate is required, and must be of the CA', async () => {
  const authority = new Authority();
  const stranger = new Authority('another CA');
  const mine = authority.sign('client');
  const theirs = stranger.sign('client');
  const { port, peers, listener } = await listen({
    tls: { ...authority.sign('server'), clientCa: authority.ca, clientCert: 'require' },
  });
  const ca = readFileSync(authority.ca);
  const good = await connectTls(port, { ca, cert: readFileSync(mine.cert), key: readFileSync(mine.key) });
  expect(await talk(good, ping, /_ping 0/)).toContain('200 OK');
  for (const bad of [{}, { cert: readFileSync(theirs.cert), key: readFileSync(theirs.key) }]) {
    const heard = connectTls(port, { ca, ...bad }).then((socket) => talk(socket, ping));
    expect(await heard.catch(() => '')).toBe('');
  }
  expect(peers).toHaveLength(1);
  good.destroy();
  await expect.poll(() => listener.connections).toBe(0);
});

test('an optional client certificate may be absent, but not be of somebody else', async () => {
  const authority = new Authority();
  const theirs = new Authority('another CA').sign('client');
  const { port } = await listen({
    tls: { ...authority.sign('server'), clientCa: authority.ca, clientCert: 'optional' },
  });
  const ca = readFileSync(authority.ca);
  expect(await talk(await connectTls(port, { ca }), ping, /_ping 0/)).toContain('200 OK');
  const bad = await connectTls(port, { ca, cert: readFileSync(theirs.cert), key: readFileSync(theirs.key) });
  expect(await talk(bad, ping)).toMatch(/^HTTP\/1.1 401 /);
});

test('new certificates are taken without dropping a connection; unusable ones are not', async () => {
  const authority = new Authority();
  const files = authority.sign('server', 'first');
  const { port, listener, setup } = await listen({ tls: { ...files, clientCert: 'none' } });
  const ca = readFileSync(authority.ca);
  const before = await connectTls(port, { ca });
  expect(before.getPeerCertificate().subject.CN).toBe('first');
  expect(await talk(before, ping, /_ping 0/)).toContain('200 OK');
  authority.sign('server', 'second');
  listener.prepare(setup).commit();
  expect((await connectTls(port, { ca })).getPeerCertificate().subject.CN).toBe('second');
  expect(await talk(before, ping, /_ping 0/)).toContain('200 OK');
  writeFileSync(files.cert, 'half a certificate');
  listener.prepare(setup).commit();
  expect((await connectTls(port, { ca })).getPeerCertificate().subject.CN).toBe('second');
});

test('changed files are found without being told', async () => {
  const authority = new Authority();
  const { port } = await listen({ tls: { ...authority.sign('server', 'first'), clientCert: 'none' } });
  authority.sign('server', 'second');
  const ca = readFileSync(authority.ca);
  await expect
    .poll(async () => (await connectTls(port, { ca })).getPeerCertificate().subject.CN, {
      timeout: 8000,
      interval: 500,
    })
    .toBe('second');
});

test('a client that never finishes its handshake does not stay', async () => {
  const authority = new Authority();
  const { port, listener } = await listen({ tls: { ...authority.sign('server'), clientCert: 'none' } });
  const socket = net.connect(port);
  socket.on('error', () => {});
  socket.write('no TLS at all, and long enough to be looked at');
  await expect.poll(() => listener.connections, { timeout: 5000 }).toBe(0);
});
