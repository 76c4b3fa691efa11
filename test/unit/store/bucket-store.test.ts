import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BucketStore } from '../../../src/cache/store/index.ts';
import { type VerifyStep, WrongBody } from '../../../src/cache/store.ts';
import { WayOut } from '../../../src/wire/way-out.ts';
import { digestOf, fillWith, readKey, storeContract } from './contract.ts';
import { accessKey, type S3Server, startS3 } from './s3-server.ts';

const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] });
const stores: BucketStore[] = [];
let server: S3Server;
let fills: string;
let count = 0;

beforeAll(async () => {
  server = await startS3('bytes');
  fills = await mkdtemp(join(tmpdir(), 'berthgate-fills-'));
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

afterAll(async () => {
  await wayOut.close();
  await server.stop();
  await rm(fills, { recursive: true });
});

async function openStore(prefix: string, secretAccessKey = accessKey.secretAccessKey): Promise<BucketStore> {
  const url = new URL(`${server.url}/bytes/`);
  const store = await BucketStore.open({
    ...accessKey,
    secretAccessKey,
    sessionToken: undefined,
    url,
    region: 'us-east-1',
    out: wayOut.to({ named: url }),
    prefix,
    fills,
    maxBytes: 2 ** 30,
  });
  stores.push(store);
  await expect.poll(() => store.stats().complete).toBe(true);
  return store;
}

function newPrefix(): string {
  return `of/store-${count++}`;
}

describe('the store in a bucket', () => {
  storeContract(() => openStore(newPrefix()));

  test('is there for whoever opens it next, on this machine or another', async () => {
    const prefix = newPrefix();
    const one = await openStore(prefix);
    const bytes = randomBytes(700_000);
    await fillWith(one, 'http:a', bytes, 'en', { status: 200 });
    const other = await openStore(prefix);
    expect((await readKey(other, 'http:a'))?.equals(bytes)).toBe(true);
    expect(other.stats()).toMatchObject({ bodies: 1, records: 1 });
    expect((await openStore(newPrefix())).stats()).toMatchObject({ bodies: 0, records: 0 });
    expect(await readdir(fills)).toEqual([]);
  });

  test('does not open with a key that the server refuses', async () => {
    await expect(openStore(newPrefix(), 'another')).rejects.toThrow(/403 SignatureDoesNotMatch/);
  });

  test('serves no altered body as a whole one', async () => {
    const store = await openStore(newPrefix());
    const bytes = randomBytes(400_000);
    await fillWith(store, 'http:a', bytes);
    const altered = Buffer.from(bytes);
    altered[200_000] = (altered[200_000] as number) ^ 1;
    server.objects.set(`of/store-${count - 1}/blobs/${digestOf(bytes)}`, { bytes: altered, changed: new Date() });
    await expect(readKey(store, 'http:a')).rejects.toThrow(WrongBody);
    await expect.poll(() => readKey(store, 'http:a')).toBeNull();
  });

  test('tries again what the server could not do at the moment, and does without it where it cannot at all', async () => {
    const store = await openStore(newPrefix());
    server.fail(2);
    expect((await fillWith(store, 'http:a', randomBytes(1000))).kept).toBe(true);
    server.fail(1000);
    expect(await fillWith(store, 'http:b', randomBytes(1000))).toMatchObject({
      kept: false,
      reason: 'fault of the disk',
    });
    expect(await store.get('http:c')).toEqual([]);
    server.fail(0);
    expect((await readKey(store, 'http:a'))?.length).toBe(1000);
  });

  test('finds and removes what was altered or is missing', async () => {
    const store = await openStore(newPrefix());
    const [whole, altered, missing] = [randomBytes(300_000), randomBytes(300_001), randomBytes(300_002)];
    for (const [i, bytes] of [whole, altered, missing].entries()) await fillWith(store, `http:${i}`, bytes);
    const keyOf = (bytes: Buffer): string => `of/store-${count - 1}/blobs/${digestOf(bytes)}`;
    server.objects.set(keyOf(altered), { bytes: Buffer.from('x'), changed: new Date() });
    server.objects.delete(keyOf(missing));
    const steps: VerifyStep[] = [];
    for await (const step of store.verify(new AbortController().signal)) steps.push(step);
    expect(steps).toContainEqual({ step: 'corrupt', digest: digestOf(altered), keys: ['http:1'] });
    expect(steps).toContainEqual({ step: 'missing', digest: digestOf(missing), keys: ['http:2'] });
    expect((await readKey(store, 'http:0'))?.equals(whole)).toBe(true);
    expect(await store.get('http:1')).toEqual([]);
    expect(await store.collect()).toMatchObject({ bodies: 0, records: 0 });
  });
});
