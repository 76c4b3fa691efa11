// What answers at the cache's addresses, met by real TLS clients over real sockets. RED-TEAM 65 and 66.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpFront, Origins, SiteRules } from '../../../src/cache/http/index.ts';
import { Pseudonym } from '../../../src/cache/http/marks.ts';
import { Authority } from '../../../src/cache/interception/authority.ts';
import { readClientHello } from '../../../src/cache/interception/client-hello.ts';
import { type CachedHost, CacheFront } from '../../../src/cache/interception/front.ts';
import { WayOut } from '../../../src/wire/way-out.ts';
import { tlsClients } from './clients.ts';
import { newFolder } from './folders.ts';

const CACHED = 'archive.example.org';
const PASSED = 'pinned.example.org';
const HOSTS: readonly CachedHost[] = [
  { host: CACHED, tls: 'intercept' },
  { host: PASSED, tls: 'pass' },
];

/** Answers with what it was asked for. */
const origins = new Origins(
  HOSTS.map(({ host }) => ({ host, origin: null })),
  new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] }),
);
const rules = new SiteRules([]);
const echoing = new HttpFront({
  cache: {
    pseudonym: new Pseudonym(),
    serve: async ({ exchange, url, arrival }) => {
      const asked = `${url.protocol.slice(0, -1)} ${url.host} ${url.pathname}${url.search}`;
      const text = arrival.isProxied === true ? `${asked} of a proxy` : asked;
      exchange.answer({ status: 200, reason: 'OK', headers: [] }, text);
    },
  },
  origins: () => origins,
  rules: () => rules,
  onRefused: () => {},
});

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function listen(server: net.Server): Promise<number> {
  ends.push(() => server.close());
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
}

/** The real server of every host, with a certificate of its own that nobody knows here. */
async function startOrigin(): Promise<number> {
  const folder = newFolder();
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const subject = ['-subj', '/CN=origin', '-addext', `subjectAltName=DNS:${CACHED},DNS:${PASSED}`];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    ...subject,
  ];
  execFileSync('openssl', made, { stdio: 'ignore' });
  const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\norigin'));
  });
  server.on('tlsClientError', () => {});
  return listen(server);
}

interface Rig {
  readonly front: CacheFront;
  readonly roots: string;
  readonly tlsPort: number;
  readonly passPort: number;
  readonly plainPort: number;
  readonly dialed: string[];
  readonly distrusted: string[];
  now: number;
  trusts: boolean;
}

async function startRig(more: readonly CachedHost[] = []): Promise<Rig> {
  const originPort = await startOrigin();
  const folder = join(newFolder(), 'ca');
  const intercepted = [CACHED, ...more.map(({ host }) => host)];
  const authority = new Authority({ folder, lifeMs: 86_400_000, rotateMs: 3_600_000, hosts: intercepted }, (fault) => {
    throw fault;
  });
  ends.push(() => authority.end());
  const dialed: string[] = [];
  const distrusted: string[] = [];
  const rig = { now: 1_000_000, trusts: true, dialed, distrusted } as unknown as Rig;
  const front = new CacheFront(
    {
      hosts: [...HOSTS, ...more],
      authority,
      http: echoing,
      tunnel: async (host, port) => {
        dialed.push(`${host}:${port}`);
        const socket = net.connect({ host: '127.0.0.1', port: originPort, allowHalfOpen: true });
        await new Promise((resolve) => socket.once('connect', resolve));
        return socket;
      },
      trusts: () => rig.trusts,
      onDistrust: (host, network) => void distrusted.push(`${host} ${network}`),
      onFault: (_host, fault) => {
        throw fault;
      },
    },
    () => rig.now,
  );
  ends.push(() => front.close());
  const server = (accept: (socket: net.Socket) => void) =>
    listen(net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept));
  return Object.assign(rig, {
    front,
    roots: authority.roots.map(({ pem }) => pem).join(''),
    tlsPort: await server((socket) => front.acceptTls(socket, true)),
    passPort: await server((socket) => front.acceptTls(socket, false)),
    plainPort: await server((socket) => front.acceptPlain(socket)),
  });
}

/** The whole answer, or the code of why there is none. */
function say(
  options: tls.ConnectionOptions,
  request: string,
): Promise<{ text: string; reused: boolean; issuer: string }> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', ...options });
    let text = '';
    let reused = false;
    let issuer = '';
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused();
      issuer = String(socket.getPeerCertificate().issuer?.CN ?? '');
      socket.write(request);
    });
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.once('error', (fault: NodeJS.ErrnoException) => {
      text ||= fault.code ?? fault.message;
    });
    socket.once('close', () => resolve({ text, reused, issuer }));
  });
}

