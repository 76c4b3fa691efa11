// What happens to a store: killed processes, full disks, files that somebody has written into.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { type Body, type VerifyStep, WrongBody } from '../../../src/cache/store.ts';
import { digestOf, fillWith, readBody, readKey } from './contract.ts';

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function openStore(folder: string, maxBytes = 2 ** 30): Promise<FolderStore> {
  const store = await FolderStore.open({ folder, maxBytes });
  onTestFinished(() => store.close());
  await expect.poll(() => store.stats().complete).toBe(true);
  return store;
}

async function verify(store: FolderStore): Promise<readonly VerifyStep[]> {
  const steps: VerifyStep[] = [];
  for await (const step of store.verify(new AbortController().signal)) steps.push(step);
  return steps;
}

function blobPath(folder: string, bytes: Buffer): string {
  const digest = digestOf(bytes);
  return join(folder, 'blobs', digest.slice(0, 2), digest);
}

/** One bit, in the middle, as a bad disk would do it. */
async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] as number) ^ 1;
  await writeFile(path, bytes);
}

test('a folder into which others may write, or that is a link to one, is not taken', async () => {
  const folder = await newFolder();
  await chmod(folder, 0o770);
  await expect(FolderStore.open({ folder, maxBytes: 1e6 })).rejects.toThrow('others may write into it');
  await chmod(folder, 0o700);
  await symlink(folder, `${folder}-link`);
  onTestFinished(() => rm(`${folder}-link`));
  await expect(FolderStore.open({ folder: `${folder}-link`, maxBytes: 1e6 })).rejects.toThrow('a symbolic link');
  await openStore(folder);
});

