/**
 * The store in a bucket: `PREFIX/blobs/DIGEST` and `PREFIX/records/NAME`. What is being written lies in a folder of this
 * machine until it is whole, where it can be followed.
 */

import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Bucket, type BucketOptions } from './bucket.ts';
import { BucketBodies } from './bucket-bodies.ts';
import { BucketRecords } from './bucket-records.ts';
import { Ledger } from './ledger.ts';
import { fillPrefix, removeDeadFills } from './left-fills.ts';
import { PlacedStore } from './placed-store.ts';
import { SendBuffers } from './send-buffers.ts';

/** A look at the place is a request, which takes its time. */
const REMEMBERED_MS = 30_000;
const MEMORY_BYTES = 64 * 1024 * 1024;
/** What S3 takes in one request. */
const LARGEST_BODY = 5 * 2 ** 30;

export interface BucketStoreOptions extends BucketOptions {
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
  /** For what is being written: our own. */
  readonly fills: string;
  readonly maxBytes: number;
}

export class BucketStore extends PlacedStore {
  /** @throws Error where the bucket does not answer, or not to us, and where there is no folder for fills */
  static async open({ prefix, fills, maxBytes, ...options }: BucketStoreOptions): Promise<BucketStore> {
    await mkdir(fills, { recursive: true, mode: 0o700 });
    if (!(await lstat(fills)).isDirectory()) throw new Error(`${fills} is no folder`);
    await removeDeadFills(fills);
    const bucket = new Bucket(options);
    const at = prefix === '' ? '' : `${prefix}/`;
    const records = new BucketRecords(bucket, `${at}records/`);
    for await (const _ of records.walk()) break;
    const ledger = new Ledger(maxBytes);
    const start = await fillPrefix();
    let count = 0;
    return new BucketStore({
      bodies: new BucketBodies(bucket, `${at}blobs/`, ledger, MEMORY_BYTES),
      records,
      rememberedMs: REMEMBERED_MS,
      ledger,
      buffers: new SendBuffers(),
      maxBytes,
      largestBody: LARGEST_BODY,
      fills,
      newPath: () => join(fills, `${start}.${count++}`),
    });
  }
}
