// What is pulled through the cache: asked for once, right to the last byte, and there when the registry is not.
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { say } from '../gateway/fake-registry.ts';
import {
  APP,
  asked,
  type Image,
  loopback,
  MANIFEST_TYPE,
  makeImage,
  push,
  R,
  registry,
  settled,
  sha,
  startRig,
} from './rig.ts';

const ACCEPT = { accept: MANIFEST_TYPE };
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const INDEX = { accept: INDEX_TYPE };

afterEach(() => {
  vi.useRealTimers();
});

test('what was pulled once comes from the cache, after a question that costs nothing', async () => {
  const fake = await registry();
  const image = makeImage();
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  const before = fake.asked.length;
  for (const turn of [1, 2]) {
    const manifest = await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
    expect(manifest).toMatchObject({ status: 200, headers: { 'docker-content-digest': image.manifestDigest } });
    expect(manifest.headers['content-type']).toBe(MANIFEST_TYPE);
    expect(manifest.body.equals(image.manifest)).toBe(true);
    expect(manifest.headers['cache-status']).toBe(
      turn === 1 ? 'berthgate; fwd=miss; stored' : 'berthgate; hit; detail=checked',
    );
    const byDigest = await rig.ask(`${APP}/manifests/${image.manifestDigest}`, { headers: ACCEPT });
    expect(byDigest.body.equals(image.manifest)).toBe(true);
    const layer = await rig.ask(`${APP}/blobs/${image.layerDigest}`);
    expect(layer).toMatchObject({ status: 200, broken: false });
    expect(layer.body.equals(image.layer)).toBe(true);
  }
  expect(asked(fake, before)).toEqual([
    'HEAD /v2/team/app/manifests/1',
    `GET /v2/team/app/manifests/${image.manifestDigest}`,
    `GET /v2/team/app/blobs/${image.layerDigest}`,
    'HEAD /v2/team/app/manifests/1',
  ]);
  expect(rig.tally.manifestsSaved.get(R)).toBe(3);
  expect(rig.faults).toEqual([]);
});

test('a tag is asked for anew when its rule says so, and what it means then is what is given', async () => {
  const fake = await registry();
  const [old, young] = [makeImage(1000), makeImage(1000)];
  await push(fake, 'team/app', 'latest', old);
  const rig = await startRig([{ url: fake.url }], { tags: [{ match: '*:latest', fresh: 60_000 }] });
  const latest = async (): Promise<string> =>
    String((await rig.ask(`${APP}/manifests/latest`, { headers: ACCEPT })).headers['docker-content-digest']);
  expect(await latest()).toBe(old.manifestDigest);
  await push(fake, 'team/app', 'latest', young);
  const before = fake.asked.length;
  expect(await latest()).toBe(old.manifestDigest);
  expect(asked(fake, before)).toEqual([]);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  expect(await latest()).toBe(young.manifestDigest);
  // The control: without a rule it is never fresh.
  await push(fake, 'team/app', '1', old);
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  await push(fake, 'team/app', '1', young);
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT })).body.equals(young.manifest)).toBe(true);
});

test('images of one name at two registries never meet', async () => {
  const [one, other] = [await registry(), await registry()];
  const images = [makeImage(1000), makeImage(1000)] as const;
  await push(one, 'team/app', '1', images[0]);
  await push(other, 'team/app', '1', images[1]);
  const rig = await startRig([{ url: one.url }, { host: 'other.example.org', url: other.url }], {
    tags: [{ match: '*', fresh: 60_000 }],
  });
  for (let turn = 0; turn < 2; turn++) {
    expect((await rig.ask(`${APP}/manifests/1`)).body.equals(images[0].manifest)).toBe(true);
    expect((await rig.ask('/v2/other.example.org/team/app/manifests/1')).body.equals(images[1].manifest)).toBe(true);
    expect((await rig.ask(`/v2/team/app/manifests/1?ns=${R}`)).body.equals(images[0].manifest)).toBe(true);
    expect((await rig.ask('/v2/team/app/manifests/1?ns=other.example.org')).body.equals(images[1].manifest)).toBe(true);
  }
  // Nor does the one's layer come from the other's repository.
  await rig.ask(`${APP}/blobs/${images[0].layerDigest}`);
  expect((await rig.ask(`/v2/other.example.org/team/app/blobs/${images[0].layerDigest}`)).status).toBe(404);
});

test('a tag that means another thing to another client is kept for each', async () => {
  const fake = await registry();
  const rig = await startRig([{ url: fake.url }], { tags: [{ match: '*', fresh: 60_000 }] });
  const bodies = { index: Buffer.from('{"manifests": []}'), manifest: Buffer.from('{"layers": []}') };
  fake.answer = ({ method, headers, url }, response) => {
    if (!url.includes('/manifests/')) return false;
    const body = headers.accept?.includes('index') ? bodies.index : bodies.manifest;
    response.writeHead(200, { 'content-type': headers.accept ?? 'x/y', 'content-length': body.length });
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  };
  const index = INDEX;
  for (let turn = 0; turn < 2; turn++) {
    expect((await rig.ask(`${APP}/manifests/1`, { headers: index })).body.equals(bodies.index)).toBe(true);
    expect((await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT })).body.equals(bodies.manifest)).toBe(true);
  }
  expect(asked(fake).filter((one) => one.startsWith('GET'))).toHaveLength(2);
});

