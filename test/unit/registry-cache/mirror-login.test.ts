// A mirror where clients log in: what they show goes to the registry that they name, by tokens of our own.
import { afterEach, expect, test, vi } from 'vitest';
import { APP, asked, loginFor, MANIFEST_TYPE, makeImage, push, R, type Rig, registry, startRig } from './rig.ts';

const ACCEPT = { accept: MANIFEST_TYPE };
const ALICE = loginFor(R, 'alice', 'secret');

afterEach(() => {
  vi.useRealTimers();
});

async function start() {
  const fake = await registry('basic');
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], {
    login: async (host, credentials) =>
      host === R && credentials.kind === 'password' && credentials.password === 'secret'
        ? { status: 200, identity: '' }
        : { status: 401, message: 'the registry says no' },
  });
  return { fake, image, rig };
}

async function token(rig: Rig, headers: Readonly<Record<string, string>>, scope = 'repository:any:pull') {
  const { status, body } = await rig.ask(`/token?service=berthgate${scope === '' ? '' : `&scope=${scope}`}`, {
    headers,
  });
  return { status, said: String(body), bearer: { authorization: `Bearer ${JSON.parse(String(body)).token}` } };
}

test('everybody is asked who they are, and gets what the registry gives to those', async () => {
  const { rig, image } = await start();
  const challenged = await rig.ask('/v2/');
  expect(challenged.status).toBe(401);
  expect(challenged.headers['www-authenticate']).toBe(
    `Bearer realm="http://127.0.0.1:${rig.port}/token",service="berthgate"`,
  );
  const alice = await token(rig, ALICE);
  const path = `${APP}/manifests/1`;
  expect((await rig.ask('/v2/', { headers: alice.bearer })).status).toBe(200);
  expect((await rig.ask(path, { headers: { ...ACCEPT, ...alice.bearer } })).body.equals(image.manifest)).toBe(true);
  // Also what is there goes to nobody else, whatever they call themselves.
  for (const who of [{}, loginFor(R, 'alice', 'wrong'), loginFor('other.example.org', 'alice', 'secret')]) {
    const { bearer } = await token(rig, who);
    expect((await rig.ask(path, { headers: { ...ACCEPT, ...bearer } })).status).toBe(401);
  }
  expect((await rig.ask(path, { headers: { ...ACCEPT, ...ALICE } })).status).toBe(401);
  // Names without a registry are those of registry-mirrors, with which an engine would show what is for Docker Hub.
  expect((await rig.ask('/v2/team/app/manifests/1', { headers: alice.bearer })).status).toBe(404);
});

test('a login is tried at the registry that it names, and one that names none is told so', async () => {
  const { rig, fake } = await start();
  const before = fake.asked.length;
  expect((await token(rig, ALICE, '')).status).toBe(200);
  expect(await token(rig, loginFor(R, 'alice', 'wrong'), '')).toMatchObject({
    status: 401,
    said: expect.stringContaining('the registry says no'),
  });
  const plain = { authorization: `Basic ${Buffer.from('alice:secret').toString('base64')}` };
  expect(await token(rig, plain, '')).toMatchObject({
    status: 401,
    said: expect.stringContaining('docker login -u r.example.org/USER'),
  });
  expect(asked(fake, before)).toEqual([]);
  expect((await rig.ask('/token', { method: 'POST' })).status).toBe(405);
});

test('a token that is changed, made up or too old is none', async () => {
  const { rig } = await start();
  const { bearer } = await token(rig, ALICE);
  const sealed = bearer.authorization.slice('Bearer '.length);
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`;
  for (const other of [changed, 'made-up', sealed.slice(0, 30)])
    expect((await rig.ask('/v2/', { headers: { authorization: `Bearer ${other}` } })).status).toBe(401);
  expect((await rig.ask('/v2/', { headers: bearer })).status).toBe(200);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 301_000 });
  expect((await rig.ask('/v2/', { headers: bearer })).status).toBe(401);
});
