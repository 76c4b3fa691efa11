// Who gets what at the gateway, between an engine and a registry that are a test's own.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { basic, digestOf, registry } from './fake-registry.ts';
import { APP, alice, pushed, R, startRig } from './rig.ts';

for (const auth of ['none', 'basic', 'bearer'] as const) {
  test(`what is pushed in pieces is pulled again (${auth})`, async () => {
    const fake = await registry(auth);
    const rig = await startRig([{ url: fake.url }]);
    const grant = rig.grant({ credentials: () => alice });
    const { manifest, blob } = await pushed(rig, grant);
    const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json';
    const got = await rig.ask('GET', `${APP}/manifests/1`, { grant, headers: { accept } });
    expect(got).toMatchObject({ status: 200, body: manifest, headers: { 'content-type': accept } });
    const head = await rig.ask('HEAD', `${APP}/manifests/1`, { grant });
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': String(manifest.length) } });
    expect((await rig.ask('GET', `${APP}/blobs/${digestOf(blob)}`, { grant })).body).toBe(blob);
    const part = await rig.ask('GET', `${APP}/blobs/${digestOf(blob)}`, { grant, headers: { range: 'bytes=2-' } });
    expect(part).toMatchObject({ status: 206, body: blob.slice(2), headers: { 'content-range': `bytes 2-6/7` } });
    const tags = await rig.ask('GET', `${APP}/tags/list?n=2`, { grant });
    expect(JSON.parse(tags.body)).toEqual({ name: 'alice/r.example.org__5000/team/app', tags: ['1', '2'] });
    const none = await rig.ask('GET', `${APP}/manifests/2`, { grant });
    expect(none).toMatchObject({ status: 404, body: '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}' });
    expect(fake.asked.every(({ url }) => !url.includes('alice'.concat('/')) && !url.includes('example.org'))).toBe(
      true,
    );
    expect(rig.faults).toEqual([]);
  });
}

test('tokens are asked for once, and never shared between credentials', async () => {
  const fake = await registry('bearer');
  const rig = await startRig([{ url: fake.url }]);
  const tokens = (): number => fake.asked.filter(({ url }) => url.startsWith('/token')).length;
  const mine = rig.grant({ credentials: () => alice });
  await pushed(rig, mine);
  const before = tokens();
  await pushed(rig, rig.grant({ credentials: () => alice }));
  expect(tokens()).toBe(before);
  const nobody = await rig.ask('GET', `${APP}/manifests/1`, { grant: rig.grant() });
  expect(nobody.status).toBe(401);
  expect(nobody.headers['www-authenticate']).toContain('error="insufficient_scope"');
  expect(nobody.headers['www-authenticate']).not.toContain(fake.host);
  expect((await rig.ask('GET', `${APP}/manifests/1`, { grant: mine })).status).toBe(200);
});

test('a password that the realm refuses is told as the registry would, and a build is not asked for another', async () => {
  const fake = await registry('bearer');
  const rig = await startRig([{ url: fake.url }]);
  const wrong = { kind: 'password', username: 'alice', password: 'wrong' } as const;
  const grant = rig.grant({ credentials: () => wrong });
  const refused = await rig.ask('GET', `${APP}/manifests/1`, { grant });
  expect(refused).toMatchObject({ status: 401, body: expect.stringContaining('incorrect username or password') });
  expect(refused.headers['www-authenticate']).toContain('error="insufficient_scope"');
  const inPath = await rig.ask('GET', `/v2/c_${grant.capability}/r.example.org__5000/team/app/manifests/1`);
  expect(inPath).toMatchObject({ status: 403, body: expect.stringContaining('incorrect username or password') });
  expect(inPath.headers['www-authenticate']).toBeUndefined();
});

