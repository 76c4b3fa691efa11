// RED-TEAM 61 and 68: private images in the cache, for those alone whom the registry lets have them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  APP,
  asked,
  credentialsFile,
  loginFor,
  loopback,
  MANIFEST_TYPE,
  makeImage,
  push,
  R,
  type Rig,
  registry,
  settled,
  startRig,
} from './rig.ts';

const ACCEPT = { accept: MANIFEST_TYPE };
const ALICE = { ...ACCEPT, ...loginFor(R, 'alice', 'secret') };
const MALLORY = { ...ACCEPT, ...loginFor(R, 'mallory', 'guess') };

afterEach(() => {
  vi.useRealTimers();
});

for (const auth of ['basic', 'bearer'] as const) {
  test(`a private image that lies in the cache is given to who has the right to it (${auth})`, async () => {
    const fake = await registry(auth);
    const image = makeImage(10_000);
    await push(fake, 'team/app', '1', image);
    const rig = await startRig([{ url: fake.url }], { tags: [{ match: '*', fresh: 3_600_000 }] });
    const paths = [`manifests/1`, `manifests/${image.manifestDigest}`, `blobs/${image.layerDigest}`];
    for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
    for (const path of paths) {
      for (const headers of [ACCEPT, MALLORY]) {
        const answer = await rig.ask(`${APP}/${path}`, { headers });
        expect([401, 403]).toContain(answer.status);
        expect(answer.body.includes(image.manifest)).toBe(false);
      }
      // A mirror that gets no credentials has it not, and the engine goes to the registry itself.
      expect((await rig.ask(`/v2/team/app/${path}?ns=${R}`, { headers: ACCEPT })).status).toBe(404);
    }
    expect(rig.tally.bypasses).toBe(3);
    // The control: it is there, and needs nobody to be asked.
    const before = fake.asked.length;
    for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
    expect(asked(fake, before)).toEqual([]);
  });
}

test('a right that is taken away is gone within minutes, and at once where the registry is asked', async () => {
  const fake = await registry('basic');
  const image = makeImage(10_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { tags: [{ match: '*', fresh: 3_600_000 }] });
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ALICE })).status).toBe(200);
  fake.answer = (_, response) => {
    response.writeHead(403, { 'content-length': 0 }).end();
    return true;
  };
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 60_000 + 1 });
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ALICE })).status).toBe(403);
  expect((await rig.ask(`${APP}/manifests/${image.manifestDigest}`, { headers: ALICE })).status).toBe(403);
  expect((await rig.ask(`${APP}/blobs/${image.layerDigest}`, { headers: ALICE })).status).toBe(403);
});

test('whom the realm of a registry gives no token any more has no right, and the registry is not taken for gone', async () => {
  const fake = await registry('bearer');
  const image = makeImage(10_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  const paths = [`manifests/1`, `manifests/${image.manifestDigest}`, `blobs/${image.layerDigest}`];
  for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
  fake.answer = ({ url }, response) => {
    const challenge = url.startsWith('/token') ? {} : { 'www-authenticate': `Bearer realm="${fake.url}/token"` };
    response.writeHead(401, { ...challenge, 'content-length': 0 }).end();
    return true;
  };
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 60_000 + 1 });
  for (const path of paths) {
    const answer = await rig.ask(`${APP}/${path}`, { headers: ALICE });
    expect([401, 403]).toContain(answer.status);
    expect(answer.body.includes(image.manifest)).toBe(false);
  }
  // Nor has the one who was refused it when the registry goes.
  await fake.close();
  for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(502);
});

