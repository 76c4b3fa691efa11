// RED-TEAM 63 and 64: a registry that lies, breaks, or has had enough; each with what an honest one is answered with, by the same road.
import { afterEach, expect, test, vi } from 'vitest';
import { MirrorTally } from '../../../src/cache/registry/index.ts';
import { say } from '../gateway/fake-registry.ts';
import { APP, asked, loginFor, loopback, MANIFEST_TYPE, makeImage, push, R, registry, sha, startRig } from './rig.ts';

const ACCEPT = { accept: MANIFEST_TYPE };

afterEach(() => {
  vi.useRealTimers();
});

async function lying(
  answerBlob: (layer: Buffer) => { readonly length: number; readonly bytes: Buffer },
  layerBytes = 200_000,
) {
  const fake = await registry();
  const image = makeImage(layerBytes);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  const honest = fake.answer;
  fake.answer = ({ method, url }, response) => {
    if (method !== 'GET' || !url.includes('/blobs/')) return false;
    const { length, bytes } = answerBlob(image.layer);
    response.writeHead(200, { 'content-length': length });
    response.end(bytes);
    return true;
  };
  const path = `${APP}/blobs/${image.layerDigest}`;
  return { fake, image, rig, path, tellTheTruth: () => (fake.answer = honest) };
}

test('wrong bytes never come to a whole blob, and are not kept', async () => {
  const { image, rig, path, tellTheTruth, fake } = await lying((layer) => {
    const bytes = Buffer.from(layer);
    bytes[100] = (bytes[100] as number) ^ 1;
    return { length: bytes.length, bytes };
  });
  const wrong = await rig.ask(path);
  expect(wrong.broken).toBe(true);
  expect(wrong.body.length).toBeLessThan(image.layer.length);
  expect(rig.faults.join()).toContain(image.layerDigest);
  // The control: straight from the registry they look like any other.
  const straight = await fetch(`${fake.url}/v2/team/app/blobs/${image.layerDigest}`);
  expect((await straight.arrayBuffer()).byteLength).toBe(image.layer.length);
  tellTheTruth();
  expect((await rig.ask(path)).body.equals(image.layer)).toBe(true);
});

test('of a small blob nothing wrong is given at all, and the error says whose it was', async () => {
  const { path, rig, image, tellTheTruth } = await lying(
    (layer) => ({ length: layer.length, bytes: Buffer.alloc(layer.length) }),
    1000,
  );
  // Also to those who come while it does.
  for (const { status, body } of await Promise.all([rig.ask(path), rig.ask(path)])) {
    expect(status).toBe(502);
    expect(String(body)).toContain(`the registry ${R} answers with other bytes than ${image.layerDigest}`);
  }
  tellTheTruth();
  expect((await rig.ask(path)).body.equals(image.layer)).toBe(true);
});

test('a blob that is too short or too long is no blob', async () => {
  const short = await lying((layer) => ({ length: 100_000, bytes: layer.subarray(0, 100_000) }));
  expect((await short.rig.ask(short.path)).broken).toBe(true);
  const long = await lying((layer) => ({
    length: layer.length + 4,
    bytes: Buffer.concat([layer, Buffer.from('more')]),
  }));
  expect((await long.rig.ask(long.path)).broken).toBe(true);
  for (const { path, rig, image, tellTheTruth } of [short, long]) {
    tellTheTruth();
    expect((await rig.ask(path)).body.equals(image.layer)).toBe(true);
  }
});

test('a manifest that is not what its digest says is an error, by tag and by digest', async () => {
  const fake = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  const honest = fake.answer;
  fake.answer = ({ method, url }, response) => {
    if (!url.includes('/manifests/')) return false;
    const body = Buffer.from('{"evil": true}');
    response.writeHead(200, {
      'content-type': MANIFEST_TYPE,
      'content-length': method === 'HEAD' ? image.manifest.length : body.length,
      'docker-content-digest': image.manifestDigest,
    });
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  };
  for (const reference of ['1', image.manifestDigest]) {
    const answer = await rig.ask(`${APP}/manifests/${reference}`, { headers: ACCEPT });
    expect(answer.status).toBe(502);
    expect(String(answer.body)).toContain(`the registry ${R} answers with other bytes than ${image.manifestDigest}`);
  }
  fake.answer = honest;
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT })).body.equals(image.manifest)).toBe(true);
});