test('an identity token is shown to the realm, a registry token to the registry', async () => {
  const fake = await registry('bearer');
  const rig = await startRig([{ url: fake.url }]);
  await pushed(rig, rig.grant({ credentials: () => ({ kind: 'identity', token: 'identity' }) }));
  const posted = fake.asked.find(({ method, url }) => method === 'POST' && url === '/token');
  expect(posted?.body).toContain('grant_type=refresh_token');
  const shown = rig.grant({ credentials: () => ({ kind: 'bearer', token: 'good-one' }) });
  expect((await rig.ask('GET', `${APP}/manifests/1`, { grant: shown })).status).toBe(200);
  expect(fake.asked.at(-1)?.headers.authorization).toBe('Bearer good-one');
});

test('whoever has no capability of a call gets nothing, and is not told what there is', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  const ended = rig.grant();
  await pushed(rig, ended);
  const asked = fake.asked.length;
  const paths = [
    '/v2/',
    '/v2/_catalog',
    `${APP}/manifests/1`,
    `${APP}/tags/list`,
    '/v2/bob/docker.io/x/tags/list',
    '/nowhere',
    '/',
  ];
  // The control: with one each of them is told apart.
  expect(
    new Set(await Promise.all(paths.map(async (path) => (await rig.ask('GET', path, { grant: ended })).status))).size,
  ).toBeGreaterThan(1);
  ended.end();
  for (const headers of [
    {},
    { authorization: `Bearer ${ended.capability}` },
    { authorization: basic(`berthgate:${ended.capability}`) },
    { authorization: `Bearer ${'0'.repeat(40)}` },
    { authorization: 'Bearer' },
    { authorization: basic('alice:secret') },
  ]) {
    for (const path of paths) {
      const answer = await rig.ask('GET', path, { headers });
      expect({ path, status: answer.status, body: answer.body }).toEqual({
        path,
        status: 401,
        body: '{"errors":[{"code":"UNAUTHORIZED","message":"no right to this"}]}',
      });
      expect(answer.headers['www-authenticate']).toMatch(
        /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/token",service="berthgate"$/,
      );
    }
    const upload = await rig.ask('POST', `${APP}/blobs/uploads/`, { headers, body: 'x' });
    expect(upload.status).toBe(401);
    expect((await rig.ask('GET', '/token', { headers })).status).toBe(401);
  }
  expect(fake.asked.length).toBe(asked + 2);
});

test('the token realm gives an engine its own capability, and nothing else', async () => {
  const rig = await startRig([]);
  const grant = rig.grant();
  const said = { authorization: basic(`berthgate:${grant.capability}`) };
  const token = JSON.parse(
    (await rig.ask('GET', '/token?scope=repository:a:pull&service=berthgate', { headers: said })).body,
  );
  expect(token).toMatchObject({ token: grant.capability, access_token: grant.capability });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const posted = await rig.ask('POST', '/token', {
    headers: form,
    body: `grant_type=password&password=${grant.capability}`,
  });
  expect(JSON.parse(posted.body)).toMatchObject({ access_token: grant.capability });
  expect((await rig.ask('POST', '/token', { headers: form, body: 'password=x' })).status).toBe(401);
  expect((await rig.ask('POST', '/token', { headers: form, body: `password=${'x'.repeat(100_000)}` })).status).toBe(
    401,
  );
});