test('four who ask for one blob at the same moment cost one request, and read it as it comes', async () => {
  const fake = await registry();
  const image = makeImage(2_000_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  fake.answer = ({ method, url }, response) => {
    if (method !== 'GET' || !url.includes('/blobs/')) return false;
    response.writeHead(200, { 'content-length': image.layer.length });
    response.write(image.layer.subarray(0, 1_000_000));
    void held.then(() => response.end(image.layer.subarray(1_000_000)));
    return true;
  };
  const before = fake.asked.length;
  let began = 0;
  // The registry says the rest only when all four have read a part, and the first one goes away then.
  const onPiece = (first: boolean) => {
    let seen = false;
    return (_: Buffer, call: { destroy(): unknown }): void => {
      if (seen) return;
      seen = true;
      if (first) call.destroy();
      if (++began === 4) release();
    };
  };
  const path = `${APP}/blobs/${image.layerDigest}`;
  const answers = await Promise.all([0, 1, 2, 3].map((at) => rig.ask(path, { onPiece: onPiece(at === 0) })));
  expect(asked(fake, before)).toEqual([`GET /v2/team/app/blobs/${image.layerDigest}`]);
  expect(answers[0]?.broken).toBe(true);
  for (const { body, broken } of answers.slice(1)) {
    expect(broken).toBe(false);
    expect(body.equals(image.layer)).toBe(true);
  }
});

test('who takes nothing of a blob that is on its way holds neither it nor the others', async () => {
  const fake = await registry();
  // More than lies between two sockets.
  const image = makeImage(48_000_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  const path = `${APP}/blobs/${image.layerDigest}`;
  const slow = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ port: rig.port, path, agent: false }, resolve).on('error', reject);
  });
  const others = await Promise.all([rig.ask(path), rig.ask(path)]);
  for (const { status, body } of others)
    expect({ status, digest: sha(body) }).toEqual({ status: 200, digest: image.layerDigest });
  const pieces: Buffer[] = [];
  for await (const piece of slow) pieces.push(piece as Buffer);
  expect(sha(Buffer.concat(pieces))).toBe(image.layerDigest);
  expect(asked(fake).filter((one) => one === `GET /v2/team/app/blobs/${image.layerDigest}`)).toHaveLength(1);
});

test('parts of a blob come from what is there, also while it comes', async () => {
  const fake = await registry();
  const image = makeImage(100_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }]);
  const path = `${APP}/blobs/${image.layerDigest}`;
  const size = image.layer.length;
  for (const [range, start, end] of [
    ['bytes=10-19', 10, 20],
    ['bytes=99990-', 99_990, size],
    ['bytes=-5', size - 5, size],
  ] as const) {
    const part = await rig.ask(path, { headers: { range } });
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': `bytes ${start}-${end - 1}/${size}` } });
    expect(part.body.equals(image.layer.subarray(start, end))).toBe(true);
  }
  expect(await rig.ask(path, { headers: { range: `bytes=${size}-` } })).toMatchObject({ status: 416 });
  const head = await rig.ask(path, { method: 'HEAD' });
  expect(head).toMatchObject({ status: 200, headers: { 'content-length': String(size) } });
  expect(asked(fake).filter((one) => one === `GET /v2/team/app/blobs/${image.layerDigest}`)).toHaveLength(1);
});

test('with the registry gone, what was pulled is there and says that it may be old; what was not is an error that names it', async () => {
  const fake = await registry();
  const image = makeImage();
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { staleMs: 3_600_000 });
  await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  await rig.ask(`${APP}/blobs/${image.layerDigest}`);
  await fake.close();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * 60_000 });
  const stale = await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  expect(stale).toMatchObject({ status: 200, headers: { warning: '110 berthgate "Response is Stale"' } });
  expect(stale.body.equals(image.manifest)).toBe(true);
  const blob = `${APP}/blobs/${image.layerDigest}`;
  expect((await rig.ask(blob)).body.equals(image.layer)).toBe(true);
  const length = String(image.layer.length);
  expect(await rig.ask(blob, { method: 'HEAD' })).toMatchObject({ status: 200, headers: { 'content-length': length } });
  const missing = await rig.ask(`${APP}/manifests/2`, { headers: ACCEPT });
  expect(missing.status).toBe(502);
  expect(String(missing.body)).toContain(`the registry ${R} cannot be reached`);
  // And not longer than the bound.
  vi.setSystemTime(Date.now() + 3_600_000);
  expect((await rig.ask(`${APP}/manifests/1`, { headers: ACCEPT })).status).toBe(502);
});