test('redirects that lead nowhere end, and one that leads inside is not followed', async () => {
  const fake = await registry();
  const inner = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const path = `${APP}/blobs/${image.layerDigest}`;
  let location = '';
  fake.answer = ({ url }, response) => {
    if (!url.includes('/blobs/')) return false;
    response.writeHead(307, { location, 'content-length': 0 }).end();
    return true;
  };
  inner.answer = (_, response) => {
    response.writeHead(200, { 'content-length': image.layer.length }).end(image.layer);
    return true;
  };
  const rig = await startRig([{ url: fake.url }]);
  location = `/v2/team/app/blobs/${image.layerDigest}`;
  const loop = await rig.ask(path);
  expect(loop.status).toBe(502);
  expect(String(loop.body)).toContain('redirects too often');
  location = `${inner.url}/secret`;
  expect((await rig.ask(path)).status).toBe(403);
  expect(inner.asked).toEqual([]);
  // The control: where an administrator allows it, it is followed.
  const open = await startRig([{ url: fake.url }], { allowPrivate: loopback });
  expect((await open.ask(path)).body.equals(image.layer)).toBe(true);
});

test('credentials go to the registry that they are for, to no other, along no redirect and to no foreign realm', async () => {
  const thief = await registry();
  const fake = await registry('bearer', `http://localhost:${new URL(thief.url).port}/token`);
  const other = await registry('basic');
  const image = makeImage(1000);
  await push(other, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }, { host: 'other.example.org', url: other.url }], {
    allowPrivate: loopback,
  });
  const headers = { ...ACCEPT, ...loginFor(R, 'alice', 'secret') };
  const realm = await rig.ask(`${APP}/manifests/1`, { headers });
  expect(realm.status).toBe(403);
  expect(String(realm.body)).toContain('they were not sent');
  expect(thief.asked).toEqual([]);
  // Of the other registry nothing is had with them, and it does not see them.
  const before = other.asked.length;
  expect((await rig.ask('/v2/other.example.org/team/app/manifests/1', { headers })).status).toBe(401);
  expect(other.asked.slice(before).every((one) => one.headers.authorization === undefined)).toBe(true);
  const own = { ...ACCEPT, ...loginFor('other.example.org', 'alice', 'secret') };
  expect((await rig.ask('/v2/other.example.org/team/app/manifests/1', { headers: own })).status).toBe(200);
  // Along a redirect.
  other.answer = ({ url, headers }, response) => {
    if (!url.includes('/blobs/') || headers.authorization === undefined) return false;
    response.writeHead(307, { location: `${thief.url}/blob`, 'content-length': 0 }).end();
    return true;
  };
  thief.answer = (_, response) => {
    response.writeHead(200, { 'content-length': image.layer.length }).end(image.layer);
    return true;
  };
  const blob = await rig.ask(`/v2/other.example.org/team/app/blobs/${image.layerDigest}`, { headers: own });
  expect(blob.body.equals(image.layer)).toBe(true);
  expect(thief.asked.map((one) => one.headers.authorization)).toEqual([undefined]);
  // Where they would have gone, and what was fetched from there, can be told.
  expect([...rig.hosts]).toEqual([`auth localhost:${new URL(thief.url).port}`, `blobs ${thief.host}`]);
});

