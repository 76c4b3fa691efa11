// Images that cannot be compressed, put into a registry by its own interface.

import { createHash, randomBytes, randomFillSync } from 'node:crypto';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const MIB = 2 ** 20;

/** An image of so many layers of so many MiB each. Gives the digests of its layers. */
export async function pushImage(url, { name, tag, layers, mib }) {
  const digests = [];
  for (let i = 0; i < layers; i++) digests.push(await pushBlob(url, name, layerOf(mib)));
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Cmd: ['/large'] },
      rootfs: { type: 'layers', diff_ids: digests.map(({ digest }) => digest) },
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...(await pushBlob(url, name, config)) },
    layers: digests.map((one) => ({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...one })),
  };
  await send('PUT', `${url}/v2/${name}/manifests/${tag}`, MANIFEST, Buffer.from(JSON.stringify(manifest)));
  return digests.map(({ digest }) => digest);
}

async function pushBlob(url, name, bytes) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const begun = await send('POST', `${url}/v2/${name}/blobs/uploads/`, 'application/octet-stream', undefined);
  const place = new URL(begun.headers.get('location'), url);
  place.searchParams.set('digest', digest);
  await send('PUT', place, 'application/octet-stream', bytes);
  return { digest, size: bytes.length };
}

async function send(method, url, type, body) {
  const answer = await fetch(url, { method, headers: { 'content-type': type }, body });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** A tar (ustar) of one file of random bytes; engines take a layer as it is, packed or not. */
function layerOf(mib) {
  const size = mib * MIB;
  const tar = Buffer.alloc(512 + size + 1024);
  tar.write(`large-${randomBytes(8).toString('hex')}`, 0);
  tar.write('0000644\0', 100);
  tar.write('0000000\0', 108);
  tar.write('0000000\0', 116);
  tar.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  tar.write('00000000000\0        0', 136);
  tar.write('ustar\x0000', 257);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  randomFillSync(tar, 512, size);
  return tar;
}
