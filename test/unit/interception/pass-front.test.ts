// What answers at the cache's addresses while there is no cache: the same hosts from their servers, and nobody else.
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PassFront } from '../../../src/cache/interception/pass-front.ts';
import { BODY, HOST, type Site, startSite } from '../../e2e/cached-site.ts';

let site: Site;
let front: PassFront;
let plainPort = 0;
let tlsPort = 0;
const servers: net.Server[] = [];

const listen = (accept: (socket: net.Socket) => void): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer({ allowHalfOpen: true }, accept);
    servers.push(server);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });

beforeAll(async () => {
  site = await startSite();
  const { proxy } = site.outbound as { readonly proxy: string };
  front = new PassFront([HOST], { proxy, noProxy: [], ca: [site.ca], allowPrivate: [] });
  plainPort = await listen((socket) => front.acceptPlain(socket));
  tlsPort = await listen((socket) => front.acceptTls(socket));
});
afterAll(() => {
  front.close();
  for (const server of servers) server.close();
  site.stop();
});

function say(socket: net.Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    socket.on('data', (bytes) => {
      got += bytes;
    });
    socket.on('error', (fault) => {
      got ||= fault.message;
    });
    socket.on('close', () => resolve(got));
    socket.write(text);
  });
}

const get = (host: string, target = '/'): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const secure = (servername: string): net.Socket =>
  tls.connect({ host: '127.0.0.1', port: tlsPort, servername, ca: site.ca });

test('HTTP and TLS of the hosts come from their servers, and nothing is left open', async () => {
  expect(await say(net.connect(plainPort, '127.0.0.1'), get(HOST, '/a'))).toContain(BODY);
  expect(await say(net.connect(plainPort, '127.0.0.1'), get('x', `http://${HOST}/b`))).toContain(BODY);
  expect(await say(secure(HOST), get(HOST, '/c'))).toContain(BODY);
  expect(site.asked).toEqual([`http ${HOST} /a`, `http ${HOST} /b`, `https ${HOST} /c`]);
  await expect.poll(() => front.connections, { timeout: 10_000 }).toBe(0);
});

test('nobody else is reached', async () => {
  const before = site.asked.length;
  expect(await say(net.connect(plainPort, '127.0.0.1'), get('pinned.example.org'))).toMatch(/^HTTP\/1\.1 421 /);
  expect(await say(secure('pinned.example.org'), get(HOST))).toMatch(/unrecognized name/i);
  for (const authority of ['pinned.example.org:443', `${HOST}:22`, '127.0.0.1:443']) {
    const asked = `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(await say(net.connect(plainPort, '127.0.0.1'), asked)).toMatch(/^HTTP\/1\.1 403 /);
  }
  expect(site.asked.length).toBe(before);
});
