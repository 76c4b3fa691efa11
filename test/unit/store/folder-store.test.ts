import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { Layout, recordName } from '../../../src/cache/store/layout.ts';
import type { Body } from '../../../src/cache/store.ts';
import { digestOf, fillWith, readBody, readKey, storeContract } from './contract.ts';

const folders: string[] = [];
const stores: FolderStore[] = [];

async function openStore(maxBytes = 2 ** 30, folder?: string): Promise<FolderStore> {
  const at = folder ?? (await mkdtemp(join(tmpdir(), 'berthgate-store-')));
  if (folder === undefined) folders.push(at);
  const store = await FolderStore.open({ folder: at, maxBytes });
  stores.push(store);
  await expect.poll(() => store.stats().complete).toBe(true);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function filesBelow(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).length;
}

async function bytesBelow(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = found
    .filter((entry) => entry.isFile())
    .map(async ({ parentPath, name }) => {
      // What goes meanwhile takes no room.
      const file = await stat(join(parentPath, name)).catch(() => null);
      return file?.size ?? 0;
    });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

describe('the store in a folder', () => {
  storeContract(() => openStore());

  test('holds after it is opened anew what it held before, without a walk', async () => {
    const store = await openStore();
    const bytes = randomBytes(1_000_000);
    await fillWith(store, 'http:a', bytes, 'en', { status: 200 });
    await store.close();
    const again = await openStore(2 ** 30, folders[0]);
    expect((await readKey(again, 'http:a'))?.equals(bytes)).toBe(true);
    expect(again.stats()).toMatchObject({ bodies: 1, records: 1 });
  });

  test('is read and written by several at once', async () => {
    const [one, other] = [await openStore(), await openStore(2 ** 30, folders[0])];
    const bytes = randomBytes(300_000);
    await fillWith(one, 'http:a', bytes);
    await fillWith(other, 'http:b', bytes);
    expect((await readKey(other, 'http:a'))?.equals(bytes)).toBe(true);
    expect((await readKey(one, 'http:b'))?.equals(bytes)).toBe(true);
  });

  test('lets go what was used longest ago, and nothing that is being read', async () => {
    const store = await openStore(1_000_000);
    const bodies = Array.from({ length: 9 }, () => randomBytes(100_000));
    for (const [i, bytes] of bodies.entries()) await fillWith(store, `http:${i}`, bytes);
    const open = (await store.open(digestOf(bodies[1] as Buffer))) as Body;
    store.touch('http:0');
    for (let i = 9; i < 14; i++) await fillWith(store, `http:${i}`, randomBytes(300_000));
    await expect.poll(() => store.stats().bytes).toBeLessThanOrEqual(1_000_000);
    expect((await readBody(open)).equals(bodies[1] as Buffer)).toBe(true);
    open.close();
    expect(await store.get('http:2')).toEqual([]);
    expect((await store.get('http:13')).length).toBe(1);
    expect(store.stats().evicted.records).toBeGreaterThan(5);
  });

  test('keeps what is used again over a flood of what is used once, also after it is opened anew', async () => {
    const store = await openStore(2_000_000);
    const bodies = Array.from({ length: 10 }, () => randomBytes(100_000));
    for (const [i, bytes] of bodies.entries()) await fillWith(store, `http:${i}`, bytes);
    for (let i = 0; i < 5; i++) store.touch(`http:${i}`);
    const left = async (at: FolderStore): Promise<readonly number[]> => {
      const there = await Promise.all(bodies.map(async (_, i) => (await at.get(`http:${i}`)).length));
      return there.flatMap((count, i) => (count > 0 ? [i] : []));
    };
    for (let i = 0; i < 30; i++) await fillWith(store, `http:once-${i}`, randomBytes(150_000));
    await expect.poll(() => store.stats().bytes).toBeLessThanOrEqual(2_000_000);
    expect(await left(store)).toEqual([0, 1, 2, 3, 4]);
    // Their files say the same to the next one: used later than stored.
    await fillWith(store, 'http:0', bodies[0] as Buffer);
    const later = Date.now() + 10_000;
    vi.useFakeTimers({ now: later, toFake: ['Date'] });
    for (let i = 0; i < 5; i++) store.touch(`http:${i}`);
    vi.useRealTimers();
    await store.close();
    const again = await openStore(2_000_000, folders[0]);
    for (let i = 0; i < 30; i++) await fillWith(again, `http:new-${i}`, randomBytes(150_000));
    await expect.poll(() => again.stats().bytes).toBeLessThanOrEqual(2_000_000);
    expect(await left(again)).toEqual([0, 1, 2, 3, 4]);
  });

  test('is closed when what was whole is kept', async () => {
    const store = await openStore();
    const fill = store.begin();
    await fill.write(randomBytes(200_000));
    const committed = fill.commit([{ key: 'http:a', variant: '', meta: null }]);
    await store.close();
    const files = await filesBelow(folders[0] as string);
    expect((await committed).kept).toBe(true);
    expect(files).toBe(2);
  });

  test('has not much more than it may have, however fast it is filled', async () => {
    const store = await openStore(1_000_000);
    let [next, most] = [0, 0];
    const fillOn = async (): Promise<void> => {
      while (next < 300) {
        await fillWith(store, `http:${next++}`, randomBytes(20_000));
        most = Math.max(most, store.stats().bytes);
      }
    };
    await Promise.all(Array.from({ length: 16 }, fillOn));
    expect(most).toBeLessThan(1_000_000 * 1.05 + 17 * 21_000);
    await expect.poll(() => store.stats().bytes).toBeLessThanOrEqual(1_000_000);
    await store.close();
    expect(await filesBelow(folders[0] as string)).toBe(store.stats().records * 2);
    expect(store.stats().evicted.records).toBe(300 - store.stats().records);
  });

  test('counts what is being filled, and keeps no more of it at a time than it may have', async () => {
    const store = await openStore(1_000_000);
    for (let i = 0; i < 8; i++) await fillWith(store, `http:${i}`, randomBytes(100_000));
    const bytes = randomBytes(400_000);
    const fills = [store.begin(), store.begin(), store.begin()];
    const readings = fills.map(async (fill) => {
      const follower = fill.follow() as Body;
      const read = await readBody(follower);
      follower.close();
      return read;
    });
    let most = 0;
    for (let at = 0; at < bytes.length; at += 50_000) {
      for (const fill of fills) await fill.write(bytes.subarray(at, at + 50_000));
      most = Math.max(most, await bytesBelow(folders[0] as string));
    }
    expect(most).toBeLessThan(1_000_000 * 1.05 + 100_000);
    expect(fills.map(({ notKept }) => notKept)).toContain('larger than the store');
    for (const fill of fills) await fill.commit([]);
    for (const reading of readings) expect((await reading).equals(bytes)).toBe(true);
    // Alone it has the room of what it was evicted for, and nothing is counted for good.
    await fillWith(store, 'http:a', bytes);
    for (let i = 10; i < 13; i++) await fillWith(store, `http:${i}`, randomBytes(100_000));
    expect((await readKey(store, 'http:a'))?.equals(bytes)).toBe(true);
  });

  test('makes room for what is being filled also while it looks through all that lies there', async () => {
    const store = await openStore(1_000_000);
    for (let i = 0; i < 9; i++) await fillWith(store, `http:${i}`, randomBytes(100_000));
    // A file that is read for as long as nobody writes into it.
    const slow = new Layout(folders[0] as string).record(recordName('http:slow'));
    await mkdir(dirname(slow), { recursive: true });
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', slow]);
    const looked = store.collect();
    const bytes = randomBytes(300_000);
    const kept = await Promise.race([fillWith(store, 'http:a', bytes), pause(10_000)]);
    const { evicted } = store.stats();
    await writeFile(slow, '');
    await looked;
    expect(kept).toMatchObject({ kept: true });
    expect(evicted.records).toBeGreaterThan(0);
    expect((await readKey(store, 'http:a'))?.equals(bytes)).toBe(true);
    await expect.poll(() => store.stats().bytes).toBeLessThanOrEqual(1_000_000);
  });

  test('is not emptied for one body: what is larger than half of it passes, and displaces nothing', async () => {
    const store = await openStore(1_000_000);
    for (let i = 0; i < 9; i++) await fillWith(store, `http:${i}`, randomBytes(100_000));
    for (const [size, displaced] of [
      [510_000, 0],
      // It is seen only when half of the store has gone for it.
      [undefined, 5],
    ] as const) {
      const bytes = randomBytes(510_000);
      const fill = store.begin({ size });
      const follower = fill.follow() as Body;
      const reading = readBody(follower);
      for (let at = 0; at < bytes.length; at += 30_000) await fill.write(bytes.subarray(at, at + 30_000));
      expect(await fill.commit([{ key: 'http:large', variant: '', meta: null }])).toMatchObject({ kept: false });
      expect((await reading).equals(bytes)).toBe(true);
      follower.close();
      expect(store.stats().evicted.records).toBeLessThanOrEqual(displaced);
    }
    // The control.
    expect(await fillWith(store, 'http:less', randomBytes(490_000))).toMatchObject({ kept: true });
  });

  test('passes a body that is larger than itself through, and keeps nothing of it', async () => {
    const store = await openStore(100_000);
    const bytes = randomBytes(9_000_000);
    const fill = store.begin();
    const follower = fill.follow() as Body;
    const reading = readBody(follower);
    for (let at = 0; at < bytes.length; at += 50_000) await fill.write(bytes.subarray(at, at + 50_000));
    expect(fill.notKept).toBe('larger than the store');
    expect(fill.follow()).toBeNull();
    expect(await fill.commit([{ key: 'http:a', variant: '', meta: null }])).toMatchObject({ kept: false });
    expect((await reading).equals(bytes)).toBe(true);
    follower.close();
    expect(await store.get('http:a')).toEqual([]);
    expect(await filesBelow(folders[0] as string)).toBe(0);
  });
});
