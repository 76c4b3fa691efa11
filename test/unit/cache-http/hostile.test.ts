// One client, or one origin, that wants to spoil the cache for all others.
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Origins } from '../../../src/cache/http/index.ts';
import { OutFault, type WayOut } from '../../../src/wire/way-out.ts';
import { HOST, startRig, textOf } from './rig.ts';

test('a body that breaks off before its origin is asked harms the one client alone', async () => {
  const rig = await startRig((_, response) => response.end('fine'));
  const uncaught: string[] = [];
  const watch = (fault: Error): void => void uncaught.push(fault.message);
  process.on('uncaughtExceptionMonitor', watch);
  onTestFinished(() => void process.off('uncaughtExceptionMonitor', watch));
  await rig.origin.stop();
  expect((await rig.get('/a')).status).toBe(424);
  const head = `POST /a HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  await new Promise<void>((resolve, reject) => {
    const client = net.connect(rig.port, '127.0.0.1', () => client.end(`${head}no chunk\r\n`));
    client.on('data', () => {});
    client.on('close', () => resolve());
    client.on('error', reject);
  });
  expect(uncaught).toEqual([]);
  expect((await rig.get('/a')).status).toBe(424);
});

test('an origin that lets nobody in without TLS is asked with it all the same', async () => {
  const asked: string[] = [];
  const wayOut = {
    to: () => ({
      send: ({ protocol }: URL) => {
        asked.push(protocol);
        return Promise.reject(
          protocol === 'http:' ? new OutFault('unreachable', 'nobody there') : new OutFault('broken', 'it was asked'),
        );
      },
    }),
  } as unknown as WayOut;
  const origins = new Origins([{ host: HOST, origin: null }], wayOut, []);
  const ask = (url: string) =>
    origins.ask(new URL(url), { method: 'GET', client: '10.0.0.1', headers: [], body: null });
  await expect(ask(`http://${HOST}/`)).rejects.toThrow('nobody there');
  await expect(ask(`https://${HOST}/`)).rejects.toThrow('it was asked');
  // The control: the one that is down is left alone for a while.
  await expect(ask(`http://${HOST}/`)).rejects.toThrow('cannot be reached');
  // Again, since a server may have closed connections that were idle.
  expect(asked).toEqual(['http:', 'https:', 'https:', 'https:']);
});

test('the end of a part, where nobody says how long the whole is, is not taken for the end of the whole', async () => {
  const rig = await startRig((request, response) => {
    if (request.headers.range === undefined) {
      response.writeHead(200, { 'Cache-Control': 'max-age=60', ETag: '"a"' });
      response.write('a'.repeat(100), () => response.destroy());
      return;
    }
    response.writeHead(206, { ETag: '"a"', 'Content-Range': 'bytes 100-149/*', 'Content-Length': 50 });
    response.end('b'.repeat(50));
  });
  await expect(rig.get('/a')).rejects.toThrow();
  expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
});

test('a body that ends with its connection does not resume one that did not', async () => {
  const rig = await startRig((request, response) => {
    if (request.headers.range === undefined) {
      response.writeHead(200, { 'Cache-Control': 'max-age=60', ETag: '"a"' });
      response.write('a'.repeat(100), () => response.destroy());
      return;
    }
    // Of the two hundred bytes half: it broke off, and nobody can tell.
    response.socket?.end('HTTP/1.1 200 OK\r\nETag: "a"\r\nConnection: close\r\n\r\n'.concat('a'.repeat(150)));
  });
  await expect(rig.get('/a')).rejects.toThrow();
  expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
});

test('what is meant for one who waits is not let go by one who has been served', async () => {
  const body = 'x'.repeat(500_000);
  let answerSecond = (): void => {};
  const rig = await startRig((_, response) => {
    if (rig.origin.asked.length === 1) {
      const stale = { 'Cache-Control': 'max-age=1, stale-while-revalidate=1000', Age: '10', ETag: '"a"' };
      response.writeHead(200, { ...stale, 'Content-Length': 3 }).end('old');
      return;
    }
    answerSecond = () => {
      response.writeHead(200, { 'Cache-Control': 'no-store', 'Content-Length': body.length });
      response.end(body);
    };
  });
  await rig.get('/a');
  await expect.poll(() => rig.store.get(`http:http://${HOST}/a`)).toHaveLength(1);
  const waiting = rig.open('/a', { 'Cache-Control': 'no-cache' });
  await expect.poll(() => rig.origin.asked.length).toBe(2);
  expect((await rig.get('/a')).body).toBe('old');
  answerSecond();
  expect((await textOf(await waiting)) === body).toBe(true);
});

test('what has a longer address than the store takes is passed on, and nothing of it stays', async () => {
  const rig = await startRig((_, response) => {
    response.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': 4 }).end('fine');
  });
  const path = `/a?${'x'.repeat(9000)}`;
  for (const _ of [1, 2]) expect((await rig.get(path)).way).toContain('detail=address');
  expect(rig.store.stats()).toMatchObject({ fills: 0, records: 0 });
  expect(rig.faults).toEqual([]);
});

test("what a client's own condition has provoked is given to nobody else", async () => {
  const rig = await startRig((request, response) => {
    const failed = request.headers['if-match'] !== undefined;
    response.writeHead(failed ? 412 : 200, { 'Cache-Control': 'max-age=60', 'Content-Length': 4 }).end('some');
  });
  expect((await rig.get('/a', { 'If-Match': '"nobody"' })).status).toBe(412);
  expect((await rig.get('/a')).status).toBe(200);
});

test('credentials that an answer varies by tell it apart, and do not lie in the store', async () => {
  const rig = await startRig((request, response) => {
    const body = `for ${request.headers.authorization}`;
    const head = { 'Cache-Control': 'public, max-age=60', Vary: 'Authorization', 'Content-Length': body.length };
    response.writeHead(200, head).end(body);
  });
  const ask = (secret: string) => rig.get('/a', { Authorization: `Bearer ${secret}` });
  expect((await ask('one')).body).toBe('for Bearer one');
  await expect.poll(() => rig.store.get(`http:http://${HOST}/a`)).toHaveLength(1);
  expect((await ask('two')).body).toBe('for Bearer two');
  const again = await ask('one');
  expect(again.body).toBe('for Bearer one');
  expect(again.way).toContain('hit');
  expect(JSON.stringify(await rig.store.get(`http:http://${HOST}/a`))).not.toContain('Bearer');
});