describe('a body that was altered on the disk', () => {
  test('is not served by a store that is opened anew, whole or in part, small or large', async () => {
    const folder = await newFolder();
    const [small, large, part] = [randomBytes(1000), randomBytes(3_000_000), randomBytes(3_000_001)];
    const before = await openStore(folder);
    for (const [i, bytes] of [small, large, part].entries()) await fillWith(before, `http:${i}`, bytes);
    await before.close();
    for (const bytes of [small, large, part]) await flipBit(blobPath(folder, bytes));
    const store = await openStore(folder);
    expect(await store.open(digestOf(small))).toBeNull();
    const body = (await store.open(digestOf(large))) as Body;
    let got = 0;
    const reading = (async () => {
      for await (const piece of body.pieces()) got += piece.length;
    })();
    await expect(reading).rejects.toThrow(WrongBody);
    expect(got).toBeLessThan(large.length);
    body.close();
    const ranged = (await store.open(digestOf(part))) as Body;
    await expect(readBody(ranged, 0, 10)).rejects.toThrow(WrongBody);
    ranged.close();
    await expect.poll(() => store.open(digestOf(large))).toBeNull();
    expect(store.stats().corrupt).toBe(3);
    await fillWith(store, 'http:1', large);
    expect((await readKey(store, 'http:1'))?.equals(large)).toBe(true);
  });

  test('is not served either when it is altered under a store that runs', async () => {
    const folder = await newFolder();
    const store = await openStore(folder);
    const bytes = randomBytes(3_000_000);
    await fillWith(store, 'http:a', bytes);
    expect((await readKey(store, 'http:a'))?.equals(bytes)).toBe(true);
    await flipBit(blobPath(folder, bytes));
    await expect(readKey(store, 'http:a')).rejects.toThrow(WrongBody);
  });

  test('does not stand in the way of the right one, which replaces it', async () => {
    const folder = await newFolder();
    const bytes = randomBytes(300_000);
    const before = await openStore(folder);
    await fillWith(before, 'http:a', bytes);
    await before.close();
    await flipBit(blobPath(folder, bytes));
    const store = await openStore(folder);
    await fillWith(store, 'http:b', bytes);
    expect((await readKey(store, 'http:a'))?.equals(bytes)).toBe(true);
  });

  test('is found by a verification, which removes it and what names it, and nothing else', async () => {
    const folder = await newFolder();
    const store = await openStore(folder);
    const bodies = Array.from({ length: 6 }, (_, i) => randomBytes(10_000 * (i + 1)));
    for (const [i, bytes] of bodies.entries()) await fillWith(store, `http:${i}`, bytes);
    expect((await verify(store)).at(-1)).toMatchObject({
      step: 'done',
      checked: 6,
      corrupt: 0,
      missing: 0,
      damaged: 0,
    });
    await flipBit(blobPath(folder, bodies[0] as Buffer));
    await truncate(blobPath(folder, bodies[1] as Buffer), 5);
    await rm(blobPath(folder, bodies[2] as Buffer));
    const shelf = (await readdir(join(folder, 'records'), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    for (const entry of shelf) {
      const path = join(entry.parentPath, entry.name);
      if ((await readFile(path, 'utf8')).includes('"http:3"')) await truncate(path, 100);
    }
    const steps = await verify(store);
    expect(steps).toContainEqual({ step: 'corrupt', digest: digestOf(bodies[0] as Buffer), keys: ['http:0'] });
    expect(steps).toContainEqual({ step: 'corrupt', digest: digestOf(bodies[1] as Buffer), keys: ['http:1'] });
    expect(steps).toContainEqual({ step: 'missing', digest: digestOf(bodies[2] as Buffer), keys: ['http:2'] });
    expect(steps.at(-1)).toMatchObject({ step: 'done', corrupt: 2, missing: 1, damaged: 1 });
    for (const i of [0, 1, 2, 3]) expect(await readKey(store, `http:${i}`)).toBeNull();
    for (const i of [4, 5]) expect((await readKey(store, `http:${i}`))?.equals(bodies[i] as Buffer)).toBe(true);
    expect((await verify(store)).at(-1)).toMatchObject({ corrupt: 0, missing: 0, damaged: 0 });
  });
});

test('tidying up removes bodies that nobody names and half ones of dead processes, and counts what others have put', async () => {
  const folder = await newFolder();
  const store = await openStore(folder);
  const other = await openStore(folder);
  const [kept, orphan, fresh] = [randomBytes(1000), randomBytes(2000), randomBytes(3000)];
  await fillWith(other, 'http:a', kept);
  for (const [bytes, ageS] of [
    [orphan, 3600],
    [fresh, 0],
  ] as const) {
    const path = blobPath(folder, bytes);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, bytes);
    const time = Date.now() / 1000 - ageS;
    await utimes(path, time, time);
  }
  const alive = store.begin();
  await alive.write(randomBytes(100_000));
  const [its] = await readdir(join(folder, 'fills'));
  const dead = (its as string).replace(/^([^.]+)\.\d+\.\d+/, '$1.999999999.1');
  await writeFile(join(folder, 'fills', dead), 'half');
  expect(store.stats().records).toBe(0);
  expect(await store.collect()).toEqual({ fills: 1, bodies: 1, bytes: 2000, records: 0 });
  expect(store.stats().records).toBe(1);
  expect(existsSync(blobPath(folder, fresh))).toBe(true);
  expect(existsSync(blobPath(folder, orphan))).toBe(false);
  expect((await alive.commit([{ key: 'http:b', variant: '', meta: null }])).kept).toBe(true);
  await other.delete('http:a');
  await store.collect();
  expect(store.stats().records).toBe(1);
});

test('a process that is killed in the middle of 300 fills leaves whole bodies alone, and nothing half', async () => {
  const folder = await newFolder();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'filling-process.mjs'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  let said = '';
  // It tells each body that is kept: after the fortieth many are on their way.
  for await (const text of child.stdout) {
    said += text;
    if (said.split('\n').length > 40) break;
  }
  child.kill('SIGKILL');
  await exited;
  const told = said.split('\n').slice(0, -1);
  expect(told.length).toBeGreaterThanOrEqual(40);
  expect((await readdir(join(folder, 'fills'))).length).toBeGreaterThan(20);
  const store = await openStore(folder);
  expect(await readdir(join(folder, 'fills'))).toEqual([]);
  for (const line of told) {
    const [key, digest] = line.split(' ') as [string, string];
    expect(digestOf((await readKey(store, key)) as Buffer)).toBe(digest);
  }
  let listed = 0;
  for await (const { key, digest } of store.list()) {
    listed++;
    expect(digestOf((await readKey(store, key)) as Buffer)).toBe(digest);
  }
  expect(listed).toBeGreaterThanOrEqual(told.length);
  expect((await verify(store)).at(-1)).toMatchObject({ corrupt: 0, missing: 0, damaged: 0 });
});

describe.runIf(process.getuid?.() === 0)('on a disk that is full', () => {
  async function smallDisk(): Promise<string> {
    const folder = await newFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'berthgate-test', folder]);
    onTestFinished(() => void execFileSync('umount', ['--lazy', folder]));
    return folder;
  }

  test('a body passes whole to those who read it, is not kept, and leaves nothing', async () => {
    const folder = await smallDisk();
    const store = await openStore(folder);
    const bytes = randomBytes(8_000_000);
    const fill = store.begin({ digest: digestOf(bytes), size: bytes.length });
    const followers = [fill.follow() as Body, fill.follow() as Body];
    const reading = followers.map((follower) => readBody(follower));
    for (let at = 0; at < bytes.length; at += 65_536) await fill.write(bytes.subarray(at, at + 65_536));
    expect(fill.notKept).toBe('disk full');
    expect(await fill.commit([{ key: 'http:a', variant: '', meta: null }])).toMatchObject({
      kept: false,
      reason: 'disk full',
    });
    for (const one of await Promise.all(reading)) expect(one.equals(bytes)).toBe(true);
    for (const follower of followers) follower.close();
    expect(await store.get('http:a')).toEqual([]);
    expect(store.stats().notKept['disk full']).toBe(1);
    expect(await readdir(join(folder, 'fills'))).toEqual([]);
  });

  test('what was used longest ago makes room, although less is kept than may be', async () => {
    const folder = await smallDisk();
    const store = await openStore(folder);
    const bodies = Array.from({ length: 6 }, () => randomBytes(200_000));
    for (const [i, bytes] of bodies.entries()) await fillWith(store, `http:${i}`, bytes);
    expect(await readKey(store, 'http:0')).toBeNull();
    expect((await readKey(store, 'http:5'))?.equals(bodies[5] as Buffer)).toBe(true);
    expect((await verify(store)).at(-1)).toMatchObject({ corrupt: 0, missing: 0, damaged: 0 });
  });

  test('what is not to be served any more goes, and where there is no room for the others alone, they go with it', async () => {
    const folder = await smallDisk();
    const store = await openStore(folder);
    const bytes = randomBytes(1000);
    for (const variant of ['de', 'fr']) {
      const fill = store.begin();
      await fill.write(bytes);
      await fill.commit([{ key: 'http:a', variant, meta: 'm'.repeat(20_000) }]);
    }
    expect(await store.get('http:a')).toHaveLength(2);
    await writeFile(join(folder, 'other'), Buffer.alloc(2 ** 20)).catch(() => {});
    // The control: there is no room for a record.
    expect(await store.put({ key: 'http:b', variant: '', meta: 'm'.repeat(20_000) }, digestOf(bytes))).toBe(false);
    expect(await store.delete('http:a', 'de')).toBe(true);
    expect(await store.get('http:a')).toEqual([]);
  });

  test('a small body is not kept either, and what was kept is still served', async () => {
    const folder = await smallDisk();
    const store = await openStore(folder);
    const kept = randomBytes(300_000);
    await fillWith(store, 'http:a', kept);
    const held = (await store.open(digestOf(kept))) as Body;
    await writeFile(join(folder, 'other'), Buffer.alloc(2 ** 20)).catch(() => {});
    expect((await stat(join(folder, 'other'))).size).toBeGreaterThan(0);
    const outcome = await fillWith(store, 'http:b', randomBytes(70_000));
    expect(outcome).toMatchObject({ kept: false, reason: 'disk full' });
    expect(await store.get('http:b')).toEqual([]);
    expect((await readBody(held)).equals(kept)).toBe(true);
    held.close();
  });
});
