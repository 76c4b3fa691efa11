import { randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { HOST, startRig } from './rig.ts';

const LONG = { 'Cache-Control': 'max-age=60' };

/** Answers with the fields, and with the number of the request as the body. */
function counting(headers: http.OutgoingHttpHeaders = LONG) {
  let count = 0;
  return (_: http.IncomingMessage, response: http.ServerResponse) => {
    count++;
    response.writeHead(200, headers).end(String(count));
  };
}

describe('what is kept', () => {
  test('is served without the origin, with its age and how it came', async () => {
    const rig = await startRig(counting());
    const first = await rig.get('/a');
    expect(first).toMatchObject({ status: 200, body: '1', way: 'berthgate; fwd=uri-miss; stored' });
    const second = await rig.get('/a');
    expect(second).toMatchObject({
      status: 200,
      body: '1',
      headers: { age: expect.stringMatching(/^\d+$/), via: '1.1 berthgate' },
    });
    await expect.poll(async () => (await rig.get('/a')).way).toMatch(/^berthgate; hit; ttl=\d+$/);
    expect(rig.origin.asked).toHaveLength(1);
  });

  test('grows older in memory too, and is asked for when its time is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const rig = await startRig(counting({ ...LONG, Date: new Date().toUTCString() }));
    await rig.get('/a');
    await expect.poll(async () => (await rig.get('/a')).way).toBe('berthgate; hit; ttl=60');
    vi.setSystemTime(Date.now() + 59_000);
    for (const _ of [1, 2]) {
      expect(await rig.get('/a')).toMatchObject({ way: 'berthgate; hit; ttl=1', headers: { age: '59' }, body: '1' });
    }
    vi.setSystemTime(Date.now() + 1000);
    expect(await rig.get('/a')).toMatchObject({ way: 'berthgate; fwd=stale; stored', body: '2' });
  });

  test('is not served any more, in memory or not, once it has been removed', async () => {
    const rig = await startRig(counting());
    await rig.get('/a');
    await expect.poll(async () => (await rig.get('/a')).way).toMatch(/hit/);
    expect(await rig.store.delete(`http:http://${HOST}/a`)).toBe(true);
    expect((await rig.get('/a')).body).toBe('2');
  });

  test('of one query is not served for another one', async () => {
    const rig = await startRig(counting());
    expect((await rig.get('/a?x=1')).body).toBe('1');
    expect((await rig.get('/a?x=2')).body).toBe('2');
    expect((await rig.get('/a?x=1')).body).toBe('1');
  });

  test('of one host is not served for another one', async () => {
    const rig = await startRig(counting(), { hosts: ['other.example.org'] });
    // The control: for its own it is kept.
    await expect.poll(async () => (await rig.get('/a')).way).toContain('hit');
    expect((await rig.get('/a', { host: 'other.example.org' })).status).not.toBe(200);
  });

  test('is served to HEAD, and in part', async () => {
    const rig = await startRig(
      (_, response) => void response.writeHead(200, { ...LONG, ETag: '"a"', 'Content-Length': 10 }).end('0123456789'),
    );
    await rig.get('/a');
    expect(await rig.ask('HEAD', '/a')).toMatchObject({ status: 200, body: '', headers: { 'content-length': '10' } });
    expect(await rig.get('/a', { range: 'bytes=2-4' })).toMatchObject({
      status: 206,
      body: '234',
      headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' },
    });
    expect(await rig.get('/a', { range: 'bytes=10-' })).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */10' },
    });
    expect(await rig.get('/a', { range: 'bytes=2-4', 'if-range': '"b"' })).toMatchObject({
      status: 200,
      body: '0123456789',
    });
    expect(await rig.get('/a', { 'if-none-match': '"a"' })).toMatchObject({
      status: 304,
      body: '',
      headers: { etag: '"a"' },
    });
    expect(rig.origin.asked).toHaveLength(1);
  });

  test('of megabytes comes back byte for byte, whole and in part', async () => {
    const bytes = randomBytes(5_000_000);
    const rig = await startRig((_, response) => void response.writeHead(200, LONG).end(bytes));
    const whole = bytes.toString('latin1');
    expect((await rig.get('/a')).body === whole).toBe(true);
    await expect.poll(async () => (await rig.ask('HEAD', '/a')).way).toContain('hit');
    expect((await rig.get('/a')).body === whole).toBe(true);
    expect((await rig.get('/a', { range: 'bytes=3000000-4000000' })).body === whole.slice(3_000_000, 4_000_001)).toBe(
      true,
    );
    expect(rig.origin.asked).toHaveLength(1);
  });

  test('lies beside what is kept for other fields that the origin names', async () => {
    const rig = await startRig((request, response) => {
      response.writeHead(200, { ...LONG, Vary: 'Accept-Encoding' }).end(String(request.headers['accept-encoding']));
    });
    expect((await rig.get('/a', { 'accept-encoding': 'gzip' })).body).toBe('gzip');
    expect((await rig.get('/a', { 'accept-encoding': 'br' })).body).toBe('br');
    expect((await rig.get('/a', { 'accept-encoding': 'gzip' })).body).toBe('gzip');
    expect(rig.origin.asked).toHaveLength(2);
  });
});

