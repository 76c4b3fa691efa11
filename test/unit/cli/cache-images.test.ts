// Images that are pulled ahead into the cache of a running server, and listed.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asked, makeImage, push, R, registry } from '../registry-cache/rig.ts';
import { builtProgram, serve, temporaryFolder, writeConfig } from './built-program.ts';
import { berthgate } from './in-process.ts';
import { type SmallEngine, startSmallEngine } from './small-engine.ts';

let upstream: SmallEngine;

beforeAll(async () => {
  builtProgram();
  upstream = await startSmallEngine();
}, 60_000);

afterAll(() => upstream.stop());

test('an image is pulled ahead with its progress, is listed with what is there of it, and is fetched once', async () => {
  const fake = await registry();
  const image = makeImage(20_000_000);
  await push(fake, 'team/app', '1', image);
  const folder = temporaryFolder();
  const config = writeConfig(
    folder,
    upstream.path,
    [{ name: 'people', url: `unix://${folder}/people.sock` }],
    [
      `admin: {metrics: "http://127.0.0.1:0", url: "unix://${folder}/admin.sock"}`,
      `cache: {store: "${join(folder, 'kept')}", maxBytes: 1GiB}`,
      `registry: {upstreams: [{host: "${R}", url: "${fake.url}"}]}`,
    ].join('\n'),
  );
  await serve(config);
  const warm = () => berthgate('cache', 'warm', `${R}/team/app:1`, '--config', config);
  // Its configuration is not at the registry yet.
  const broken = await warm();
  expect(broken.code).toBe(1);
  expect(broken.err).toContain(`the registry ${R} answers with 404`);
  await push(fake, 'team/app', '1', { ...image, layer: Buffer.from('{}'), layerDigest: configDigest });
  const done = await warm();
  expect(done).toMatchObject({ code: 0, out: `${R}/team/app:1 is there: 2 blobs, 19.1MiB\n` });
  expect(done.err).toContain('100 % of 19.1MiB');
  const before = fake.asked.length;
  expect((await warm()).code).toBe(0);
  expect(asked(fake, before).filter((one) => one.startsWith('GET'))).toEqual([]);
  const { out } = await berthgate('cache', 'ls', '--images', '--config', config);
  expect(out).toMatch(/^r\.example\.org:5000\/team\/app:1 +sha256:\w+ +19\.1MiB +2\/2 /m);
  const [line = ''] = (await berthgate('cache', 'ls', '--images', '--json', '--config', config)).out.split('\n');
  expect(JSON.parse(line)).toMatchObject({ name: `${R}/team/app:1`, digest: image.manifestDigest });
  expect((await berthgate('cache', 'warm', 'NOT A NAME', '--config', config)).err).toContain('no name of an image');
});

test('what registries were spared, and how many pulls they have left, is told by stats, and once by the log', async () => {
  const fake = await registry();
  const image = makeImage(20_000);
  await push(fake, 'team/app', '1', image);
  await push(fake, 'team/app', '1', { ...image, layer: Buffer.from('{}'), layerDigest: configDigest });
  fake.answer = (_, response) => {
    response.setHeader('ratelimit-limit', '100;w=21600');
    response.setHeader('ratelimit-remaining', '9;w=21600');
    return false;
  };
  const folder = temporaryFolder();
  const config = writeConfig(
    folder,
    upstream.path,
    [{ name: 'people', url: `unix://${folder}/people.sock` }],
    [
      `admin: {metrics: "http://127.0.0.1:0", url: "unix://${folder}/admin.sock"}`,
      `cache: {store: "${join(folder, 'kept')}", maxBytes: 1GiB}`,
      `registry: {upstreams: [{host: "${R}", url: "${fake.url}"}]}`,
    ].join('\n'),
  );
  const running = await serve(config);
  const stats = async () => (await berthgate('cache', 'stats', '--config', config)).out;
  expect(await stats()).not.toContain('quota');
  for (let i = 0; i < 3; i++) await berthgate('cache', 'warm', `${R}/team/app:1`, '--config', config);
  const said = await stats();
  expect(said).toContain('from registries, 39.8KiB from here; 2 manifests that no registry has counted\n');
  expect(said).toContain(`quota     ${R}: 9 of 100 pulls left in 6 h, as it said at 20`);
  expect(JSON.parse((await berthgate('cache', 'stats', '--json', '--config', config)).out).images).toMatchObject({
    manifestsSaved: { [R]: 2 },
    quotas: [{ registry: R, account: 'none', limit: 100, remaining: 9, windowSeconds: 21_600 }],
  });
  const told = running.err.split('\n').filter((line) => line.includes('the registry has few pulls left'));
  expect(told.map((line) => JSON.parse(line))).toMatchObject([{ level: 'warn', registry: R, remaining: 9 }]);
});

const configDigest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
