/**
 * The manifests that are kept, by registry and digest, with the repositories that have shown them, and what tags meant
 * when they were looked at last.
 */

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Body, Digest, NewRecord, Store } from '../store.ts';
import type { Repository } from './engine-names.ts';
import { nameOf } from './grants.ts';
import { readDescriptors } from './manifest-descriptors.ts';

export interface Manifest {
  /** `sha256:…` */
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** Null where it is in the store. */
  readonly bytes: Buffer | null;
}

export interface TagMeaning {
  readonly manifest: Manifest;
  /** Milliseconds since 1970. */
  readonly checkedAt: number;
}

const SHA256 = 'sha256:';
/** What an image consists of is told to be in use not more often than this. */
const USED_EVERY_MS = 60_000;
const MOST_USED = 10_000;
/** Of an index, so many manifests, and none that is larger. */
const MOST_PARTS = 64;
const LARGEST_PART = 256 * 1024;
const TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?$/;

export class KeptManifests {
  private readonly store: Store;
  private readonly used = new LRUCache<string, true>({ max: MOST_USED, ttl: USED_EVERY_MS });

  constructor(store: Store) {
    this.store = store;
  }

  /** What the repository has shown; null also where another one of the same registry has. */
  async find(repository: Repository, digest: string): Promise<Manifest | null> {
    const records = await this.store.get(manifestKey(repository.registry, digest));
    const own = records.find(({ variant }) => variant === repository.path);
    return own === undefined ? null : asManifest(digest, own.meta, own.size);
  }

  /** The registry says that the repository has it: what another one has shown is that. */
  async adopt(repository: Repository, digest: string): Promise<Manifest | null> {
    const key = manifestKey(repository.registry, digest);
    const records = await this.store.get(key);
    const [any] = records;
    if (any === undefined) return null;
    const own = records.find(({ variant }) => variant === repository.path);
    if (own === undefined && !(await this.store.put({ key, variant: repository.path, meta: any.meta }, any.digest))) {
      return null;
    }
    return asManifest(digest, any.meta, any.size);
  }

  async tag(repository: Repository, tag: string, accepted: string): Promise<TagMeaning | null> {
    const records = await this.store.get(tagKey(repository, tag));
    const found = records.find(({ variant }) => variant === accepted);
    if (found === undefined) return null;
    const { mediaType, checkedAt } = found.meta as { readonly mediaType: string; readonly checkedAt: number };
    return { manifest: { digest: `${SHA256}${found.digest}`, mediaType, size: found.size, bytes: null }, checkedAt };
  }

  async keepTag(repository: Repository, tag: string, accepted: string, manifest: Manifest): Promise<void> {
    const meta = { mediaType: manifest.mediaType, checkedAt: Date.now() };
    await this.store.put({ key: tagKey(repository, tag), variant: accepted, meta }, hexOf(manifest.digest));
  }

  /** @param bytes are what the digest says. Gives it also where it could not be kept. */
  async keep(repository: Repository, mediaType: string, bytes: Buffer): Promise<Manifest> {
    const digest = `${SHA256}${createHash('sha256').update(bytes).digest('hex')}`;
    const type = TYPE.test(mediaType) ? mediaType : 'application/octet-stream';
    const record: NewRecord = {
      key: manifestKey(repository.registry, digest),
      variant: repository.path,
      meta: { mediaType: type },
    };
    const fill = this.store.begin({ digest: hexOf(digest), size: bytes.length });
    await fill.write(bytes);
    await fill.commit([record]);
    return { digest, mediaType: type, size: bytes.length, bytes };
  }

  /** For one that is not read into memory. Null where it is not there any more. */
  async open(repository: Repository, { digest }: Manifest): Promise<Body | null> {
    const body = await this.store.open(hexOf(digest));
    if (body !== null) this.store.touch(manifestKey(repository.registry, digest));
    return body;
  }

  /** Null where it is not there any more. What belongs to it counts as used, too. */
  async read({ registry }: Repository, { digest, bytes }: Manifest): Promise<Buffer | null> {
    if (bytes !== null) return bytes;
    const read = await this.readKept(digest);
    if (read === null) return null;
    const key = manifestKey(registry, digest);
    this.store.touch(key);
    if (!this.used.has(key)) {
      this.used.set(key, true);
      // What cannot be read now is asked of the registry when somebody wants it.
      void this.useParts(registry, read).catch(() => {});
    }
    return read;
  }

  private async readKept(digest: string): Promise<Buffer | null> {
    const body = await this.store.open(hexOf(digest));
    if (body === null) return null;
    try {
      const pieces: Buffer[] = [];
      if (body.bytes !== null) pieces.push(body.bytes);
      else for await (const piece of body.pieces()) pieces.push(Buffer.from(piece));
      return Buffer.concat(pieces);
    } finally {
      body.close();
    }
  }

  /** An engine that has an image asks for its tag alone: what the tag stands for is in use as a whole. */
  private async useParts(registry: string, read: Buffer): Promise<void> {
    const { manifests, blobs } = readDescriptors(read);
    const used = [...blobs];
    for (const { digest } of manifests.slice(0, MOST_PARTS)) {
      const key = manifestKey(registry, digest);
      const [kept] = isKeepable(digest) ? await this.store.get(key) : [];
      const part = kept === undefined || kept.size > LARGEST_PART ? null : await this.readKept(digest);
      if (part === null) continue;
      this.store.touch(key);
      used.push(...readDescriptors(part).blobs);
    }
    for (const { digest } of used) this.store.touch(blobKey(registry, digest));
  }

  touchTag(repository: Repository, tag: string): void {
    this.store.touch(tagKey(repository, tag));
  }

  async forgetTag(repository: Repository, tag: string): Promise<void> {
    await this.store.delete(tagKey(repository, tag));
  }

  async forget(repository: Repository, digest: string): Promise<void> {
    await this.store.delete(manifestKey(repository.registry, digest), repository.path);
  }
}

/** Whether the store can keep what has the digest. */
export function isKeepable(digest: string): boolean {
  return digest.startsWith(SHA256);
}

export function hexOf(digest: string): Digest {
  return digest.slice(SHA256.length);
}

export function blobKey(registry: string, digest: string): string {
  return `blob:${registry}@${digest}`;
}

function manifestKey(registry: string, digest: string): string {
  return `manifest:${registry}@${digest}`;
}

function tagKey(repository: Repository, tag: string): string {
  return `tag:${nameOf(repository)}:${tag}`;
}

function asManifest(digest: string, meta: unknown, size: number): Manifest {
  return { digest, mediaType: (meta as { readonly mediaType: string }).mediaType, size, bytes: null };
}
