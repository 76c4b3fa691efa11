// What the gateway takes from registries, and what it shows them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { basic, digestOf, registry, say } from './fake-registry.ts';
import { APP, alice, pushed, R, startRig } from './rig.ts';

test('credentials go to the registry alone: not along a redirect, nor to a realm of somebody else', async () => {
  const thief = await registry();
  const stolen = await registry('bearer', `${thief.url.replace('127.0.0.1', 'localhost')}/token`);
  const fake = await registry('basic');
  const allowPrivate = [{ family: 'ipv4', address: '127.0.0.0', prefix: 8 }] as const;
  const rig = await startRig([{ url: fake.url }, { host: 'stolen.example.org', url: stolen.url }], {
    outbound: { allowPrivate },
  });
  const grant = rig.grant({ pull: 'every', credentials: () => alice });
  await pushed(rig, grant);
  fake.answer = ({ url }, response) => {
    if (!url.includes('/blobs/')) return false;
    response.setHeader('Location', `${thief.url}/signed?a=b`);
    say(response, 307, null);
    return true;
  };
  thief.answer = (_, response) => {
    say(response, 200, { token: 'x', stored: 'elsewhere' });
    return true;
  };
  const blob = await rig.ask('GET', `${APP}/blobs/${digestOf('x')}`, { grant, headers: { range: 'bytes=0-' } });
  expect(blob).toMatchObject({ status: 200, body: expect.stringContaining('elsewhere') });
  expect(fake.asked.at(-1)?.headers.authorization).toBe(basic('alice:secret'));
  expect(thief.asked.map(({ url, headers }) => [url, headers.range, headers.authorization])).toEqual([
    ['/signed?a=b', 'bytes=0-', undefined],
  ]);
  const realm = await rig.ask('GET', '/v2/alice/stolen.example.org/x/manifests/1', { grant });
  expect(realm).toMatchObject({ status: 403, body: expect.stringContaining('not of its own domain') });
  expect(thief.asked.length).toBe(1);
  // The control: a realm that the administrator names gets them.
  const trusting = await startRig([{ url: stolen.url, realms: ['localhost'] }], { outbound: { allowPrivate } });
  await trusting.ask('GET', `${APP}/manifests/1`, { grant: trusting.grant({ credentials: () => alice }) });
  expect(thief.asked.at(-1)?.headers.authorization).toBe(basic('alice:secret'));
});

test("Berthgate's own account is for the quota of what everybody may pull, and for nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-own-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'own.json'), JSON.stringify({ username: 'alice', password: 'secret' }));
  const fake = await registry('basic');
  const credentials = join(folder, 'own.json');
  const rig = await startRig([{ url: fake.url, credentials }]);
  const guarded = await startRig([{ url: fake.url, credentials, private: true }]);
  await pushed(rig, rig.grant({ credentials: () => alice }));
  const path = `${APP}/manifests/1`;
  expect((await rig.ask('GET', path, { grant: rig.grant() })).status).toBe(401);
  // The control: it is there for who has the right to it.
  expect((await rig.ask('GET', path, { grant: rig.grant({ credentials: () => alice }) })).status).toBe(200);
  fake.answer = ({ method, url, headers }, response) => {
    const isOpen = method === 'HEAD' && url.includes('/manifests/') && headers.authorization === undefined;
    if (isOpen) response.writeHead(200).end();
    return isOpen;
  };
  expect((await rig.ask('GET', path, { grant: rig.grant() })).status).toBe(200);
  expect(fake.asked.at(-1)?.headers.authorization).toBe(basic('alice:secret'));
  expect((await rig.ask('PUT', path, { grant: rig.grant(), body: 'x' })).status).toBe(401);
  const wrong = rig.grant({ credentials: () => ({ kind: 'password', username: 'alice', password: 'wrong' }) });
  expect((await rig.ask('GET', path, { grant: wrong })).status).toBe(401);
  expect((await guarded.ask('GET', path, { grant: guarded.grant() })).status).toBe(401);
});

test('a registry that a user names is not a way to what lies inside', async () => {
  const inside = await registry();
  const rig = await startRig([]);
  const grant = rig.grant({ pull: 'every' });
  const { port } = new URL(inside.url);
  for (const host of [
    `127.0.0.1__${port}`,
    `localhost__${port}`,
    '169.254.169.254',
    '10.0.0.1__5000',
    `x_${Buffer.from(`[::1]:${port}`).toString('hex')}`,
    `0.0.0.0__${port}`,
  ]) {
    const answer = await rig.ask('GET', `/v2/alice/${host}/x/manifests/1`, { grant });
    expect(answer, host).toMatchObject({ status: 403, body: expect.stringContaining('not on the open internet') });
  }
  expect(inside.asked).toEqual([]);
  // Nor along a redirect of one that is allowed.
  const front = await registry();
  front.answer = (_, response) => {
    response.setHeader('Location', `${inside.url}/x`);
    say(response, 302, null);
    return true;
  };
  const sent = await startRig([{ url: front.url }]);
  expect((await sent.ask('GET', `${APP}/blobs/${digestOf('x')}`, { grant: sent.grant() })).status).toBe(403);
  expect(inside.asked).toEqual([]);
  // The control: an inner network that is allowed.
  const allowed = await startRig([{ url: front.url }], {
    outbound: { allowPrivate: [{ family: 'ipv4', address: '127.0.0.0', prefix: 8 }] },
  });
  await allowed.ask('GET', `${APP}/blobs/${digestOf('x')}`, { grant: allowed.grant() });
  expect(inside.asked.length).toBe(1);
});

