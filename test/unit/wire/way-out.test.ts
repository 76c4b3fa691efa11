import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Authority } from '../../../src/cache/interception/index.ts';
import { reachableAddresses } from '../../../src/wire/inner-addresses.ts';
import { type Out, OutFault, WayOut, type WayOutOptions } from '../../../src/wire/way-out.ts';

const loopback = { family: 'ipv4', address: '127.0.0.0', prefix: 8 } as const;

async function server(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const one = http.createServer((request, response) => {
    asked.push(request.headers.host ?? '');
    response.end('here');
  });
  await new Promise<void>((resolve) => void one.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    one.close();
    one.closeAllConnections();
  });
  return { port: (one.address() as AddressInfo).port, asked };
}

/** @param answers what each look-up of a name gives, in turn */
function wayOut(
  options: Partial<WayOutOptions> = {},
  answers: readonly (readonly string[])[] = [],
): { out: WayOut; looked: string[] } {
  const looked: string[] = [];
  const out = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [], ...options }, (host, _, callback) => {
    const found = answers[Math.min(looked.length, answers.length - 1)] ?? [];
    looked.push(host);
    callback(
      null,
      found.map((address) => ({ address, family: net.isIP(address) })),
    );
  });
  onTestFinished(() => out.close());
  return { out, looked };
}

type Way = 'send' | 'get';

async function ask(out: Out, way: Way, url: URL, headers: Record<string, string> = {}): Promise<string> {
  const { signal } = new AbortController();
  const { body } = await (way === 'get'
    ? out.get(url, { headers, signal })
    : out.send(url, { method: 'GET', headers }));
  let text = '';
  for await (const piece of body as AsyncIterable<Buffer>) text += piece.toString();
  return text;
}

test.for([
  ['8.8.8.8', true],
  ['2606:4700::1', true],
  ...[
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:a00:1',
    '64:ff9b::a00:1',
    'fc00::1',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
    '2002:a00:1::',
    'example.org',
    '',
  ].map((address) => [address, false] as const),
] as const)('%s is outside: %s', ([address, outside]) => {
  expect(reachableAddresses([])(address)).toBe(outside);
});

test('a network that is allowed may be connected to, and no other', () => {
  const may = reachableAddresses([{ family: 'ipv4', address: '10.5.0.0', prefix: 16 }]);
  expect(may('10.5.1.1')).toBe(true);
  expect(may('10.6.1.1')).toBe(false);
  expect(may('8.8.8.8')).toBe(true);
});

