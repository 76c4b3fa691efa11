/** The files of records in a bucket. The last use is when the object was written: a used one is written again, not often. */

import { createHash } from 'node:crypto';
import type { Bucket } from './bucket.ts';
import { listObjects } from './bucket-listing.ts';
import { isRecordName } from './layout.ts';
import type { RecordPlace } from './places.ts';

/** A request for each touch would cost more than an order that is exact. */
const TOUCHED_MS = 6 * 3_600_000;
const MOST_TOUCHED = 100_000;

export class BucketRecords implements RecordPlace {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #written = new Map<string, number>();

  /** @param prefix of the keys, ends with a slash */
  constructor(bucket: Bucket, prefix: string) {
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async read(name: string): Promise<Buffer | null> {
    const answer = await this.#bucket.ask({ method: 'GET', key: this.#prefix + name });
    return answer === null ? null : Buffer.from(await answer.body.arrayBuffer());
  }

  async write(name: string, bytes: Buffer): Promise<void> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const body = { sha256, size: bytes.length, content: () => bytes };
    const answer = await this.#bucket.ask({ method: 'PUT', key: this.#prefix + name, body });
    await answer?.body.dump();
    if (this.#written.size >= MOST_TOUCHED) this.#written.clear();
    this.#written.set(name, Date.now());
  }

  async remove(name: string): Promise<boolean> {
    const answer = await this.#bucket.ask({ method: 'DELETE', key: this.#prefix + name });
    await answer?.body.dump();
    return answer !== null;
  }

  async *walk(): AsyncGenerator<{ name: string; lastUse: number }> {
    for await (const { key, changedMs } of listObjects(this.#bucket, this.#prefix)) {
      const name = key.slice(this.#prefix.length);
      if (!isRecordName(name)) continue;
      if (this.#written.size < MOST_TOUCHED) this.#written.set(name, changedMs);
      yield { name, lastUse: changedMs };
    }
  }

  async touch(name: string, timeMs: number): Promise<void> {
    if (timeMs - (this.#written.get(name) ?? 0) < TOUCHED_MS) return;
    const bytes = await this.read(name);
    if (bytes !== null) await this.write(name, bytes);
  }
}