for (const kind of ['of the quota', 'of too many at once'] as const) {
  test(`429 ${kind}: the last good one, else 429 again and never 404, and the registry is left alone as long as it says`, async () => {
    const fake = await registry();
    const image = makeImage(1000);
    await push(fake, 'team/app', '1', image);
    const rig = await startRig([{ url: fake.url }]);
    await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
    fake.answer = ({ method }, response) => {
      if (kind === 'of the quota') {
        response.setHeader('retry-after', '120');
        say(response, 429, {
          errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit.' }],
        });
      } else {
        response.writeHead(429, { 'content-type': 'text/html' }).end(method === 'HEAD' ? undefined : 'slow down');
      }
      return true;
    };
    const before = fake.asked.length;
    const refusing = fake.answer;
    const stale = await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
    expect(stale).toMatchObject({ status: 200, headers: { warning: '110 berthgate "Response is Stale"' } });
    const other = await rig.ask(`${APP}/manifests/2`, { headers: ACCEPT });
    expect(other.status).toBe(429);
    expect(String(other.body)).toContain(`the registry ${R} has had too many requests`);
    if (kind === 'of the quota') expect(Number(other.headers['retry-after'])).toBeGreaterThan(60);
    expect(asked(fake, before)).toHaveLength(kind === 'of the quota' ? 1 : 2);
    // Blobs count against no quota.
    fake.answer = (said, response) => said.url.includes('/manifests/') && refusing(said, response);
    expect((await rig.ask(`${APP}/blobs/${image.layerDigest}`)).body.equals(image.layer)).toBe(true);
    // Afterwards it is asked again.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 121_000 });
    fake.answer = () => false;
    const again = await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
    expect(again.headers['cache-status']).toBe('berthgate; hit; detail=checked');
  });
}

test('a fault of the registry itself is told with its status, and the last good one goes before it', async () => {
  const fake = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  fake.answer = (_, response) => {
    say(response, 503, null);
    return true;
  };
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT })).headers['cache-status']).toContain('stale');
  const other = await rig.ask(`${APP}/manifests/2`, { headers: ACCEPT });
  expect(other.status).toBe(503);
  expect(String(other.body)).toContain(`the registry ${R} has a fault of its own (503)`);
});

test('a registry that is the mirror itself ends at once, with words that say so', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }]);
  let isLoop = true;
  fake.answer = ({ method, url, headers }, response) => {
    if (!isLoop) return false;
    const { via, accept = '*/*' } = headers;
    void rig
      .ask(url.replace('/v2/', `${APP.replace('team/app', '')}`), { method, headers: { via, accept } })
      .then((said) => {
        response.writeHead(said.status).end(method === 'HEAD' ? undefined : said.body);
      });
    return true;
  };
  for (const path of [
    `${APP}/manifests/1`,
    `${APP}/manifests/${sha('x')}`,
    `${APP}/blobs/${sha('x')}`,
    `${APP}/tags/list`,
  ]) {
    const looped = await rig.ask(path);
    expect({ path, status: looped.status }).toEqual({ path, status: 508 });
    expect(String(looped.body)).toMatch(new RegExp(`the registry ${R} leads back to this very mirror`));
  }
  // The control: another mirror on the way is none.
  isLoop = false;
  await push(fake, 'team/app', '1', makeImage(1000));
  const through = await rig.ask(`${APP}/manifests/1`, { headers: { ...ACCEPT, via: '1.1 berthgate-000000000000' } });
  expect(through.status).toBe(200);
  expect(fake.asked.at(-1)?.headers.via).toMatch(/^1\.1 berthgate-000000000000, 1\.1 berthgate-[0-9a-f]{12}$/);
});

test('a large manifest is given from where it lies, whole and in parts of an answer', async () => {
  const fake = await registry();
  const { manifest: small } = makeImage(1000);
  const annotations = { of: 'x'.repeat(1_000_000) };
  const manifest = Buffer.from(JSON.stringify({ ...JSON.parse(String(small)), annotations }));
  await push(fake, 'team/app', '1', { ...makeImage(1000), manifest, manifestDigest: sha(manifest) });
  const rig = await startRig([{ url: fake.url }]);
  for (const outcome of ['fwd=miss; stored', 'hit; detail=checked']) {
    const answer = await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
    expect(answer.headers['cache-status']).toBe(`berthgate; ${outcome}`);
    expect(answer.body.equals(manifest)).toBe(true);
    expect((await rig.ask(`${APP}/manifests/1`, { method: 'HEAD', headers: ACCEPT })).headers['content-length']).toBe(
      String(manifest.length),
    );
  }
  const condition = { ...ACCEPT, 'if-none-match': `"${sha(manifest)}"` };
  expect((await rig.ask(`${APP}/manifests/1`, { headers: condition })).status).toBe(304);
});

