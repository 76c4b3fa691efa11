/** RED-TEAM 61, 62, 65 and 67: what one client does must not become what another one gets. */

import type http from 'node:http';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { HOST, startRig } from './rig.ts';

const LONG = { 'Cache-Control': 'max-age=60' };

/** A naive origin: whatever stands in the field becomes what it answers, and it does not say so. */
function echoing(field: string, headers: http.OutgoingHttpHeaders = LONG) {
  return (request: http.IncomingMessage, response: http.ServerResponse) => {
    response.writeHead(200, headers).end(`for ${String(request.headers[field])}`);
  };
}

describe('a field that one client sends', () => {
  test.each(['x-forwarded-host', 'x-original-url', 'user-agent', 'referer', 'forwarded', 'x-unheard-of', 'origin'])(
    '(%s) is nothing that another one gets an answer to',
    async (field) => {
      const rig = await startRig(echoing(field));
      await rig.get('/a', { [field]: 'evil.example.org' });
      expect((await rig.get('/a')).body).not.toContain('evil');
    },
  );

  test('becomes an answer for all where the site lets it through: the control', async () => {
    const rules = [{ host: HOST, path: '/**', forward: ['x-forwarded-host'] }];
    const rig = await startRig(echoing('x-forwarded-host'), { rules });
    await rig.get('/a', { 'x-forwarded-host': 'evil.example.org' });
    expect((await rig.get('/a')).body).toBe('for evil.example.org');
  });

  test('and that the cache does not know reaches the origin, for that client alone', async () => {
    const rig = await startRig(echoing('private-token'));
    expect((await rig.get('/a', { 'private-token': 'secret' })).body).toBe('for secret');
    expect((await rig.get('/a')).body).toBe('for undefined');
    expect((await rig.get('/a', { 'private-token': 'secret' })).body).toBe('for secret');
    expect(rig.tally.requests.get('pass http')).toBe(2);
  });

  test('(range) has a part for an answer, which is no whole one for others though the origin says so', async () => {
    const whole = '0123456789';
    const rig = await startRig(({ headers: { range } }, response) => {
      response.writeHead(200, LONG).end(range === 'bytes=0-1' ? whole.slice(0, 2) : whole);
    });
    expect((await rig.get('/a', { range: 'bytes=0-1' })).body).toBe('01');
    expect((await rig.get('/a')).body).toBe(whole);
  });

  test('of what it accepts is kept apart, though the origin does not say that it varies', async () => {
    const rig = await startRig(echoing('accept'));
    expect((await rig.get('/a', { accept: 'evil/type' })).body).toBe('for evil/type');
    expect((await rig.get('/a', { accept: 'text/plain' })).body).toBe('for text/plain');
  });
});

describe('news of what is kept', () => {
  const naive = (control: string) => (request: http.IncomingMessage, response: http.ServerResponse) => {
    response.setHeader('Link', `<https://${String(request.headers['x-host-of-mine'] ?? request.headers.cookie)}/>`);
    response.writeHead(request.headers['if-none-match'] === '"a"' ? 304 : 200, {
      'Cache-Control': control,
      ETag: '"a"',
    });
    response.end();
  };

  test.each([
    ['HEAD', { 'x-host-of-mine': 'evil' }, 'public, no-cache'],
    ['GET', { 'x-host-of-mine': 'evil' }, 'public, no-cache'],
    ['HEAD', { cookie: 'evil' }, 'no-cache'],
    ['GET', { cookie: 'evil' }, 'no-cache'],
  ])('are not what the origin says to %s with %j', async (method, headers, control) => {
    const rig = await startRig(naive(control));
    const link = async () => (await rig.store.get(`http:http://${HOST}/a`)).map(({ meta }) => JSON.stringify(meta));
    await rig.get('/a');
    await expect.poll(async () => (await link()).length).toBe(1);
    expect((await rig.ask(method, '/a', headers)).headers.link).toBe('<https://evil/>');
    expect((await link())[0]).not.toContain('evil');
    // The control: what it says to everybody is.
    const before = await link();
    await rig.ask('HEAD', '/a');
    expect(await link()).not.toEqual(before);
  });
});

