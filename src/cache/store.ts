/**
 * What the rooms of the cache know of the store: bodies by their digest, each once however many records name it, and
 * records by key. The implementations (src/cache/store) are given to them; this file holds no code that runs, but for
 * the faults that they throw.
 */

import type { Writable } from 'node:stream';
import type { CacheFacts, CollectedFacts, VerifyLine } from '../operate/admin/cache-api.ts';

/** SHA-256, 64 lower-case hexadecimal digits. */
export type Digest = string;

/** Bytes from `start` up to, not including, `end`; null: up to where the body ends. */
export interface ByteRange {
  readonly start: number;
  readonly end: number | null;
}

/** A body that is open: it stays readable until it is closed, whatever is evicted meanwhile. Who opens it closes it. */
export interface Body {
  /** Null as long as its fill does not know. */
  readonly digest: Digest | null;
  /** In bytes; null as long as its fill does not know. */
  readonly size: number | null;
  /** All of a small body, at hand without waiting; else null. Not to be changed. */
  readonly bytes: Buffer | null;
  /**
   * In order; of a fill as they come. Each piece is valid until the next one is asked for. Of a body that must be proved
   * the last byte comes after the proof. @throws FillBroken, WrongBody, Error of the disk: then the body is not whole
   */
  pieces(range?: ByteRange): AsyncIterable<Buffer>;
  /** As `pieces`, to a socket at its pace, from large buffers that are used again. Gives the bytes sent; does not end it. */
  sendTo(socket: Writable, range?: ByteRange): Promise<number>;
  close(): void;
}

/** What is put under a key. `variant` tells several records of one key apart, as Vary makes them; '' where there is one. */
export interface NewRecord {
  /** Begins with what kind of thing it is and a colon (`http:…`, `manifest:…`): statistics are by kind. At most 8 KiB. */
  readonly key: string;
  readonly variant: string;
  /** JSON of the caller's own form. */
  readonly meta: unknown;
}

export interface StoredRecord extends NewRecord {
  readonly digest: Digest;
  /** Of the body, in bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly storedAt: number;
}

export interface ListedRecord extends StoredRecord {
  /** Milliseconds since 1970; exact to about half a minute. */
  readonly lastUse: number;
}

export interface FillOptions {
  /** What must come out; else `commit` throws WrongBody. Followers get the last byte after the proof. */
  readonly digest?: Digest | undefined;
  readonly size?: number | undefined;
}

/** Why a body was not kept; whoever reads the fill gets all of it nevertheless. */
export type NotKept = 'disk full' | 'larger than the store' | 'fault of the disk';

export type Committed =
  | { readonly kept: true; readonly digest: Digest; readonly size: number }
  | { readonly kept: false; readonly digest: Digest; readonly size: number; readonly reason: NotKept };

/** A body that is being written, from its first byte to its last. Ends with `commit` or `abort`. */
export interface Fill {
  /** Bytes so far: where a broken origin is to be resumed. */
  readonly written: number;
  /** Not null: it will not be kept, which changes nothing for those who read it. */
  readonly notKept: NotKept | null;
  /** Resolves when more may come; the bytes are the store's until then. Faults of the disk are no faults of this. */
  write(bytes: Uint8Array): Promise<void>;
  /** Reads what is there and what will come. Null where it is not kept and its beginning is gone. */
  follow(): Body | null;
  /**
   * Proves, keeps, and puts the records, each in the place of the one of its key and variant.
   * @throws WrongBody where it is not what was announced; nothing is kept, and followers end with the same
   */
  commit(records: readonly NewRecord[]): Promise<Committed>;
  /** Nothing of it is kept; followers end with FillBroken. */
  abort(reason: string): Promise<void>;
}

/** As administrators are told it. */
export interface StoreStats extends CacheFacts {
  readonly notKept: Readonly<Record<NotKept, number>>;
}

/** What tidying up has found that nobody named. */
export type CollectedRubbish = CollectedFacts;

/** What is found to be wrong is gone by then, with the records that name it. */
export type VerifyStep = VerifyLine;

export interface Store {
  /** All variants, newest first; empty where there is nothing. */
  get(key: string): Promise<readonly StoredRecord[]>;
  /** Null where it is not there (any more), or was not what it should be. */
  open(digest: Digest): Promise<Body | null>;
  /** As `get`, where that needs no waiting; else null. */
  remembered(key: string): readonly StoredRecord[] | null;
  /** All of a body that is in memory, not to be changed; else null. */
  atHand(digest: Digest): Buffer | null;
  begin(options?: FillOptions): Fill;
  /** Under a body that is there already: a refreshed record, another name. False where the body is not there, and where the disk takes nothing. */
  put(record: NewRecord, digest: Digest): Promise<boolean>;
  /** All variants, or one. Whether there was something. Bodies that no record names go too. */
  delete(key: string, variant?: string): Promise<boolean>;
  /** It was used: costs nothing, and is written down now and then. */
  touch(key: string): void;
  /** In no order. */
  list(prefix?: string): AsyncIterable<ListedRecord>;
  stats(): StoreStats;
  /** Reads every body and record again. Ends early with the signal. @throws its reason */
  verify(signal: AbortSignal): AsyncIterable<VerifyStep>;
  /** Removes what nobody names, counts anew, and makes room where there is too much. It runs by itself now and then. */
  collect(): Promise<CollectedRubbish>;
  /** What is open stays readable; what is being filled is lost. */
  close(): Promise<void>;
}

/** The fill that a body was read from has ended early. */
export class FillBroken extends Error {}

/** A body is not what its digest or its size says. */
export class WrongBody extends Error {}