test('a registry that has moved its realm is asked where it is now', async () => {
  const [before, now] = [await registry(), await registry()];
  let realm = before;
  const fake = await registry('bearer');
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  fake.answer = ({ headers: { authorization } }, response) => {
    if (authorization?.startsWith('Bearer good-')) return false;
    const challenge = `Bearer realm="${realm.url}/token",service="fake"`;
    response.writeHead(401, { 'www-authenticate': challenge, 'content-length': 0 }).end();
    return true;
  };
  const { hostname } = new URL(fake.url);
  const rig = await startRig([{ url: fake.url, realms: [hostname] }], { allowPrivate: loopback });
  const headers = { ...ACCEPT, ...loginFor(R, 'alice', 'secret') };
  expect((await rig.ask(`${APP}/manifests/1`, { headers })).status).toBe(200);
  realm = now;
  await before.close();
  // Whose token has ended, or who has none yet.
  expect(
    (await rig.ask(`${APP}/tags/list`, { headers: { ...headers, ...loginFor(R, 'alice', 'secret') } })).status,
  ).toBe(200);
  expect((await rig.ask('/v2/r.example.org__5000/team/other/manifests/1', { headers })).status).toBe(404);
  expect(now.asked.length).toBeGreaterThan(0);
});

test('what a registry says of its quota is told before it is used up', async () => {
  const fake = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  let remaining = 50;
  fake.answer = (_, response) => {
    response.setHeader('ratelimit-limit', '100;w=21600');
    response.setHeader('ratelimit-remaining', `${remaining};w=21600`);
    return false;
  };
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  expect(rig.tally.quotas.get(`${R} none`)).toMatchObject({ limit: 100, remaining: 50, windowSeconds: 21_600 });
  expect(rig.low).toEqual([]);
  // Around the bound it is told once, and again where there was enough meanwhile.
  for (remaining of [9, 9, 11, 10, 19, 8]) await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  expect(rig.low).toEqual([`${R} none`]);
  for (remaining of [21, 10]) await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  expect(rig.low).toEqual([`${R} none`, `${R} none`]);
});

test('what a mirror is not for is refused', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }], { allow: [R] });
  const digest = sha('x');
  for (const [method, path, status] of [
    ['POST', `${APP}/blobs/uploads/`, 404],
    ['PUT', `${APP}/manifests/1`, 405],
    ['DELETE', `${APP}/blobs/${digest}`, 405],
    ['GET', '/v2/_catalog', 404],
    ['GET', '/v2/evil.example.org/app/manifests/1', 403],
    ['GET', '/v2/library/debian/manifests/1?ns=evil.example.org', 403],
    ['GET', '/v2/library/debian/manifests/1', 403],
    ['GET', `/v2/team/app/manifests/1?ns=${R}&ns=evil.example.org`, 404],
    ['GET', '/', 404],
  ] as const) {
    expect({ path, status: (await rig.ask(path, { method })).status }).toEqual({ path, status });
  }
  expect(fake.asked).toEqual([]);
  const inside = await startRig([]);
  const { host } = new URL(fake.url);
  expect((await inside.ask(`/v2/team/app/manifests/1?ns=${host}`)).status).toBe(403);
  expect(fake.asked).toEqual([]);
  expect((await rig.ask('/v2/')).status).toBe(200);
  expect((await rig.ask(`${APP}/manifests/1`)).status).toBe(404);
});

test('registries that somebody makes up do not fill the metrics', () => {
  const tally = new MirrorTally(() => {});
  const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '50' };
  for (let i = 0; i < 1000; i++) {
    for (const name of [`x${i}.example.org`, 'docker.io']) {
      tally.readQuota(name, 'none', headers);
      tally.answered('manifest', 'hit', name);
    }
  }
  expect(tally.quotas.size).toBeLessThanOrEqual(200);
  expect(tally.manifestsSaved.size).toBeLessThanOrEqual(200);
  expect(tally.manifestsSaved.get('docker.io')).toBe(1000);
});