describe.each(['send', 'get'] as const)('by %s', (way) => {
  const get = (out: WayOut, url: string): Promise<string> => ask(out.to(), way, new URL(url));

  test('a name that leads inside is not connected to, nor is an address in any spelling', async () => {
    const { port, asked } = await server();
    const { out } = wayOut({}, [['127.0.0.1']]);
    for (const host of [
      'inner.example.org',
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.1',
      '[::ffff:127.0.0.1]',
      'localhost',
      '0',
    ]) {
      const fault = await get(out, `http://${host}:${port}/`).catch((one: unknown) => one);
      expect(fault, host).toBeInstanceOf(OutFault);
      expect((fault as OutFault).reason, host).toBe('inner-address');
    }
    expect(asked).toEqual([]);
    // The control.
    expect(
      await get(wayOut({ allowPrivate: [loopback] }, [['127.0.0.1']]).out, `http://inner.example.org:${port}/`),
    ).toBe('here');
  });

  test('a name is looked up once, and what was looked at is connected to: another answer comes too late', async () => {
    const { port, asked } = await server();
    const { out, looked } = wayOut({ allowPrivate: [{ ...loopback, address: '127.0.0.1', prefix: 32 }] }, [
      ['127.0.0.1', '10.0.0.1'],
      ['10.0.0.1'],
    ]);
    expect(await get(out, `http://twice.example.org:${port}/`)).toBe('here');
    expect(looked).toEqual(['twice.example.org']);
    expect(asked.length).toBe(1);
  });

  test('the origin that an administrator names may lie inside, and only that one', async () => {
    const [named, other] = [await server(), await server()];
    const { out } = wayOut();
    const to = out.to({ named: new URL(`http://127.0.0.1:${named.port}/`) });
    expect(await ask(to, way, new URL(`http://127.0.0.1:${named.port}/x`))).toBe('here');
    await expect(ask(to, way, new URL(`http://127.0.0.1:${other.port}/x`))).rejects.toThrow('not on the open internet');
  });

  test("what goes out takes the site's proxy, but for what needs none", async () => {
    const origin = await server();
    const { url, tunnels } = await proxyTo(origin.port);
    const { out } = wayOut({ proxy: url, noProxy: ['.inner.example.org'], allowPrivate: [loopback] }, [
      ['8.8.8.8'],
      ['127.0.0.1'],
      ['10.0.0.1'],
    ]);
    expect(await get(out, 'http://far.example.org/')).toBe('here');
    expect(tunnels).toEqual(['far.example.org:80']);
    expect(await get(out, `http://a.inner.example.org:${origin.port}/`)).toBe('here');
    expect(tunnels.length).toBe(1);
    await expect(get(out, 'http://rebound.example.org/')).rejects.toThrow('not on the open internet');
    await expect(get(out, 'http://169.254.169.254/')).rejects.toThrow('not on the open internet');
    expect(tunnels.length).toBe(1);
  });

  test('behind a proxy a name is looked up once, and a resolver that never answers holds nobody', async () => {
    const origin = await server();
    const { url } = await proxyTo(origin.port);
    const looked: string[] = [];
    const out = new WayOut({ proxy: url, noProxy: [], ca: [], allowPrivate: [] }, (host) => void looked.push(host));
    onTestFinished(() => out.close());
    const both = [get(out, 'http://a.example.org/'), get(out, 'http://a.example.org/')];
    expect(await Promise.all(both)).toEqual(['here', 'here']);
    expect(await get(out, 'http://a.example.org/')).toBe('here');
    expect(looked).toEqual(['a.example.org']);
  });

  test('a proxy that never says whether it has reached a server is not waited for', async () => {
    const taken = new Set<net.Socket>();
    const proxy = net.createServer((socket) => void taken.add(socket));
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      proxy.close();
      for (const socket of taken) socket.destroy();
    });
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const options = { proxy: url, noProxy: [], ca: [], allowPrivate: [] };
    const out = new WayOut(options, (_host, _options, callback) => callback(null, []), 200);
    onTestFinished(() => out.close());
    for (const to of ['http://a.example.org/', 'https://a.example.org/']) {
      await expect(get(out, to)).rejects.toMatchObject({ reason: 'timeout' });
    }
    expect(taken.size).toBeGreaterThan(0);
  }, 30_000);

  test('an address that is named may be certified by its name, and a Host field proves nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-certified-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const authority = new Authority(
      { folder, lifeMs: 3_600_000, rotateMs: 1_800_000, hosts: ['r.example.org'] },
      () => {},
    );
    onTestFinished(() => authority.end());
    const options = { SNICallback: (_: string, done: (f: null, c?: SecureContext) => void) => done(null, context) };
    const context = authority.contextFor('r.example.org') as SecureContext;
    const one = https.createServer(options, (request, response) => void response.end(request.headers.host));
    await new Promise<void>((resolve) => void one.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      one.close();
      one.closeAllConnections();
    });
    const named = new URL(`https://127.0.0.1:${(one.address() as AddressInfo).port}`);
    const ca = authority.roots.map(({ pem }) => pem);
    const { out } = wayOut();
    const askAs = (certifiedAs: string | undefined, host: string): Promise<string> => {
      const destination = { named, ca, ...(certifiedAs === undefined ? {} : { certifiedAs }) };
      return ask(out.to(destination), way, named, { host });
    };
    expect(await askAs('r.example.org', 'any.example.org')).toBe('any.example.org');
    for (const name of [undefined, 'other.example.org'])
      await expect(askAs(name, 'r.example.org')).rejects.toMatchObject({ reason: 'tls' });
  });
});

test('who is held up itself does not take a server for one that does not answer', async () => {
  const { port } = await server();
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void silent.close());
  const { out } = wayOut();
  const get = (url: URL) => ask(out.to({ named: url, connectMs: 100 }), 'send', url);
  const answer = get(new URL(`http://127.0.0.1:${port}/`));
  // The connection is begun then, and the time for it is over before anything can be heard of it.
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      resolve();
    });
  });
  expect(await answer).toBe('here');
  // The control.
  const { port: deaf } = silent.address() as AddressInfo;
  await expect(get(new URL(`https://127.0.0.1:${deaf}/`))).rejects.toMatchObject({ reason: 'timeout' });
});

/** A proxy whose every tunnel ends at the port. */
async function proxyTo(port: number) {
  const tunnels: string[] = [];
  const proxy = http.createServer();
  proxy.on('connect', (request, socket: net.Socket) => {
    tunnels.push(request.url ?? '');
    const onward = net.connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
}