const get = (host: string, path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

test('a cached host is served over TLS with our certificate', async () => {
  const { tlsPort, roots, dialed } = await startRig();
  const { text, issuer } = await say({ port: tlsPort, servername: CACHED, ca: roots }, get(CACHED, '/pool/a?b'));
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*https archive\.example\.org \/pool\/a\?b/);
  expect(issuer).toMatch(/^Berthgate cache/);
  expect(dialed).toEqual([]);
});

test('a request for another host than the one that TLS is for is misdirected', async () => {
  const { tlsPort, roots } = await startRig();
  const { text } = await say({ port: tlsPort, servername: CACHED, ca: roots }, get(PASSED));
  expect(text).toMatch(/^HTTP\/1\.1 421 /);
  // The control: the same connection for its own host.
  expect((await say({ port: tlsPort, servername: CACHED, ca: roots }, get(CACHED))).text).toMatch(/^HTTP\/1\.1 200 /);
});

test('a host that is not configured is neither intercepted nor relayed', async () => {
  const { tlsPort, passPort, roots, dialed } = await startRig();
  for (const port of [tlsPort, passPort]) {
    const refused = await say({ port, servername: 'bank.example.com', ca: roots }, get('bank.example.com'));
    expect(refused.text).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    const nameless = await say({ port, servername: '', ca: roots }, get('bank.example.com'));
    expect(nameless.text).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  }
  expect(dialed).toEqual([]);
});

test("a host that is to pass is the origin's own, and so is every host at the pass address", async () => {
  const { tlsPort, passPort, dialed } = await startRig();
  const untouched = await say({ port: tlsPort, servername: PASSED, rejectUnauthorized: false }, get(PASSED));
  expect(untouched).toMatchObject({ issuer: 'origin', text: expect.stringMatching(/origin$/) });
  const other = await say({ port: passPort, servername: CACHED, rejectUnauthorized: false }, get(CACHED));
  expect(other.issuer).toBe('origin');
  expect(dialed).toEqual([`${PASSED}:443`, `${CACHED}:443`]);
});

test('a container that has not our CA just now is passed through', async () => {
  const rig = await startRig();
  rig.trusts = false;
  const passed = await say({ port: rig.tlsPort, servername: CACHED, rejectUnauthorized: false }, get(CACHED));
  expect(passed.issuer).toBe('origin');
});

test('a host whose clients refuse our CA is passed through after three of them, for a while, and that is told', async () => {
  const rig = await startRig();
  const ask = (trusting: boolean) =>
    say(
      trusting
        ? { port: rig.tlsPort, servername: CACHED, ca: rig.roots }
        : { port: rig.tlsPort, servername: CACHED, rejectUnauthorized: false, checkServerIdentity: () => undefined },
      get(CACHED),
    );
  let failures = 0;
  const fail = async () => {
    await say({ port: rig.tlsPort, servername: CACHED, ca: [] as string[] }, '');
    failures++;
    await expect.poll(() => rig.front.tally.refused.get(CACHED)).toBe(failures);
  };
  await fail();
  await fail();
  // One that trusts in between: it was not the host's clients in general.
  expect((await ask(true)).issuer).toMatch(/^Berthgate/);
  rig.now += 60_001;
  await fail();
  await fail();
  expect(rig.distrusted).toEqual([]);
  await fail();
  expect(rig.distrusted).toEqual([expect.stringMatching(/^archive\.example\.org 127\.0\.0\.\d+\/8$/)]);
  expect((await ask(false)).issuer).toBe('origin');
  rig.now += 600_001;
  expect((await ask(true)).issuer).toMatch(/^Berthgate/);
});

test.each(tlsClients.filter(({ here }) => here))('$name, which refuses our CA, is counted', async ({ takes }) => {
  const rig = await startRig();
  const other = await startRig();
  expect(await takes(rig.tlsPort, CACHED, other.roots)).toBe(false);
  await expect.poll(() => rig.front.tally.refused.get(CACHED)).toBe(1);
});

