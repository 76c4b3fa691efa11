// A registry that has a small image of several layers under every name, one that no engine has had before, and says nothing of
// it until it is released; or says what it is, and gives half of each blob.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeTar } from '../engine/tar.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
/** More than an engine has connections to a registry that it keeps. */
const LAYERS = 6;

export interface HeldRegistry {
  readonly url: string;
  /** The id of an image, as engines say it that keep images by themselves. */
  idOf(name: string): string;
  /** Resolves when the image of the name has been asked for, and its answer is held. */
  asked(name: string): Promise<void>;
  release(): void;
  close(): void;
}

interface HeldImage {
  readonly manifest: Buffer;
  readonly digest: string;
  readonly id: string;
}

export async function startHeldRegistry(holds: 'manifests' | 'blobs' = 'manifests'): Promise<HeldRegistry> {
  const blobs = new Map<string, Buffer>();
  const images = new Map<string, HeldImage>();
  const imageOf = (name: string): HeldImage => {
    const image = images.get(name) ?? makeImage(blobs);
    images.set(name, image);
    return image;
  };
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const heard = new Map<string, () => void>();
  const asked = new Map<string, Promise<void>>();
  const askedFor = (name: string): Promise<void> => {
    const before = asked.get(name) ?? new Promise<void>((resolve) => void heard.set(name, resolve));
    asked.set(name, before);
    return before;
  };
  const server = http.createServer(async ({ method, url = '' }, response) => {
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    const { manifest, digest } = imageOf(name);
    if (kind === holds) {
      void askedFor(name);
      heard.get(name)?.();
      if (kind === 'manifests') await released;
    }
    const found = kind === 'manifests' ? manifest : blobs.get(reference);
    if (found === undefined) return response.writeHead(url === '/v2/' ? 200 : 404).end('{}');
    const type = kind === 'manifests' ? MANIFEST : 'application/octet-stream';
    const own = kind === 'manifests' ? digest : reference;
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': found.length, 'Docker-Content-Digest': own });
    if (method === 'HEAD') return response.end();
    const half = kind === holds && kind === 'blobs' ? found.length >> 1 : 0;
    if (half > 0) response.write(found.subarray(0, half));
    await (half > 0 ? released : null);
    response.end(found.subarray(half));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    idOf: (name) => imageOf(name).id,
    asked: askedFor,
    release,
    close() {
      release();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What it consists of goes into `blobs`. */
function makeImage(blobs: Map<string, Buffer>): HeldImage {
  const keep = (bytes: Buffer) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const layers = Array.from({ length: LAYERS }, (_, i) => keep(makeTar({ [`layer-${i}`]: randomBytes(16) })));
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const config = keep(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs })));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
    }),
  );
  return { manifest, digest: keep(manifest).digest, id: config.digest };
}
