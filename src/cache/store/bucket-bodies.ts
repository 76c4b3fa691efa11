/** The bodies in a bucket: an object each, named by its digest, which the server checks when it is written. */

import { createHash } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Body, Digest } from '../store.ts';
import type { Bucket } from './bucket.ts';
import { BucketBody } from './bucket-body.ts';
import { listObjects } from './bucket-listing.ts';
import type { WholeBody } from './fill.ts';
import { isDigest } from './layout.ts';
import type { Ledger } from './ledger.ts';
import { MemoryBody } from './memory-body.ts';
import type { BodyPlace } from './places.ts';
import { Turns } from './turns.ts';

/** A body up to this size is read at once, and kept in memory. */
const SMALL = 256 * 1024;

export class BucketBodies implements BodyPlace {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #ledger: Ledger;
  readonly #memory: LRUCache<Digest, MemoryBody>;
  readonly #turns = new Turns();
  corrupt = 0;

  /** @param prefix of the keys, ends with a slash */
  constructor(bucket: Bucket, prefix: string, ledger: Ledger, memoryBytes: number) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#ledger = ledger;
    this.#memory = new LRUCache({ maxSize: memoryBytes, sizeCalculation: ({ size }) => size + 512 });
  }

  async keep({ digest, size, content }: WholeBody, path: string): Promise<void> {
    await this.#turns.take(digest, async () => {
      if ((await this.#sizeThere(digest)) === size) return;
      const body = {
        sha256: digest,
        size,
        content: () => (Buffer.isBuffer(content) ? content : content.createReadStream({ start: 0, autoClose: false })),
      };
      const answer = await this.#bucket.ask({ method: 'PUT', key: this.#prefix + digest, body });
      await answer?.body.dump();
    });
    if (Buffer.isBuffer(content)) this.#memory.set(digest, new MemoryBody(digest, content));
    else await unlink(path).catch(() => {});
  }

  atHand(digest: Digest): Buffer | null {
    return this.#memory.get(digest)?.bytes ?? null;
  }

  async open(digest: Digest): Promise<Body | null> {
    const small = this.#memory.get(digest);
    if (small !== undefined) return small;
    const size = isDigest(digest) ? await this.#sizeThere(digest) : null;
    if (size === null) return null;
    if (size <= SMALL) return this.#readSmall(digest);
    this.#ledger.pin(digest);
    return new BucketBody({
      bucket: this.#bucket,
      key: this.#prefix + digest,
      digest,
      size,
      // Not to be had again, and tried again by the next verification where it could not be removed.
      onWrong: () => void this.#throwAway(digest).catch(() => {}),
      onClose: () => this.#ledger.unpin(digest),
    });
  }

  async #readSmall(digest: Digest): Promise<Body | null> {
    const answer = await this.#bucket.ask({ method: 'GET', key: this.#prefix + digest });
    if (answer === null) return null;
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (createHash('sha256').update(bytes).digest('hex') !== digest) {
      await this.#throwAway(digest);
      return null;
    }
    const body = new MemoryBody(digest, bytes);
    this.#memory.set(digest, body);
    return body;
  }

  async check(digest: Digest, signal: AbortSignal): Promise<number | 'wrong' | 'gone'> {
    const answer = await this.#bucket.ask({ method: 'GET', key: this.#prefix + digest });
    if (answer === null) return 'gone';
    const hash = createHash('sha256');
    let size = 0;
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      hash.update(piece);
      size += piece.length;
    }
    if (hash.digest('hex') === digest) return size;
    await this.#throwAway(digest);
    return 'wrong';
  }

  async remove(digest: Digest): Promise<number | null> {
    return this.#turns.take(digest, async () => {
      if (this.#ledger.isPinned(digest) || this.#ledger.isNamed(digest)) return null;
      const size = await this.#sizeThere(digest);
      await this.#delete(digest);
      return size;
    });
  }

  async sizeOf(digest: Digest): Promise<number | null> {
    if (!isDigest(digest)) return null;
    return this.#memory.peek(digest)?.size ?? this.#sizeThere(digest);
  }

  async *walk(): AsyncGenerator<{ digest: Digest; changedMs: number }> {
    for await (const { key, changedMs } of listObjects(this.#bucket, this.#prefix)) {
      const digest = key.slice(this.#prefix.length);
      if (isDigest(digest)) yield { digest, changedMs };
    }
  }

  async #sizeThere(digest: Digest): Promise<number | null> {
    const answer = await this.#bucket.ask({ method: 'HEAD', key: this.#prefix + digest });
    await answer?.body.dump();
    return answer === null ? null : Number(answer.headers['content-length']);
  }

  async #throwAway(digest: Digest): Promise<void> {
    this.corrupt++;
    await this.#turns.take(digest, () => this.#delete(digest));
  }

  async #delete(digest: Digest): Promise<void> {
    this.#memory.delete(digest);
    const answer = await this.#bucket.ask({ method: 'DELETE', key: this.#prefix + digest });
    await answer?.body.dump();
  }
}