describe('who does not refuse our CA', () => {
  /** Until the front has heard of the end of all that there was. */
  const allGone = (rig: Rig) => expect.poll(() => rig.front.connections).toBe(0);
  const closed = (socket: net.Socket) => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));

  test('as one that only looks whether somebody is there, is not counted', async () => {
    const rig = await startRig();
    for (let i = 0; i < 5; i++) {
      const socket = net.connect(rig.tlsPort, '127.0.0.1', () => socket.end());
      await closed(socket);
    }
    await allGone(rig);
    expect([...rig.front.tally.refused]).toEqual([]);
    expect(rig.distrusted).toEqual([]);
  });

  test('as one that has just asked for something, and was killed then, is not counted, but when it says that it does', async () => {
    const rig = await startRig();
    const trusting = { port: rig.tlsPort, servername: CACHED, ca: rig.roots };
    await say(trusting, get(CACHED));
    for (let i = 0; i < 5; i++) {
      const socket = tls.connect({ host: '127.0.0.1', ...trusting }, () => socket.destroy());
      await closed(socket);
    }
    await allGone(rig);
    expect([...rig.front.tally.refused]).toEqual([]);
    // The control: somebody that is not known is counted for the same.
    rig.now += 60_001;
    const unknown = tls.connect({ host: '127.0.0.1', ...trusting }, () => unknown.destroy());
    await closed(unknown);
    await expect.poll(() => rig.front.tally.refused.get(CACHED)).toBe(1);
    await say(trusting, get(CACHED));
    const openssl = tlsClients.find(({ name, here }) => name === 'OpenSSL' && here);
    if (openssl === undefined) return;
    expect(await openssl.takes(rig.tlsPort, CACHED, (await startRig()).roots)).toBe(false);
    await expect.poll(() => rig.front.tally.refused.get(CACHED)).toBe(2);
  });

  test('as one that we close ourselves, is not counted', async () => {
    const rig = await startRig();
    const idle = tls.connect({ host: '127.0.0.1', port: rig.tlsPort, servername: CACHED, ca: rig.roots });
    const gone = closed(idle);
    await new Promise((resolve) => idle.once('secureConnect', resolve));
    await expect
      .poll(() => {
        echoing.drain();
        return rig.front.connections;
      })
      .toBe(0);
    await gone;
    expect([...rig.front.tally.refused]).toEqual([]);
  });
});

test('handshakes that clients refuse are counted by what is configured, whatever names they make up', async () => {
  const rig = await startRig([{ host: '*.wild.example.org', tls: 'intercept' }]);
  const names = ['a.wild.example.org', 'b.wild.example.org', `${'c'.repeat(63)}.wild.example.org`];
  for (const servername of names) await say({ port: rig.tlsPort, servername, ca: [] }, get(servername));
  await expect.poll(() => [...rig.front.tally.refused]).toEqual([['*.wild.example.org', names.length]]);
});

test('one client cannot have all connections that there can be', async () => {
  const rig = await startRig();
  const sockets: net.Socket[] = [];
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  const most = 1024;
  let refused = 0;
  for (let i = 0; i < most + 10; i++) {
    const socket = net.connect(rig.plainPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => refused++);
    sockets.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
  }
  await expect.poll(() => refused).toBe(10);
  // The control: when it lets go of one, it gets another.
  sockets[0]?.destroy();
  await expect.poll(() => rig.front.connections).toBe(most - 1);
  const { text } = await say({ port: rig.tlsPort, servername: CACHED, ca: rig.roots }, get(CACHED));
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
});

test('sessions of TLS are reused', async () => {
  const { tlsPort, roots } = await startRig();
  const session = await new Promise<Buffer>((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: tlsPort, servername: CACHED, ca: roots });
    socket.once('session', (one) => {
      socket.destroy();
      resolve(one);
    });
    socket.once('secureConnect', () => socket.write(get(CACHED)));
    socket.resume();
  });
  const again = await say({ port: tlsPort, servername: CACHED, ca: roots, session }, get(CACHED));
  expect(again).toMatchObject({ reused: true, text: expect.stringMatching(/^HTTP\/1\.1 200 /) });
});

function plain(port: number, options: http.RequestOptions): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, agent: false, ...options }, (answer) => {
      let text = '';
      answer.on('data', (bytes) => {
        text += bytes;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    request.on('error', reject);
    request.end();
  });
}

