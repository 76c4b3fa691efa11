/** An image pulled ahead into the store, as an engine without credentials would pull it. */

import { Readable } from 'node:stream';
import type { ImageReference } from '../../docker/image-reference.ts';
import type { Repository } from './engine-names.ts';
import { readDescriptors } from './manifest-descriptors.ts';
import { OciError } from './oci-error.ts';
import { readWhole } from './read-whole.ts';
import type { Resource, Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

export interface WarmProgress {
  /** So far, and in all as far as is known: of blobs, in bytes. */
  readonly bytes: number;
  readonly of: number;
  readonly blobs: number;
}

const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const TELL_EVERY_BYTES = 8 * 1024 * 1024;
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** @param platform `linux/amd64`, or `all` @throws OciError, OutFault */
export async function* warmImage(
  upstream: Upstream,
  { domain: registry, path, tag, digest }: ImageReference,
  platform: string,
  signal: AbortSignal,
): AsyncIterable<WarmProgress> {
  const repository = { registry, path };
  const blobs = new Map<string, number>();
  const first = digest ?? tag ?? 'latest';
  const found = await readManifest(upstream, repository, first, signal);
  const wanted = found.manifests.filter((one) => platform === 'all' || isFor(one.platform, platform));
  if (found.manifests.length > 0 && wanted.length === 0) {
    throw new OciError('NAME_UNKNOWN', `${registry}/${path} has no image for ${platform}`);
  }
  for (const blob of found.blobs) blobs.set(blob.digest, blob.size);
  for (const one of wanted) {
    const inner = await readManifest(upstream, repository, one.digest, signal);
    for (const blob of inner.blobs) blobs.set(blob.digest, blob.size);
  }
  const of = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  let [bytes, told, done] = [0, 0, 0];
  yield { bytes, of, blobs: done };
  for (const blob of blobs.keys()) {
    for await (const read of readBlob(upstream, repository, blob, signal)) {
      bytes += read;
      if (bytes - told < TELL_EVERY_BYTES) continue;
      told = bytes;
      yield { bytes, of, blobs: done };
    }
    done++;
    yield { bytes, of, blobs: done };
  }
}

/** `linux/arm64` also means `linux/arm64/v8`. */
function isFor(said: string | null, platform: string): boolean {
  return said === platform || said?.startsWith(`${platform}/`) === true;
}

async function readManifest(upstream: Upstream, repository: Repository, reference: string, signal: AbortSignal) {
  const answer = await ask(upstream, repository, { kind: 'manifest', reference }, signal);
  const bytes = await wholeOf(answer);
  if (bytes === null) throw new OciError('UNAVAILABLE', `the registry ${repository.registry} answers with no manifest`);
  return readDescriptors(bytes);
}

/** Gives how many bytes have come. */
async function* readBlob(
  upstream: Upstream,
  repository: Repository,
  digest: string,
  signal: AbortSignal,
): AsyncIterable<number> {
  const { body } = await ask(upstream, repository, { kind: 'blob', digest }, signal);
  if (body instanceof Readable) {
    for await (const piece of body as AsyncIterable<Buffer>) yield piece.length;
    return;
  }
  try {
    for await (const piece of body.kept.pieces(body.range)) yield piece.length;
  } finally {
    body.kept.close();
  }
}

async function ask(
  upstream: Upstream,
  repository: Repository,
  resource: Resource,
  signal: AbortSignal,
): Promise<UpstreamAnswer> {
  const headers: Readonly<Record<string, string>> = resource.kind === 'manifest' ? { accept: ACCEPT } : {};
  const request: UpstreamRequest = {
    repository,
    resource,
    method: 'GET',
    query: '',
    headers,
    body: null,
    credentials: null,
    signal,
  };
  const answer = await upstream.ask(request);
  if (answer.status === 200) return answer;
  if (answer.body instanceof Readable) answer.body.resume();
  else answer.body.kept.close();
  const name = `${repository.registry}/${repository.path}`;
  throw new OciError('UNAVAILABLE', `the registry ${repository.registry} answers with ${answer.status} for ${name}`);
}

/** Null for what is too large for a manifest. */
async function wholeOf({ body }: UpstreamAnswer): Promise<Buffer | null> {
  if (body instanceof Readable) return readWhole(body, MOST_MANIFEST_BYTES);
  const { kept, range } = body;
  try {
    return await readWhole(Readable.from(kept.pieces(range)), MOST_MANIFEST_BYTES);
  } finally {
    kept.close();
  }
}