test('with a registry that takes connections and says nothing, what was pulled is not waited for long', async () => {
  const fake = await registry();
  const image = makeImage();
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { staleMs: 3_600_000 });
  const paths = [`${APP}/manifests/1`, `${APP}/blobs/${image.layerDigest}`];
  for (const path of paths) expect((await rig.ask(path, { headers: ACCEPT })).status).toBe(200);
  await settled(rig.store);
  fake.answer = () => true;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * 60_000 });
  const { timeout } = AbortSignal;
  const waits = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeout.call(AbortSignal, ms / 50));
  onTestFinished(() => waits.mockRestore());
  for (const path of paths) expect((await rig.ask(path, { headers: ACCEPT })).status).toBe(200);
  expect(waits.mock.calls).toEqual([[5000], [5000]]);
});

test('a blob that broke off is resumed where it broke, from the address of the registry itself', async () => {
  const fake = await registry();
  const store = await registry();
  const image = makeImage(500_000);
  await push(fake, 'team/app', '1', image);
  const rig = await startRig([{ url: fake.url }], { allowPrivate: loopback });
  let signatures = 0;
  fake.answer = ({ method, url }, response) => {
    if (method !== 'GET' || !url.includes('/blobs/')) return false;
    response.writeHead(307, { location: `${store.url}/bucket?signature=${++signatures}`, 'content-length': 0 }).end();
    return true;
  };
  store.answer = ({ url, headers }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    if (url.endsWith('=1')) {
      response.writeHead(200, { 'content-length': image.layer.length });
      response.write(image.layer.subarray(0, 200_000), () => response.destroy());
    } else if (url.endsWith('=2')) {
      say(response, 403, 'the signature has expired');
    } else {
      response.writeHead(206, {
        'content-length': image.layer.length - start,
        'content-range': `bytes ${start}-${image.layer.length - 1}/${image.layer.length}`,
      });
      response.end(image.layer.subarray(start));
    }
    return true;
  };
  const answer = await rig.ask(`${APP}/blobs/${image.layerDigest}`);
  expect(answer).toMatchObject({ status: 200, broken: false });
  expect(answer.body.equals(image.layer)).toBe(true);
  expect(signatures).toBe(3);
  const resumed = store.asked.at(-1)?.headers.range;
  expect(Number(/^bytes=(\d+)-$/.exec(resumed ?? '')?.[1])).toBeGreaterThan(0);
  // The signature is nowhere in the cache: the next one does not need it.
  expect((await rig.ask(`${APP}/blobs/${image.layerDigest}`)).body.equals(image.layer)).toBe(true);
  expect(signatures).toBe(3);
});

test('what is kept outlives the process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-mirror-'));
  const fake = await registry();
  const image = makeImage();
  await push(fake, 'team/app', '1', image);
  const first = await startRig([{ url: fake.url }], { folder });
  await first.ask(`${APP}/manifests/1`, { headers: ACCEPT });
  await first.ask(`${APP}/blobs/${image.layerDigest}`);
  await settled(first.store);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  const second = await startRig([{ url: 'http://127.0.0.1:1' }], { folder });
  expect((await second.ask(`${APP}/manifests/1`, { headers: ACCEPT })).body.equals(image.manifest)).toBe(true);
  expect((await second.ask(`${APP}/blobs/${image.layerDigest}`)).body.equals(image.layer)).toBe(true);
});

test('an image whose tag is asked for stays whole while others go, also behind an index', async () => {
  const fake = await registry();
  const images = Array.from({ length: 8 }, () => makeImage(300_000));
  const [used, unused] = images as [Image, Image];
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX_TYPE,
      manifests: [
        { mediaType: MANIFEST_TYPE, digest: used.manifestDigest, size: used.manifest.length },
        { mediaType: MANIFEST_TYPE, digest: sha('of another platform'), size: 100 },
      ],
    }),
  );
  for (const [i, image] of images.entries()) await push(fake, 'team/app', String(i), image);
  await fetch(`${fake.url}/v2/team/app/manifests/used`, { method: 'PUT', body: index });
  const rig = await startRig([{ url: fake.url }], { maxBytes: 1_000_000 });
  const pull = async ({ manifestDigest, layerDigest }: Image): Promise<void> => {
    for (const path of [`manifests/${manifestDigest}`, `blobs/${layerDigest}`])
      expect((await rig.ask(`${APP}/${path}`, { headers: ACCEPT })).status).toBe(200);
    await settled(rig.store);
  };
  const lookAt = (method: string) => rig.ask(`${APP}/manifests/used`, { method, headers: INDEX });
  expect((await lookAt('GET')).body.equals(index)).toBe(true);
  await pull(used);
  await pull(unused);
  const key = `blob:${R}@${used.layerDigest}`;
  const lastUse = async (): Promise<number> => {
    for await (const { lastUse: at } of rig.store.list(key)) return at;
    return 0;
  };
  const before = await lastUse();
  // As an engine does that has it.
  expect((await lookAt('HEAD')).status).toBe(200);
  await expect.poll(lastUse, { timeout: 20_000 }).toBeGreaterThan(before);
  for (const image of images.slice(2)) await pull(image);
  expect(rig.store.stats().evicted.bytes).toBeGreaterThan(300_000);
  await fake.close();
  expect((await lookAt('GET')).status).toBe(200);
  await pull(used);
  // The control: what was pulled after it, and not asked for again.
  expect((await rig.ask(`${APP}/blobs/${unused.layerDigest}`)).status).toBe(502);
});
