// What administrators are shown of the images that are kept.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { listImages } from '../../../src/cache/registry/index.ts';
import { FolderStore } from '../../../src/cache/store/index.ts';
import { digestOf, fillWith } from '../store/contract.ts';

test('a tag that is asked for in several ways comes once, or once for each thing that it means', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-kept-'));
  const store = await FolderStore.open({ folder, maxBytes: 2 ** 30 });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const [list, single] = [Buffer.from('{"manifests":[]}'), Buffer.from('{"layers":[]}')];
  for (const [name, bytes] of Object.entries({ list, single })) await fillWith(store, `manifest:${name}`, bytes);
  const keep = async (tag: string, accepted: string, bytes: Buffer, checkedAt: number) => {
    const key = `tag:r.example.org/app:${tag}`;
    expect(await store.put({ key, variant: accepted, meta: { checkedAt } }, digestOf(bytes))).toBe(true);
  };
  await keep('1', 'lists', list, 1);
  await keep('1', 'lists and more', list, 2);
  await keep('2', 'lists', list, 3);
  await keep('2', 'old ones', single, 4);
  await keep('2', 'lists and more', list, 5);
  const shown: string[] = [];
  for await (const { name, digest, checkedAt } of listImages(store)) shown.push(`${name} ${digest} ${checkedAt}`);
  expect(shown.sort()).toEqual(
    [
      `r.example.org/app:1 sha256:${digestOf(list)} 2`,
      `r.example.org/app:2 sha256:${digestOf(list)} 5`,
      `r.example.org/app:2 sha256:${digestOf(single)} 4`,
    ].sort(),
  );
});
