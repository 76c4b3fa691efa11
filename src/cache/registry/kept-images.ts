/** The images that the store has, by the tags that they were asked for. */

import type { Store } from '../store.ts';
import { blobKey, hexOf } from './kept-manifests.ts';
import { readDescriptors } from './manifest-descriptors.ts';

export interface KeptImage {
  /** `docker.io/library/debian:12` */
  readonly name: string;
  readonly digest: string;
  /** Of its manifests and of its blobs that are there, each once. */
  readonly bytes: number;
  /** Blobs of it that are there, of those that its kept manifests name. */
  readonly blobs: { readonly kept: number; readonly named: number };
  /** When the tag was looked at last; milliseconds since 1970. */
  readonly checkedAt: number;
  readonly lastUse: number;
}

const PREFIX = 'tag:';
const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;

/** In no order; a tag that several clients mean different things by comes once for each of these, as it was checked last. */
export async function* listImages(store: Store): AsyncIterable<KeptImage> {
  let listed = { key: '', digests: new Set<string>() };
  // The records of a key come together, newest first: one for each way that clients ask.
  for await (const { key, digest, meta, lastUse } of store.list(PREFIX)) {
    if (listed.key !== key) listed = { key, digests: new Set() };
    if (listed.digests.has(digest)) continue;
    listed.digests.add(digest);
    const name = key.slice(PREFIX.length);
    const registry = name.slice(0, name.indexOf('/'));
    const { bytes, kept, named } = await measure(store, registry, digest);
    const { checkedAt } = meta as { readonly checkedAt?: unknown };
    yield {
      name,
      digest: `sha256:${digest}`,
      bytes,
      blobs: { kept, named },
      checkedAt: typeof checkedAt === 'number' ? checkedAt : 0,
      lastUse,
    };
  }
}

async function measure(
  store: Store,
  registry: string,
  digest: string,
): Promise<{ readonly bytes: number; readonly kept: number; readonly named: number }> {
  const manifest = await readManifest(store, digest);
  if (manifest === null) return { bytes: 0, kept: 0, named: 0 };
  const { manifests, blobs } = readDescriptors(manifest);
  let [bytes, kept, named] = [manifest.length, 0, 0];
  for (const blob of new Set(blobs.map((one) => one.digest))) {
    named++;
    const [record] = await store.get(blobKey(registry, blob));
    if (record === undefined) continue;
    kept++;
    bytes += record.size;
  }
  for (const child of manifests) {
    if (!child.digest.startsWith('sha256:')) continue;
    const inner = await measure(store, registry, hexOf(child.digest));
    bytes += inner.bytes;
    kept += inner.kept;
    named += inner.named;
  }
  return { bytes, kept, named };
}

async function readManifest(store: Store, digest: string): Promise<Buffer | null> {
  const body = await store.open(digest);
  if (body === null) return null;
  try {
    if ((body.size ?? 0) > MOST_MANIFEST_BYTES) return null;
    if (body.bytes !== null) return body.bytes;
    const pieces: Buffer[] = [];
    for await (const piece of body.pieces()) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  } finally {
    body.close();
  }
}