test('what is quickest of what is safe is spoken, whatever the client would rather', async () => {
  const { tlsPort, roots } = await startRig();
  for (const [minVersion, maxVersion, expected] of [
    ['TLSv1.3', 'TLSv1.3', 'TLS_AES_128_GCM_SHA256'],
    ['TLSv1.2', 'TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ] as const) {
    const ciphers =
      'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256';
    const asking = { port: tlsPort, servername: CACHED, ca: roots, minVersion, maxVersion, ciphers };
    const socket = tls.connect({ host: '127.0.0.1', ...asking });
    await once(socket, 'secureConnect');
    expect(socket.getCipher().name).toBe(expected);
    socket.destroy();
  }
});

test('plain HTTP is served for cached hosts, however it is asked for, and for no others', async () => {
  const { plainPort } = await startRig();
  const own = await plain(plainPort, { path: '/a', headers: { Host: CACHED } });
  expect(own).toEqual({ status: 200, text: `http ${CACHED} /a` });
  const proxied = await plain(plainPort, { path: `http://${PASSED}/b?c`, headers: { Host: 'else.example' } });
  expect(proxied).toEqual({ status: 200, text: `http ${PASSED} /b?c` });
  expect((await plain(plainPort, { path: '/', headers: { Host: 'bank.example.com' } })).status).toBe(421);
  expect((await plain(plainPort, { path: 'http://bank.example.com/', headers: { Host: CACHED } })).status).toBe(421);
  expect((await plain(plainPort, { path: '/', headers: { Host: `${CACHED}:8080` } })).status).toBe(421);
  expect((await plain(plainPort, { path: 'http://127.0.0.1/', headers: { Host: CACHED } })).status).toBe(421);
});

function connect(port: number, authority: string): Promise<{ status: number; socket: net.Socket }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method: 'CONNECT', path: authority, agent: false });
    request.on('connect', ({ statusCode = 0 }, socket) =>
      resolve({ status: statusCode, socket: socket as net.Socket }),
    );
    request.on('error', reject);
    request.end();
  });
}

test('CONNECT leads to cached hosts at port 443 alone, and to nobody whom the TLS within names instead', async () => {
  const { plainPort, roots, dialed } = await startRig();
  for (const authority of [`${CACHED}:22`, 'bank.example.com:443', '127.0.0.1:443', '[::1]:443']) {
    const { status, socket } = await connect(plainPort, authority);
    expect([authority, status]).toEqual([authority, 403]);
    socket.destroy();
  }
  const { status, socket } = await connect(plainPort, `${CACHED}:443`);
  expect(status).toBe(200);
  const { text } = await say({ socket, servername: CACHED, ca: roots } as tls.ConnectionOptions, get(CACHED, '/x'));
  expect(text).toMatch(/https archive\.example\.org \/x of a proxy/);
  const other = await connect(plainPort, `${CACHED}:443`);
  const misled = await say(
    { socket: other.socket, servername: PASSED, ca: roots } as tls.ConnectionOptions,
    get(PASSED),
  );
  expect(misled.text).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  expect(dialed).toEqual([]);
});

test('a ClientHello is read from whatever pieces it comes in, and what is none is told apart', async () => {
  const whole = await new Promise<Buffer>((resolve) => {
    const server = net.createServer((socket) => socket.once('data', (bytes) => resolve(bytes)).on('error', () => {}));
    void listen(server).then((port) => {
      const socket = tls.connect({ host: '127.0.0.1', port, servername: 'A.Example.org' });
      socket.on('error', () => {});
      ends.push(() => socket.destroy());
    });
  });
  for (let length = 0; length < whole.length; length++) {
    expect(readClientHello(whole.subarray(0, length))).toEqual({ kind: 'more' });
  }
  expect(readClientHello(whole)).toEqual({ kind: 'hello', name: 'a.example.org' });
  const message = whole.subarray(5);
  const cut = [message.subarray(0, 3), message.subarray(3, 40), message.subarray(40)];
  const records = cut.map((part) =>
    Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]),
  );
  expect(readClientHello(Buffer.concat(records))).toEqual({ kind: 'hello', name: 'a.example.org' });
  // A hello of as many records as it has bytes would be put together anew for each of them.
  const single = [...message].map((byte) => Buffer.from([22, 3, 1, 0, 1, byte]));
  expect(readClientHello(Buffer.concat(single.slice(0, 60)))).toEqual({ kind: 'more' });
  expect(readClientHello(Buffer.concat(single.slice(0, 70)))).toEqual({ kind: 'garbage' });
  const misnamed = Buffer.from(whole);
  misnamed.write('\n', misnamed.indexOf('.Example.org') + 1);
  expect(readClientHello(misnamed)).toEqual({ kind: 'hello', name: null });
  expect(readClientHello(Buffer.from('GET / HTTP/1.1\r\n'))).toEqual({ kind: 'garbage' });
  for (let at = 0; at < whole.length; at++) {
    const bent = Buffer.from(whole);
    bent[at] = (bent[at] as number) ^ 0xff;
    expect(['more', 'garbage', 'hello']).toContain(readClientHello(bent).kind);
  }
});