test('a registry that may not be used any more is not served from what is kept of it', async () => {
  const fake = await registry();
  const image = makeImage(10_000);
  await push(fake, 'team/app', '1', image);
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-mirror-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  const allowed = await startRig([{ url: fake.url }], { folder });
  const paths = [`manifests/1`, `manifests/${image.manifestDigest}`, `blobs/${image.layerDigest}`];
  for (const path of paths) expect((await allowed.ask(`${APP}/${path}`, { headers: ACCEPT })).status).toBe(200);
  await settled(allowed.store);
  const refused = await startRig([{ url: fake.url }], { folder, allow: [] });
  for (const path of paths) expect((await refused.ask(`${APP}/${path}`, { headers: ACCEPT })).status).toBe(403);
});

test('with the registry gone, a private image is for who had it not long ago, and for nobody else', async () => {
  const fake = await registry('basic');
  const image = makeImage(10_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { staleMs: 3_600_000 });
  for (const path of [`manifests/1`, `blobs/${image.layerDigest}`]) {
    await rig.ask(`${APP}/${path}`, { headers: ALICE });
  }
  await fake.close();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 });
  const paths = [`manifests/1`, `manifests/${image.manifestDigest}`, `blobs/${image.layerDigest}`];
  for (const path of paths) {
    expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
    for (const headers of [ACCEPT, MALLORY]) expect((await rig.ask(`${APP}/${path}`, { headers })).status).toBe(502);
  }
});

test('with the realm gone, a private image is for who had it not long ago, and others are told whose tokens they wait for', async () => {
  const realm = await registry('bearer');
  const fake = await registry('bearer', `${realm.url}/token`);
  const image = makeImage(10_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { staleMs: 3_600_000, allowPrivate: loopback });
  const paths = [`manifests/1`, `blobs/${image.layerDigest}`];
  for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
  const tries = realm.asked.length;
  realm.answer = (_, response) => response.destroy() !== undefined;
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() + 600_000 });
  for (const path of paths) {
    const answer = await rig.ask(`${APP}/${path}`, { headers: MALLORY });
    expect(answer.status).toBe(502);
    expect(String(answer.body)).toContain(`${realm.host}, which gives tokens for the registry ${R}, broke off`);
  }
  // Each asked for it once: whoever is not there is not tried a second time.
  expect(realm.asked.length - tries).toBe(paths.length);
  for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
});

for (const auth of ['basic', 'bearer'] as const) {
  test(`with the registry gone, what has become private is not for those who had what was public (${auth})`, async () => {
    const fake = await registry(auth);
    const [open, secret] = [makeImage(1000), makeImage(1000)];
    await push(fake, 'team/app', 'open', open);
    const rig = await startRig([{ url: fake.url }], { staleMs: 3_600_000 });
    fake.answer = (_, response) => {
      response.writeHead(200, {
        'content-type': MANIFEST_TYPE,
        'content-length': open.manifest.length,
        'docker-content-digest': open.manifestDigest,
      });
      response.end(open.manifest);
      return true;
    };
    expect((await rig.ask(`${APP}/manifests/open`, { headers: ACCEPT })).status).toBe(200);
    const known = () => rig.store.get(`public:${R}/team/app`);
    expect(await known()).toHaveLength(1);
    fake.answer = () => false;
    await push(fake, 'team/app', 'secret', secret);
    const paths = ['manifests/secret', `blobs/${secret.layerDigest}`];
    for (const path of paths) expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
    await expect.poll(known, { timeout: 20_000 }).toEqual([]);
    await settled(rig.store);
    await fake.close();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 });
    for (const path of paths) {
      expect((await rig.ask(`${APP}/${path}`, { headers: ALICE })).status).toBe(200);
      for (const headers of [ACCEPT, MALLORY]) expect((await rig.ask(`${APP}/${path}`, { headers })).status).toBe(502);
    }
  });
}

