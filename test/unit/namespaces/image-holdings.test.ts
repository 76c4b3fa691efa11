// What builds that were cut off have left without a name: whose it is, by what it was made of.

import { expect, test } from 'vitest';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Json } from '../../../src/ground/json.ts';
import type { EngineSide } from '../../../src/rules/namespaces/engine-side.ts';
import { imagesHeld } from '../../../src/rules/namespaces/image-holdings.ts';

const JOB = `j-${'1'.repeat(20)}`;
const OURS = '127.0.0.1:5350';
const NAMED = `${OURS}/${JOB}/docker.io/library/base`;
const KEPT = 'berthgate.invalid/kept';

/** A base with these names and a step that was made of it, as the engine lists them. */
async function namelessOn(tags: readonly string[], digests: readonly string[] = []): Promise<readonly string[]> {
  const images: Json = [
    { Id: 'sha256:base', ParentId: '', RepoTags: [...tags], RepoDigests: [...digests] },
    { Id: 'sha256:step', ParentId: 'sha256:base', RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] },
  ];
  const desk = { ...emptyDesk('engine'), ask: async () => images };
  const side = { desk, addresses: new Set([OURS]), gateway: null } as unknown as EngineSide;
  const held = await imagesHeld(side, JOB, new Set());
  return held.flatMap(({ name, reference, image }) => (name === '<none>' && reference === image ? [image] : []));
}

test.each([
  ['that nobody else has', [`${NAMED}:1`], []],
  ['that is kept for later', [`${NAMED}:1`, `${KEPT}:${'a'.repeat(64)}-1`], [`${NAMED}@sha256:1`, `${KEPT}@sha256:1`]],
])('a step without a name is the job’s where it was made of an image of its own %s', async (_, tags, digests) => {
  expect(await namelessOn(tags, digests)).toEqual(['sha256:step']);
});

test.each([
  ['the engine’s own', ['base:1']],
  ['another job’s', [`${OURS}/j-${'2'.repeat(20)}/docker.io/library/base:1`]],
  ['another namespace’s', [`${OURS}/alice/docker.io/library/base:1`]],
  ['a job’s of another Berthgate', [`127.0.0.1:5351/j-${'2'.repeat(20)}/docker.io/library/base:1`]],
  ['in the cache of its owner’s builds', [`${OURS}/s_4711/cache:t000000000000-0000000000000000`]],
])('where that image is %s too, somebody else may be building from it', async (_, others) => {
  expect(await namelessOn([`${NAMED}:1`, ...others])).toEqual([]);
});

test('what was made of an image that the job does not have is not the job’s', async () => {
  expect(await namelessOn([`${KEPT}:${'a'.repeat(64)}-1`])).toEqual([]);
});