test('a registry that is not allowed is not asked', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }], { allow: ['*.example.com'] });
  const answer = await rig.ask('GET', `${APP}/manifests/1`, { grant: rig.grant() });
  expect(answer).toMatchObject({
    status: 403,
    body: expect.stringContaining(`the registry ${R} may not be used here`),
  });
  expect(rig.gateway.isAllowed('R.example.com')).toBe(true);
  expect(rig.gateway.isAllowed(R)).toBe(false);
  expect(fake.asked).toEqual([]);
});

test('a manifest has a bounded size, in both directions', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  const grant = rig.grant();
  const large = Buffer.alloc(9 * 1024 * 1024, 32);
  const put = await rig.ask('PUT', `${APP}/manifests/1`, { grant, body: large }).catch((fault: Error) => fault);
  expect(put instanceof Error ? 413 : put.status).toBe(413);
  expect(fake.asked.filter(({ method }) => method === 'PUT')).toEqual([]);
  fake.answer = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(large);
    return true;
  };
  // What has begun cannot be told otherwise than by a broken connection.
  await expect(rig.ask('GET', `${APP}/manifests/1`, { grant })).rejects.toThrow();
  expect((await rig.ask('GET', `${APP}/blobs/${digestOf('x')}`, { grant })).body.length).toBe(large.length);
});

test('an answer that breaks off is never a whole one', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  fake.answer = (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('half');
    setImmediate(() => response.destroy());
    return true;
  };
  await expect(rig.ask('GET', `${APP}/blobs/${digestOf('x')}`, { grant: rig.grant() })).rejects.toThrow();
});

test('a registry that is not there is an error that an engine can show', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  await fake.close();
  const answer = await rig.ask('GET', `${APP}/manifests/1`, { grant: rig.grant() });
  expect(answer).toMatchObject({ status: 502, body: expect.stringContaining('UNAVAILABLE') });
  expect(rig.faults.length).toBe(1);
  expect(rig.gateway.tally.faults.get('unreachable')).toBe(1);
  // dockerd shows what is wrong where the status is one of 4xx, and asks for uploads again and again but for a name of nothing.
  const headers = { 'user-agent': 'docker/28.5' };
  const pulled = await rig.ask('GET', `${APP}/manifests/1`, { grant: rig.grant(), headers });
  expect(pulled).toMatchObject({ status: 424, body: expect.stringContaining('UNAVAILABLE') });
  const pushed = await rig.ask('POST', `${APP}/blobs/uploads/`, { grant: rig.grant(), headers });
  expect(pushed).toMatchObject({ status: 404, body: expect.stringContaining('NAME_UNKNOWN') });
});

test("a login is asked of the registry itself, with dockerd's answers", async () => {
  const [plain, token] = [await registry('basic'), await registry('bearer')];
  const rig = await startRig([{ url: plain.url }, { host: 't.example.org', url: token.url }], {
    allow: ['r.*', 't.*', '10.*'],
  });
  const wrong = { ...alice, kind: 'password', username: 'alice', password: 'wrong' } as const;
  expect(await rig.gateway.checkLogin(R, alice)).toEqual({ status: 200, identity: '' });
  expect(await rig.gateway.checkLogin(`https://${R}/v1/`, wrong)).toEqual({
    status: 401,
    message: `login attempt to http://${R}/v2/ failed with status: 401 Unauthorized`,
  });
  expect(await rig.gateway.checkLogin('t.example.org', alice)).toEqual({ status: 200, identity: 'identity' });
  expect(await rig.gateway.checkLogin('t.example.org', wrong)).toEqual({
    status: 401,
    message: 'Get "http://t.example.org/v2/": unauthorized: incorrect username or password',
  });
  expect(await rig.gateway.checkLogin('u.example.org', alice)).toMatchObject({ status: 403 });
  expect(await rig.gateway.checkLogin('10.0.0.1', alice)).toMatchObject({ status: 403 });
});

test('a large blob is carried as it comes, at the pace of who reads it', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  let written = 0;
  const size = 256 * 1024 * 1024;
  const piece = Buffer.alloc(1024 * 1024, 7);
  fake.answer = (_, response) => {
    response.writeHead(200, { 'Content-Length': size });
    const more = (): void => {
      while (written < size) {
        written += piece.length;
        if (!response.write(piece)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
    return true;
  };
  const grant = rig.grant();
  const read = await new Promise<number>((resolve, reject) => {
    const headers = { authorization: `Bearer ${grant.capability}` };
    http.get(
      { port: rig.port, host: '127.0.0.1', path: `${APP}/blobs/${digestOf('x')}`, headers, agent: false },
      (answer) => {
        let bytes = 0;
        let held = 0;
        answer.on('data', (some: Buffer) => {
          bytes += some.length;
          held = Math.max(held, written - bytes);
        });
        answer.on('end', () => resolve(bytes === size ? held : -1));
        answer.on('error', reject);
      },
    );
  });
  expect(read).toBeGreaterThanOrEqual(0);
  // Sockets hold some megabytes on the way; nobody holds the blob.
  expect(read).toBeLessThan(64 * 1024 * 1024);
});