test('a blob of one repository is not had by its digest through another one', async () => {
  const fake = await registry();
  const image = makeImage(10_000);
  await push(fake, 'team/secret', '1', image);
  await push(fake, 'team/app', '1', makeImage(10));
  // The repository that mallory may read has not this blob; who keeps blobs by digest alone would give it.
  fake.answer = ({ url, headers }, response) => {
    const hidden =
      url.includes('/team/app/blobs/') || (url.includes('/team/secret/') && headers.authorization === undefined);
    if (hidden) response.writeHead(404, { 'content-length': 0 }).end();
    return hidden;
  };
  const other = await registry();
  // And a registry of mallory's own that says it has everything.
  other.answer = ({ method }, response) => {
    if (method !== 'HEAD') return false;
    response.writeHead(200, { 'content-length': image.layer.length }).end();
    return true;
  };
  const rig = await startRig([{ url: fake.url }, { host: 'evil.example.org', url: other.url }]);
  fake.answer = () => false;
  const secret = `/v2/r.example.org__5000/team/secret/blobs/${image.layerDigest}`;
  expect((await rig.ask(secret, { headers: ALICE })).body.equals(image.layer)).toBe(true);
  fake.answer = ({ url }, response) => {
    const hidden = url.includes('/team/app/blobs/');
    if (hidden) response.writeHead(404, { 'content-length': 0 }).end();
    return hidden;
  };
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  expect((await rig.ask(`${APP}/blobs/${image.layerDigest}`)).status).toBe(404);
  expect((await rig.ask(`/v2/evil.example.org/x/blobs/${image.layerDigest}`)).status).toBe(404);
  // The control: in the store it is.
  await expect
    .poll(() => rig.store.open(image.layerDigest.slice('sha256:'.length)), { timeout: 20_000 })
    .not.toBeNull();
});

test("the administrator's account is for the quota of what is public, and gives nobody a private image", async () => {
  const fake = await registry('basic');
  const image = makeImage(1000);
  await push(fake, 'team/secret', '1', image);
  await push(fake, 'team/open', '1', image);
  const credentials = credentialsFile('alice', 'secret');
  const rig = await startRig([{ url: fake.url, credentials }]);
  const manifests: (string | undefined)[] = [];
  // Everybody may look at `open`; its pulls count for whoever asks.
  fake.answer = ({ method, url, headers }, response) => {
    if (!url.includes('/team/open/')) return false;
    response.setHeader('ratelimit-limit', headers.authorization === undefined ? '100;w=21600' : '200;w=21600');
    response.setHeader('ratelimit-remaining', headers.authorization === undefined ? '1;w=21600' : '150;w=21600');
    if (method === 'GET') manifests.push(headers.authorization);
    const body = url.includes('/manifests/') ? image.manifest : image.layer;
    response.writeHead(200, {
      'content-type': MANIFEST_TYPE,
      'content-length': body.length,
      ...(url.includes('/manifests/') ? { 'docker-content-digest': image.manifestDigest } : {}),
    });
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  };
  const ask = (name: string, rig: Rig) =>
    rig.ask(`/v2/r.example.org__5000/team/${name}/manifests/1`, { headers: ACCEPT });
  expect((await ask('secret', rig)).status).toBe(401);
  expect((await ask('open', rig)).status).toBe(200);
  // What is left of one account is not taken for what is left of another.
  await rig.ask('/v2/r.example.org__5000/team/open/manifests/1', { headers: ALICE });
  await ask('open', rig);
  expect([...rig.tally.quotas.values()].map(({ account, remaining }) => `${account} ${remaining}`).sort()).toEqual([
    'clients 150',
    'configured 150',
    'none 1',
  ]);
  expect(rig.low).toEqual([`${R} none`]);
  // The control: with the same account a right one gets it.
  const own = await rig.ask('/v2/r.example.org__5000/team/secret/manifests/1', { headers: ALICE });
  expect(own.status).toBe(200);
  expect((await ask('secret', rig)).status).toBe(401);
  // Where it is private, the account is used for nothing.
  const guarded = await startRig([{ url: fake.url, credentials, private: true }]);
  manifests.length = 0;
  expect((await ask('open', guarded)).status).toBe(200);
  expect(manifests).toEqual([undefined]);
});