describe('the origin is asked whether it is still right', () => {
  test('and where it is, its news are told and kept', async () => {
    const rig = await startRig((request, response) => {
      if (request.headers['if-none-match'] === '"a"') response.writeHead(304, { ...LONG, 'X-News': '1' }).end();
      else response.writeHead(200, { 'Cache-Control': 'no-cache', ETag: '"a"' }).end('whole');
    });
    await rig.get('/a');
    expect(await rig.get('/a')).toMatchObject({
      status: 200,
      body: 'whole',
      headers: { 'x-news': '1' },
      way: expect.stringMatching(/^berthgate; fwd=stale; fwd-status=304; ttl=\d+$/),
    });
    expect((await rig.get('/a')).way).toMatch(/^berthgate; hit; ttl=\d+$/);
    expect(rig.origin.asked).toHaveLength(2);
  });

  test('by a client that says max-age=0, as apt does, and caches on the way are told so', async () => {
    const rig = await startRig(counting({ ...LONG, ETag: '"a"' }));
    await rig.get('/a');
    expect((await rig.get('/a', { 'cache-control': 'max-age=0' })).body).toBe('2');
    expect(rig.origin.asked[1]?.headers['cache-control']).toBe('max-age=0');
  });

  test('while what is stale is served, where it may be', async () => {
    const rig = await startRig(counting({ 'Cache-Control': 'max-age=0, stale-while-revalidate=60', ETag: '"a"' }));
    expect((await rig.get('/a')).body).toBe('1');
    await expect.poll(async () => Number((await rig.get('/a')).body)).toBeGreaterThan(1);
    expect((await rig.get('/a')).way).toContain('hit');
  });

  test('by HEAD too, and what it says of another body throws the kept one away', async () => {
    let tag = '"a"';
    const rig = await startRig(
      (_, response) =>
        void response.writeHead(200, { 'Cache-Control': 'max-age=0', ETag: tag, 'Content-Length': 1 }).end('x'),
    );
    await rig.get('/a');
    await expect.poll(async () => (await rig.store.get(`http:http://${HOST}/a`)).length).toBe(1);
    tag = '"b"';
    expect((await rig.ask('HEAD', '/a')).headers.etag).toBe('"b"');
    expect(await rig.store.get(`http:http://${HOST}/a`)).toEqual([]);
  });
});

describe('where the origin fails', () => {
  async function staleRig(control: string) {
    const rig = await startRig(counting({ 'Cache-Control': control, ETag: '"a"' }));
    await rig.get('/a');
    await expect.poll(async () => (await rig.store.get(`http:http://${HOST}/a`)).length).toBe(1);
    return rig;
  }

  test('what is stale stands in, and it is said', async () => {
    const rig = await staleRig('max-age=0');
    await rig.origin.stop();
    expect(await rig.get('/a')).toMatchObject({
      status: 200,
      body: '1',
      way: expect.stringMatching(/^berthgate; hit; ttl=/),
    });
    expect(rig.faults).toEqual([expect.stringContaining('what is kept stands in')]);
    expect(rig.tally.requests.get('stale http')).toBe(1);
  });

  test.each([500, 503, 429])('with %d, what is stale stands in', async (status) => {
    const rig = await staleRig('max-age=0');
    rig.origin.serve = (_, response) => void response.writeHead(status).end();
    expect(await rig.get('/a')).toMatchObject({ status: 200, body: '1' });
  });

  test.each(['max-age=0, must-revalidate', 'no-cache', 's-maxage=0', 'max-age=0, proxy-revalidate'])(
    'what says %s does not, and the host is named',
    async (control) => {
      const rig = await staleRig(control);
      await rig.origin.stop();
      expect(await rig.get('/a')).toMatchObject({ status: 424, body: expect.stringContaining(HOST) });
    },
  );

  test('what says nothing of how long it may be kept stands in all the same', async () => {
    const rig = await startRig((_, response) => void response.end('index'));
    await rig.get('/a');
    await expect.poll(async () => (await rig.store.get(`http:http://${HOST}/a`)).length).toBe(1);
    expect((await rig.get('/a')).way).toContain('fwd=stale');
    expect(rig.origin.asked).toHaveLength(2);
    await rig.origin.stop();
    expect(await rig.get('/a')).toMatchObject({ status: 200, body: 'index' });
  });

  test('what nobody has kept is not had, and the host is named', async () => {
    const rig = await startRig(counting());
    await rig.origin.stop();
    const said = `berthgate: ${HOST}: ${rig.origin.url.host} cannot be reached\n`;
    expect(await rig.get('/a')).toMatchObject({ status: 424, body: said });
  });

  test('who has asked for a proxy is told so as by any proxy', async () => {
    const rig = await startRig(counting());
    await rig.origin.stop();
    expect(await rig.get(`http://${HOST}/a`)).toMatchObject({ status: 504, body: expect.stringContaining(HOST) });
    const tunnelled = await startRig(counting(), { arrival: { isProxied: true } });
    await tunnelled.origin.stop();
    expect(await tunnelled.get('/a')).toMatchObject({ status: 504, body: expect.stringContaining(HOST) });
  });
});

