// `berthgate cache` against a running server.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { fillWith } from '../store/contract.ts';
import { accessKey, startS3 } from '../store/s3-server.ts';
import { builtProgram, call, serve, startBerthgate, temporaryFolder, writeConfig } from './built-program.ts';
import { berthgate } from './in-process.ts';
import { type SmallEngine, startSmallEngine } from './small-engine.ts';

let upstream: SmallEngine;

beforeAll(async () => {
  builtProgram();
  upstream = await startSmallEngine();
}, 60_000);

afterAll(() => upstream.stop());

function configured(folder: string, more: string): string {
  return writeConfig(
    folder,
    upstream.path,
    [{ name: 'people', url: `unix://${folder}/people.sock` }],
    `admin: {metrics: "http://127.0.0.1:0", url: "unix://${folder}/admin.sock"}\n${more}`,
  );
}

test('shows, lists, removes, verifies and tidies up what a running server keeps', async () => {
  const folder = temporaryFolder();
  const place = join(folder, 'kept');
  // Another process may write to the same folder.
  const other = await FolderStore.open({ folder: place, maxBytes: 2 ** 30 });
  const keys = ['http:a', 'http:b', 'http:c', 'manifest:a'];
  for (const [i, key] of keys.entries()) await fillWith(other, key, Buffer.alloc(5000, key), i === 2 ? 'en' : '');
  await other.close();
  const config = configured(folder, `cache: {store: "${place}", maxBytes: 1GiB}`);
  await serve(config);
  const cache = (...args: string[]) => berthgate('cache', ...args, '--config', config);
  await expect.poll(async () => (await cache('stats')).out).not.toContain('still counting');
  const { out: stats } = await cache('stats');
  expect(stats).toContain('of 1.0GiB');
  expect(stats).toContain('bodies    4, named by 4 records');
  expect(stats).toMatch(/^http +3 +15\.\dKiB$/m);
  expect(JSON.parse((await cache('stats', '--json')).out)).toMatchObject({ bodies: 4, records: 4, complete: true });
  const { out: list } = await cache('ls', 'http:');
  expect(
    list
      .trim()
      .split('\n')
      .map((line) => line.replace(/^ *(\S+) +\S+ +/, '$1 '))
      .sort(),
  ).toEqual(['4.9KiB http:a', '4.9KiB http:b', '4.9KiB http:c [en]']);
  expect(
    (await cache('ls', '--json')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).key)
      .sort(),
  ).toEqual(keys);
  expect(await cache('rm', 'http:a')).toMatchObject({ code: 0, out: 'removed http:a\n' });
  expect(await cache('rm', 'http:a')).toMatchObject({
    code: 1,
    err: 'berthgate: nothing is kept under http:a\n',
  });
  expect(await cache('verify')).toMatchObject({ code: 0, out: expect.stringMatching(/^read 3 bodies, 14\.\dKiB\n$/) });
  const blob = readdirSync(join(place, 'blobs'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(place, 'blobs', name))
    .find((path) => statSync(path).isFile() && readFileSync(path, 'utf8').startsWith('http:b')) as string;
  writeFileSync(blob, 'altered');
  const found = await cache('verify');
  expect(found.code).toBe(1);
  expect(found.out).toMatch(/^corrupt body removed: sha256:[0-9a-f]{64}, of http:b$/m);
  expect(found.err).toContain('1 corrupt, 0 missing, 0 damaged records');
  expect(await cache('gc')).toMatchObject({
    code: 0,
    out: 'removed 0 half written, 0 bodies that nobody named (0B), 0 records without a body\n',
  });
  expect(await cache('purge', 'http:')).toMatchObject({ code: 1, err: expect.stringContaining('--yes') });
  expect(await cache('purge', 'http:', '--yes')).toMatchObject({ code: 0, out: 'removed 1 record, 4.9KiB\n' });
  expect((await cache('purge', '--yes', '--json')).out).toBe('{"step":"done","removed":1,"bytes":5000}\n');
  expect((await cache('ls')).out).toBe('');
  const admin = `unix://${folder}/admin.sock`;
  expect((await call(admin, '/metrics')).body).toMatch(/^berthgate_store_limit_bytes 1073741824$/m);
  expect((await call(admin, '/api/cache/nothing')).status).toBe(404);
});

test('a server that caches nothing says so', async () => {
  const folder = temporaryFolder();
  const config = configured(folder, '');
  await serve(config);
  expect(await berthgate('cache', 'stats', '--config', config)).toMatchObject({
    code: 1,
    err: 'berthgate: nothing is cached: the configuration has no `cache`\n',
  });
});

test('a server whose store cannot be had does not start, and says which', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  const running = startBerthgate([
    'serve',
    '--config',
    configured(folder, `cache: {store: "${join(folder, 'file')}"}`),
  ]);
  expect((await running.exit).code).toBe(1);
  expect(running.err).toContain(`cache.store ${join(folder, 'file')}`);
});

test('a reload moves the server to another store, and away from it', async () => {
  const folder = temporaryFolder();
  const running = await serve(configured(folder, `cache: {store: "${join(folder, 'one')}"}`));
  configured(folder, `cache: {store: "${join(folder, 'two')}", maxBytes: 2GiB}`);
  running.kill('SIGHUP');
  const stats = async () => (await berthgate('cache', 'stats', '--socket', join(folder, 'admin.sock'))).out;
  await expect.poll(stats, { timeout: 60_000 }).toContain('of 2.0GiB');
  expect(readdirSync(folder)).toContain('two');
});

test('a server keeps in a bucket what it is told to, and does not start without the right to it', async () => {
  const folder = temporaryFolder();
  const s3 = await startS3('bytes');
  onTestFinished(() => s3.stop());
  const config = configured(folder, 'cache: {store: "s3://bytes/of/this"}');
  const env = {
    AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
    AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
    AWS_ENDPOINT_URL: s3.url,
  };
  const wrong = startBerthgate(['serve', '--config', config], { ...env, AWS_SECRET_ACCESS_KEY: 'another' });
  expect((await wrong.exit).code).toBe(1);
  expect(wrong.err).toContain('cache.store s3://bytes/of/this: the bucket answered GET');
  const without = startBerthgate(['serve', '--config', config], { AWS_ACCESS_KEY_ID: '' });
  expect((await without.exit).code).toBe(1);
  expect(without.err).toContain('the variable AWS_ACCESS_KEY_ID is not set');
  const right = startBerthgate(['serve', '--config', config], env);
  await right.hears(/DOCKER_HOST/);
  expect(await berthgate('cache', 'stats', '--config', config)).toMatchObject({ code: 0, err: '' });
});