test('a capability is for its namespace, its repositories and its operation', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }, { host: 'other.example.org', url: fake.url }]);
  const whole = rig.grant();
  await pushed(rig, whole);
  const pull = rig.grant({ push: [], pull: [{ registry: R, path: 'team/app' }] });
  const status = async (method: string, path: string, grant = pull): Promise<number> =>
    (await rig.ask(method, path, { grant, body: method === 'GET' ? '' : 'x' })).status;
  expect(await status('GET', `${APP}/manifests/1`)).toBe(200);
  expect(await status('PUT', `${APP}/manifests/1`)).toBe(403);
  expect(await status('POST', `${APP}/blobs/uploads/`)).toBe(403);
  expect(await status('DELETE', `${APP}/manifests/1`)).toBe(403);
  expect(await status('GET', `${APP}/manifests/1`.replace('alice', 'bob'))).toBe(404);
  expect(await status('GET', `${APP}2/manifests/1`)).toBe(403);
  expect(await status('GET', '/v2/alice/other.example.org/team/app/manifests/1')).toBe(403);
  // The controls: each of them is there for who may.
  expect(await status('GET', '/v2/bob/r.example.org__5000/team/app/manifests/1', rig.grant({ namespace: 'bob' }))).toBe(
    200,
  );
  expect(await status('GET', '/v2/alice/other.example.org/team/app/manifests/1', rig.grant({ pull: 'every' }))).toBe(
    200,
  );
  expect(await status('PUT', `${APP}/manifests/1`, whole)).toBe(201);
  expect(JSON.parse((await rig.ask('GET', '/v2/_catalog', { grant: pull })).body)).toEqual({
    repositories: ['alice/r.example.org__5000/team/app'],
  });
});

test('a build finds images by the capability in their name, and is never asked who it is', async () => {
  const fake = await registry('basic');
  const rig = await startRig([{ url: fake.url }]);
  const grant = rig.grant({ credentials: () => alice });
  await pushed(rig, grant);
  const build = rig.grant({ push: [], pull: 'every', credentials: () => alice });
  const path = `/v2/c_${build.capability}/r.example.org__5000/team/app/manifests/1`;
  expect((await rig.ask('GET', path)).status).toBe(200);
  const stranger = rig.grant({ push: [], pull: 'every' });
  const denied = await rig.ask('GET', path.replace(build.capability, stranger.capability));
  expect(denied).toMatchObject({ status: 403 });
  expect(denied.headers['www-authenticate']).toBeUndefined();
  build.end();
  const late = await rig.ask('GET', path);
  expect(late.status).toBe(403);
  expect(late.headers['www-authenticate']).toBeUndefined();
  // One that is in the head counts for nothing where there is one in the path.
  expect((await rig.ask('GET', path, { grant })).status).toBe(403);
});

test('a blob is mounted from the own namespace and the same registry only', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  const grant = rig.grant();
  const digest = digestOf('x');
  const mount = async (from: string): Promise<string | undefined> => {
    await rig.ask('POST', `${APP}/blobs/uploads/?mount=${digest}&from=${from}`, {
      grant,
      headers: { 'content-length': 0 },
    });
    return fake.asked.at(-1)?.url;
  };
  expect(await mount('alice/r.example.org__5000/team/base')).toBe(
    `/v2/team/app/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=team%2Fbase`,
  );
  for (const from of [
    'bob/r.example.org__5000/team/base',
    'alice/docker.io/library/debian',
    'team/base',
    '../team/base',
    'alice%2Fr.example.org__5000%2F..%2Fbase',
    '',
  ])
    expect(await mount(from), from).toBe('/v2/team/app/blobs/uploads/');
});

test('an upload goes on only where the registry has said, and for its own repository', async () => {
  const fake = await registry();
  const elsewhere = await registry();
  const rig = await startRig([{ url: fake.url }]);
  const grant = rig.grant({
    push: [
      { registry: R, path: 'team/app' },
      { registry: R, path: 'team/b' },
    ],
  });
  const { headers } = await rig.ask('POST', `${APP}/blobs/uploads/`, { grant, headers: { 'content-length': 0 } });
  const place = headers.location as string;
  const sealed = place.split('/').at(-1) as string;
  const status = async (path: string): Promise<number> => (await rig.ask('PATCH', path, { grant, body: 'x' })).status;
  expect(await status(place)).toBe(202);
  expect(await status(place.replace('team/app', 'team/b'))).toBe(404);
  const [, mac] = sealed.split('.');
  const forged = `${Buffer.from(`${elsewhere.url}/x`).toString('base64url')}.${mac}`;
  expect(await status(place.replace(sealed, forged))).toBe(404);
  expect(await status(`${APP}/blobs/uploads/x.y`)).toBe(404);
  expect(elsewhere.asked).toEqual([]);
});