describe('a client', () => {
  test('that wants only what is kept is told where nothing is', async () => {
    const rig = await startRig(counting());
    expect((await rig.get('/a', { 'cache-control': 'only-if-cached' })).status).toBe(504);
    expect(rig.origin.asked).toHaveLength(0);
  });

  test('that has something already is asked about at the origin in its own words', async () => {
    const rig = await startRig((_, response) => void response.writeHead(304).end());
    expect((await rig.get('/a', { 'if-none-match': '"mine"' })).status).toBe(304);
    expect(rig.origin.asked[0]?.headers['if-none-match']).toBe('"mine"');
  });

  test('that wants a part of what is not here gets it from the origin, and it is not kept as the whole', async () => {
    const rig = await startRig((request, response) => {
      if (request.headers.range === undefined) response.writeHead(200, LONG).end('0123456789');
      else response.writeHead(206, { ...LONG, 'Content-Range': 'bytes 0-1/10' }).end('01');
    });
    expect(await rig.get('/a', { range: 'bytes=0-1' })).toMatchObject({ status: 206, body: '01' });
    expect(await rig.get('/a')).toMatchObject({ status: 200, body: '0123456789' });
  });

  test('hears what the origin says before its answer', async () => {
    const rig = await startRig((_, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.writeHead(200, LONG).end('x');
    });
    const heard = await new Promise<http.InformationEvent>((resolve, reject) => {
      const request = http.get({
        port: rig.port,
        host: '127.0.0.1',
        path: '/a',
        headers: { host: HOST },
        agent: false,
      });
      request.on('information', resolve);
      request.on('response', (answer) => answer.resume());
      request.on('error', reject);
    });
    expect(heard).toMatchObject({ statusCode: 103, headers: { link: '</style.css>; rel=preload' } });
  });

  test('that speaks HTTP/1.0 gets its answer and the end of the connection', async () => {
    const rig = await startRig(counting());
    const socket = net.connect(rig.port, '127.0.0.1');
    socket.write(`GET /a HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`);
    const pieces: Buffer[] = [];
    for await (const piece of socket) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n1$/);
  });
});

describe('what changes something at the origin', () => {
  test.each(['POST', 'PUT', 'DELETE', 'M-SEARCH'])(
    'by %s is passed on, and what was kept is forgotten',
    async (method) => {
      const bodies: string[] = [];
      const rig = await startRig((request, response) => {
        if (request.method === 'GET') return void response.writeHead(200, LONG).end(String(rig.origin.asked.length));
        request.on('data', (piece: Buffer) => bodies.push(String(piece)));
        request.on('end', () => response.writeHead(200, { Location: '/b' }).end('done'));
      });
      expect((await rig.get('/a')).body).toBe('1');
      expect((await rig.get('/b')).body).toBe('2');
      expect(await rig.ask(method, '/a', { 'content-length': 4 }, 'body')).toMatchObject({ status: 200, body: 'done' });
      expect(bodies.join('')).toBe('body');
      expect((await rig.get('/a')).body).toBe('4');
      expect((await rig.get('/b')).body).toBe('5');
    },
  );

  test('and fails leaves alone what is kept', async () => {
    const rig = await startRig((request, response) => {
      response.writeHead(request.method === 'GET' ? 200 : 500, LONG).end(String(rig.origin.asked.length));
    });
    await rig.get('/a');
    expect((await rig.ask('POST', '/a')).status).toBe(500);
    expect((await rig.get('/a')).body).toBe('1');
  });

  test('elsewhere is nothing that an origin can make others forget', async () => {
    const rig = await startRig((request, response) => {
      response.writeHead(200, { ...LONG, Location: 'http://other.example.org/a' }).end(String(request.method));
    });
    await rig.store.put({ key: 'http:http://other.example.org/a', variant: '', meta: null }, 'none');
    const forget = vi.spyOn(rig.store, 'delete');
    await rig.ask('POST', '/a');
    expect(forget.mock.calls).toEqual([[`http:http://${HOST}/a`]]);
  });
});
