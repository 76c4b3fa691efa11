/** Where a store lies: what a folder and a bucket do each in its own way, and everything else is built upon. */

import type { Body, Digest } from '../store.ts';
import type { WholeBody } from './fill.ts';

/** The files of records, by name (layout.ts). A file appears whole, and is replaced whole. */
export interface RecordPlace {
  /** Null where there is none. */
  read(name: string): Promise<Buffer | null>;
  write(name: string, bytes: Buffer): Promise<void>;
  /** Whether there was one. */
  remove(name: string): Promise<boolean>;
  /** With the last use as far as it was written down, in milliseconds since 1970. */
  walk(): AsyncIterable<{ readonly name: string; readonly lastUse: number }>;
  touch(name: string, timeMs: number): Promise<void>;
}

export interface BodyPlace {
  /** How many were thrown away because they were not what their name says. */
  readonly corrupt: number;
  /** What was written to `path`, or is at hand, is kept, or there already. @throws Error of the place */
  keep(body: WholeBody, path: string): Promise<void>;
  open(digest: Digest): Promise<Body | null>;
  /** Null where it is not in memory. */
  atHand(digest: Digest): Buffer | null;
  /** Reads all of it. Its size; 'wrong' where it was something else, and was thrown away. */
  check(digest: Digest, signal: AbortSignal): Promise<number | 'wrong' | 'gone'>;
  /** If nobody reads or names it. Its size where it went. */
  remove(digest: Digest): Promise<number | null>;
  /** Null where it is not there. */
  sizeOf(digest: Digest): Promise<number | null>;
  /** All that are there, right or not. */
  walk(): AsyncIterable<{ readonly digest: Digest; readonly changedMs: number }>;
}