test('what could be read in two ways is no request', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  const { capability } = rig.grant();
  const raw = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = net.connect(rig.port, '127.0.0.1', () => socket.write(text));
      let said = '';
      socket.on('data', (bytes) => {
        said += String(bytes);
        if (said.includes('\r\n\r\n')) socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(said.split('\r\n', 1)[0] ?? ''));
    });
  const head = `Host: x\r\nAuthorization: Bearer ${capability}\r\n`;
  const put = `PUT ${APP}/manifests/1 HTTP/1.1\r\n${head}`;
  // The control.
  expect(await raw(`${put}Content-Length: 2\r\n\r\n{}`)).toContain('201');
  const asked = fake.asked.length;
  for (const framing of [
    'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'Content-Length : 2\r\n\r\n{}',
    'Content-Length: +2\r\n\r\n{}',
  ])
    expect(await raw(put + framing), framing).toContain('400');
  expect(fake.asked.length).toBe(asked);
});

test('what is for a call of the process before an upgrade, or after it, is asked there', async () => {
  const fake = await registry('basic');
  const before = await startRig([{ url: fake.url }]);
  const after = await startRig([{ url: fake.url }], { state: before.state });
  for (const [issuer, asked] of [
    [before, after],
    [after, before],
  ] as const) {
    const grant = issuer.grant({ credentials: () => alice });
    // Uploads have a body, and places that are sealed.
    const { manifest, blob } = await pushed(asked, grant);
    expect((await asked.ask('GET', `${APP}/manifests/1`, { grant })).body).toBe(manifest);
    expect((await asked.ask('GET', `${APP}/blobs/${digestOf(blob)}`, { grant })).body).toBe(blob);
    const inPath = await asked.ask('GET', `/v2/c_${grant.capability}/r.example.org__5000/team/app/manifests/1`);
    expect(inPath.status).toBe(200);
    const said = { authorization: basic(`berthgate:${grant.capability}`) };
    const token = await asked.ask('GET', '/token?service=berthgate', { headers: said });
    expect(JSON.parse(token.body)).toMatchObject({ token: grant.capability });
    const posted = await asked.ask('POST', '/token', { body: `grant_type=password&password=${grant.capability}` });
    expect(JSON.parse(posted.body)).toMatchObject({ access_token: grant.capability });
    // It gives no more there than here.
    const other = '/v2/alice/r.example.org__5000/team/other/manifests/1';
    expect((await asked.ask('GET', other, { grant })).status).toBe(403);
    const forged = `${grant.capability.slice(0, 8)}${'0'.repeat(40)}`;
    for (const path of [`${APP}/manifests/1`, '/token']) {
      expect((await asked.ask('GET', path, { headers: { authorization: basic(`berthgate:${forged}`) } })).status).toBe(
        401,
      );
    }
    grant.end();
    expect((await asked.ask('GET', `${APP}/manifests/1`, { grant })).status).toBe(401);
  }
  const grant = before.grant({ credentials: () => alice });
  expect((await after.ask('GET', `${APP}/manifests/1`, { grant })).status).toBe(200);
  await before.die();
  expect((await after.ask('GET', `${APP}/manifests/1`, { grant })).status).toBe(401);
  expect([...before.faults, ...after.faults]).toEqual([]);
});

test('what killed processes left beside the gateway is taken away', async () => {
  const rig = await startRig([]);
  const folder = dirname(rig.gateway.innerPath);
  const dead = join(folder, '0123abcd');
  const script = `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(readdirSync(folder)).toHaveLength(2);
  await rig.gateway.tidy();
  expect(readdirSync(folder)).toEqual([basename(rig.gateway.innerPath)]);
});
