// Registries by their own names: through the CONNECT proxy, and where DNS sends their names to us.
import net, { type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { basic } from '../gateway/fake-registry.ts';
import { startProxyRig } from './proxy-rig.ts';
import { asked, MANIFEST_TYPE, makeImage, push, registry, sha } from './rig.ts';

const HOST = 'r.example.org';
const ALICE = { authorization: basic('alice:secret'), accept: MANIFEST_TYPE };

for (const byDns of [false, true]) {
  test(`an image is pulled once by its own name, and its rights are those of the client (${byDns ? 'DNS' : 'proxy'})`, async () => {
    const fake = await registry('basic');
    const image = makeImage(50_000);
    await push(fake, 'team/app', '1', image);
    const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
    const before = fake.asked.length;
    for (let turn = 0; turn < 2; turn++) {
      const ping = await rig.ask(`${HOST}:443`, '/v2/', { byDns });
      expect(ping).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic realm="fake"' } });
      const manifest = await rig.ask(`${HOST}:443`, '/v2/team/app/manifests/1', { byDns, headers: ALICE });
      expect(manifest.body.equals(image.manifest)).toBe(true);
      const path = `/v2/team/app/blobs/${image.layerDigest}`;
      expect((await rig.ask(`${HOST}:443`, path, { byDns, headers: ALICE })).body.equals(image.layer)).toBe(true);
      expect((await rig.ask(`${HOST}:443`, path, { byDns })).status).toBe(401);
    }
    const gets = asked(fake, before).filter((one) => one.startsWith('GET') && one !== 'GET /v2/');
    expect(gets.filter((one) => one.includes('/blobs/')).length).toBeGreaterThan(0);
    const paid = fake.asked.slice(before).filter(({ method, headers }) => method === 'GET' && headers.authorization);
    expect(paid.map(({ url }) => url)).toEqual([
      `/v2/team/app/manifests/${image.manifestDigest}`,
      `/v2/team/app/blobs/${image.layerDigest}`,
    ]);
  });
}

test('an address that is no path is refused, before it could make another host of the one that is asked', async () => {
  const fake = await registry();
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  for (const address of ['http://r.example.org/v2/', 'x://y/v2/', '*']) {
    expect((await rig.ask(`${HOST}:443`, address)).status).toBe(400);
  }
  expect(fake.asked).toEqual([]);
  // The control: a path is asked of the registry.
  expect((await rig.ask(`${HOST}:443`, '/v2/')).status).toBe(200);
});

test('a push passes as it is, and what it changes is asked for anew', async () => {
  const fake = await registry('basic');
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  const at = `${HOST}:443`;
  await rig.ask(at, '/v2/team/app/manifests/1', { headers: ALICE });
  const begun = await rig.ask(at, '/v2/team/app/blobs/uploads/', {
    method: 'POST',
    headers: { ...ALICE, 'content-length': 0 },
  });
  expect(begun.status).toBe(202);
  expect(fake.asked.at(-1)?.headers).toMatchObject({ host: HOST, 'x-forwarded-proto': 'https' });
  const place = new URL(String(begun.headers.location));
  place.searchParams.set('digest', sha('{}'));
  const put = await rig.ask(at, `${place.pathname}${place.search}`, { method: 'PUT', headers: ALICE, body: '{}' });
  expect(put.status).toBe(201);
  const body = '{"schemaVersion": 2}';
  const headers = { ...ALICE, 'content-type': MANIFEST_TYPE };
  expect((await rig.ask(at, '/v2/team/app/manifests/1', { method: 'PUT', headers, body })).status).toBe(201);
  expect(String((await rig.ask(at, '/v2/team/app/manifests/1', { headers: ALICE })).body)).toBe(body);
});

test('a blob that the registry has thrown away is not said to be there to who would push it again', async () => {
  const fake = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  const path = `/v2/team/app/blobs/${image.layerDigest}`;
  const ask = async (method: string): Promise<number> => (await rig.ask(`${HOST}:443`, path, { method })).status;
  expect([await ask('GET'), await ask('HEAD')]).toEqual([200, 200]);
  fake.answer = ({ url }, response) => {
    if (url !== path) return false;
    response.writeHead(404).end();
    return true;
  };
  expect([await ask('HEAD'), await ask('GET')]).toEqual([404, 200]);
  await fake.close();
  expect(await ask('HEAD')).toBe(200);
});

test('other hosts are refused, or tunnelled where the configuration lets them, and nobody gets another certificate', async () => {
  const fake = await registry();
  const rig = await startProxyRig([{ host: HOST, url: fake.url }], (host, port) => `${host}:${port}` === allowed);
  let allowed = '';
  const server = net.createServer((socket) => socket.end('untouched'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(rig.connect(target)).rejects.toThrow('the proxy says 403');
  await expect(rig.connect('evil.example.net:443')).rejects.toThrow(
    'the proxy says 403 evil.example.net:443 is neither a registry of the configuration (registry.upstreams) nor',
  );
  const long = `${'long.'.repeat(49)}test:443`;
  await expect(rig.connect(long)).rejects.toThrow(/^the proxy says 403 [ -~]{300}$/);
  await expect(rig.connect(`${HOST}:22`)).rejects.toThrow('the proxy says 403');
  allowed = target;
  const tunnel = await rig.connect(target);
  const pieces: Buffer[] = [];
  for await (const piece of tunnel) pieces.push(piece as Buffer);
  expect(String(Buffer.concat(pieces))).toBe('untouched');
  allowed = '127.0.0.1:1';
  await expect(rig.connect(allowed)).rejects.toThrow('the proxy says 502 127.0.0.1:1 cannot be reached');
  // Another name in the TLS, and another one in the request.
  await expect(rig.ask(`${HOST}:443`, '/v2/', { servername: 'evil.example.net' })).rejects.toThrow();
  const misdirected = await rig.ask(`${HOST}:443`, '/v2/', { headers: { host: 'evil.example.net' } });
  expect(misdirected.status).toBe(421);
  for (let turn = 0; turn < 2; turn++) {
    await expect(rig.ask('evil.example.net:443', '/v2/', { byDns: true })).rejects.toThrow();
  }
  expect(rig.strayNames).toEqual(['evil.example.net']);
  expect((await rig.ask(`${HOST}:443`, '/v2/', { byDns: true })).status).toBe(200);
});

test('the realm that clients are sent to is seen, also another one than we have asked by ourselves', async () => {
  const fake = await registry('bearer');
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  const at = `${HOST}:443`;
  await rig.ask(at, '/v2/team/app/manifests/1');
  await rig.ask(at, '/v2/');
  const first = `auth ${HOST} ${new URL(fake.url).host}`;
  expect([...rig.hosts]).toEqual([first]);
  fake.answer = ({ url }, response) => {
    if (url !== '/v2/') return false;
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="https://login.example.net/token"' }).end();
    return true;
  };
  expect((await rig.ask(at, '/v2/')).status).toBe(401);
  expect([...rig.hosts]).toEqual([first, `auth ${HOST} login.example.net`]);
});

test('with the registry gone, a public image is there for those who asked for it by a token, too', async () => {
  const fake = await registry();
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  const at = `${HOST}:443`;
  const headers = { accept: MANIFEST_TYPE, authorization: 'Bearer of-this-pull' };
  await rig.ask(at, '/v2/team/app/manifests/1', { headers });
  await rig.ask(at, `/v2/team/app/blobs/${image.layerDigest}`, { headers });
  // It was looked at without a token meanwhile.
  await expect
    .poll(() => fake.asked.filter((one) => one.method === 'HEAD' && one.headers.authorization === undefined).length, {
      timeout: 20_000,
    })
    .toBeGreaterThan(0);
  await fake.close();
  expect((await rig.ask(at, '/v2/')).status).toBe(200);
  await expect
    .poll(async () => (await rig.ask(at, '/v2/team/app/manifests/1', { headers: { accept: MANIFEST_TYPE } })).status, {
      timeout: 20_000,
    })
    .toBe(200);
});

test('with the registry gone, who asks for nothing else before is asked for the password that gives what it gave', async () => {
  const fake = await registry('basic');
  const image = makeImage(1000);
  await push(fake, 'team/app', '1', image);
  const rig = await startProxyRig([{ host: HOST, url: fake.url }]);
  const [at, path] = [`${HOST}:443`, '/v2/team/app/manifests/1'];
  const asked = { method: 'HEAD', headers: { accept: MANIFEST_TYPE } };
  expect((await rig.ask(at, path, asked)).status).toBe(401);
  expect((await rig.ask(at, path, { headers: ALICE })).status).toBe(200);
  await fake.close();
  const gone = await rig.ask(at, path, asked);
  expect(gone).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic realm="fake"' } });
  expect((await rig.ask(at, path, { headers: ALICE })).body.equals(image.manifest)).toBe(true);
  const wrong = { ...ALICE, authorization: basic('alice:guess') };
  expect((await rig.ask(at, path, { headers: wrong })).status).toBe(502);
});

test('a host gets the CA and what it needs to be set up, and nothing of a header goes into it', async () => {
  const rig = await startProxyRig([]);
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${rig.port}${path}`)).text();
  expect(await get('/ca.crt')).toBe(rig.roots());
  expect(await get('/ca.crt')).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(await get('/setup/systemd')).toContain(`Environment=HTTPS_PROXY=http://127.0.0.1:${rig.port}\n`);
  expect(JSON.parse(await get('/setup/daemon.json'))).toEqual({ 'registry-mirrors': ['http://127.0.0.1:5351'] });
  expect(await get('/setup/containerd')).toContain('[host."http://127.0.0.1:5351"]');
  expect(await get('/setup/buildkit')).toContain('mirrors = ["127.0.0.1:5351"]');
  expect((await fetch(`http://127.0.0.1:${rig.port}/setup/else`)).status).toBe(404);
  const { request } = await import('node:http');
  const status = await new Promise((resolve) => {
    const call = request({
      port: rig.port,
      host: '127.0.0.1',
      path: '/setup/systemd',
      headers: { host: 'a\tb"; rm -rf' },
    });
    call.on('response', (answer) => resolve(answer.resume().statusCode));
    call.end();
  });
  expect(status).toBe(404);
});