describe('credentials', () => {
  const secret = { authorization: 'Bearer secret' };

  test('reach the origin, and what it answers is for nobody else', async () => {
    const rig = await startRig(echoing('authorization'));
    expect((await rig.get('/a', secret)).body).toBe('for Bearer secret');
    expect((await rig.get('/a')).body).toBe('for undefined');
    expect((await rig.get('/a', secret)).body).toBe('for Bearer secret');
  });

  test('make no difference where the origin says that it is for all: the control', async () => {
    const rig = await startRig(echoing('authorization', { 'Cache-Control': 'public, max-age=60' }));
    await rig.get('/a', secret);
    expect((await rig.get('/a')).body).toBe('for Bearer secret');
  });

  test('in cookies are no different, and cookies that are set are for the one who asked', async () => {
    const rig = await startRig(echoing('cookie', { ...LONG, 'Set-Cookie': 'session=1' }));
    expect(await rig.get('/a', { cookie: 'me' })).toMatchObject({
      body: 'for me',
      headers: { 'set-cookie': ['session=1'] },
    });
    expect(await rig.get('/a')).toMatchObject({ body: 'for undefined', headers: { 'set-cookie': ['session=1'] } });
    const { headers, body } = await rig.get('/a');
    expect(body).toBe('for undefined');
    expect(headers['set-cookie']).toBeUndefined();
    expect(rig.origin.asked).toHaveLength(2);
  });

  test.each([401, 403])('that were refused with %d are not refused to others', async (status) => {
    const rig = await startRig((_, response) => void response.writeHead(status, LONG).end());
    await rig.get('/a');
    rig.origin.serve = (_, response) => void response.writeHead(200, LONG).end('welcome');
    expect((await rig.get('/a')).body).toBe('welcome');
  });
});

describe('the cache is no relay', () => {
  test('for a host that is not configured, a port that is no service of it, or an address inside', async () => {
    const rig = await startRig(echoing('x'), { hosts: ['127.0.0.1', 'localhost', '*.below.example.org'] });
    const refused = [
      { host: 'elsewhere.example.org' },
      { host: 'below.example.org' },
      { host: 'xbelow.example.org' },
      { host: 'localhost:22' },
      { host: `${HOST}@elsewhere.example.org` },
      { host: '' },
    ];
    for (const headers of refused) expect([400, 421]).toContain((await rig.get('/a', headers)).status);
    expect(await rig.get('/a', { host: '127.0.0.1' })).toMatchObject({
      status: 403,
      body: expect.stringContaining('127.0.0.1'),
    });
    expect((await rig.get('/a', { host: 'localhost' })).status).toBe(403);
    expect(rig.origin.asked).toHaveLength(0);
  });

  test('for another host than the one that the address in the request names', async () => {
    const rig = await startRig(echoing('host'));
    expect((await rig.get('http://elsewhere.example.org/a')).status).toBe(421);
    expect((await rig.get(`http://${HOST}/a`, { host: 'elsewhere.example.org' })).status).toBe(200);
    expect((await rig.get(`ftp://${HOST}/a`)).status).toBe(400);
    expect((await rig.get('/a\\..\\b')).status).toBe(400);
  });

  test('in a circle', async () => {
    const rig = await startRig((request, response) => {
      response.writeHead(200).end(String(request.headers.via));
    });
    const via = (await rig.get('/a')).body;
    expect(via).toMatch(/^1\.1 berthgate-[0-9a-f]{12}$/);
    expect((await rig.get('/a', { via })).status).toBe(508);
    expect((await rig.get('/a', { via: '1.1 somebody-else' })).status).toBe(200);
  });

  test('to tunnels, where nobody has given it a way', async () => {
    const rig = await startRig(echoing('x'));
    const socket = net.connect(rig.port, '127.0.0.1');
    socket.end(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`);
    const pieces: Buffer[] = [];
    for await (const piece of socket) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('to other tunnels than those that somebody opens', async () => {
    const asked: string[] = [];
    const rig = await startRig(echoing('x'), {
      connect: (authority) => {
        asked.push(authority);
        return authority === `${HOST}:443` ? (stream) => void stream.pipe(stream) : null;
      },
    });
    const through = (authority: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = net.connect(rig.port, '127.0.0.1');
        let heard = '';
        socket.on('data', (piece) => {
          heard += piece;
          if (heard.includes('\r\n\r\n') && !heard.endsWith('hello')) socket.end('hello');
        });
        socket.on('end', () => resolve(heard));
        socket.on('error', reject);
        socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
      });
    expect(await through(`${HOST}:443`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhello$/);
    expect(await through(`${HOST}:22`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(asked).toEqual([`${HOST}:443`, `${HOST}:22`]);
  });

  test('by what the very same bytes meant on a connection for another host', async () => {
    let serverName: string | null = null;
    const arrival = {
      get serverName() {
        return serverName;
      },
    };
    const rig = await startRig((_, response) => void response.writeHead(200, LONG).end('own'), { arrival });
    await rig.get('/a');
    await expect.poll(async () => (await rig.get('/a')).way).toMatch(/hit/);
    serverName = 'other.example.org';
    expect(await rig.get('/a')).toMatchObject({ status: 421 });
    serverName = HOST;
    expect(await rig.get('/a')).toMatchObject({ status: 200 });
  });

  test('for another host than the one that TLS was ended for', async () => {
    const rig = await startRig(echoing('x'), { arrival: { serverName: HOST }, hosts: ['other.example.org'] });
    expect((await rig.get('/a')).status).toBe(200);
    expect(await rig.get('/a', { host: 'other.example.org' })).toMatchObject({ status: 421 });
  });
});
