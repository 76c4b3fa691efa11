/**
 * The store in a folder. The files are the truth: a lookup reads the file of its key, so that a store is ready the moment it
 * is opened, and any number of processes can read and write the same folder (names appear whole, by renames, and are
 * never written again). What lies there and what goes first is counted in memory, after a walk over the folder.
 */

import { lstat, mkdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  Body,
  CollectedRubbish,
  Digest,
  Fill,
  FillOptions,
  ListedRecord,
  NewRecord,
  NotKept,
  Store,
  StoredRecord,
  StoreStats,
  VerifyStep,
} from '../store.ts';
import { FolderFill } from './fill.ts';
import { FolderBlobs } from './folder-blobs.ts';
import { type Changed, FolderRecords } from './folder-records.ts';
import { Upkeep } from './folder-upkeep.ts';
import { Layout, recordName } from './layout.ts';
import { entryOf, Ledger } from './ledger.ts';
import { fillPrefix, removeDeadFills } from './left-fills.ts';
import { SendBuffers } from './send-buffers.ts';
import { walkRecords } from './walk-folder.ts';

const TOUCH_EVERY_MS = 30_000;
const COLLECT_EVERY_MS = 3_600_000;
/** So that not every fill has to evict. */
const ROOM_SHARE = 0.02;
const KEY_BYTES = 8 * 1024;

export interface FolderStoreOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** For small bodies. */
  readonly memoryBytes?: number;
}

export class FolderStore implements Store {
  readonly #layout: Layout;
  readonly #maxBytes: number;
  readonly #ledger: Ledger;
  readonly #buffers = new SendBuffers();
  readonly #blobs: FolderBlobs;
  readonly #records: FolderRecords;
  readonly #touched = new Map<string, number>();
  readonly #upkeep: Upkeep;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #prefix: string;
  #walked: Promise<void>;
  #complete = false;
  readonly #notKept: Record<NotKept, number> = { 'disk full': 0, 'larger than the store': 0, 'fault of the disk': 0 };
  readonly #evicted = { records: 0, bytes: 0 };
  readonly #fills = new Set<FolderFill>();
  #fillCount = 0;
  #evicting: Promise<boolean> | null = null;
  #closed = false;

  private constructor({ folder, maxBytes, memoryBytes = 64 * 1024 * 1024 }: FolderStoreOptions, prefix: string) {
    this.#layout = new Layout(folder);
    this.#maxBytes = maxBytes;
    this.#ledger = new Ledger(maxBytes);
    this.#prefix = prefix;
    this.#blobs = new FolderBlobs({
      layout: this.#layout,
      ledger: this.#ledger,
      buffers: this.#buffers,
      memoryBytes,
    });
    this.#records = new FolderRecords(this.#layout, () => this.#fillPath());
    this.#upkeep = new Upkeep({
      layout: this.#layout,
      ledger: this.#ledger,
      blobs: this.#blobs,
      records: this.#records,
      enter: (name, changed) => this.#enter(name, changed),
    });
    this.#walked = this.#count();
    this.#timers = [
      setInterval(() => void this.#writeTouches(), TOUCH_EVERY_MS),
      // What could not be tidied up now can be another time.
      setInterval(() => void this.collect().catch(() => {}), COLLECT_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** @throws Error where the folder cannot be had, or is not ours alone */
  static async open(options: FolderStoreOptions): Promise<FolderStore> {
    const layout = new Layout(options.folder);
    await mkdir(layout.folder, { recursive: true, mode: 0o700 });
    await checkOwn(layout.folder);
    for (const folder of [layout.blobs, layout.records, layout.fills]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    await removeDeadFills(layout.fills);
    return new FolderStore(options, await fillPrefix());
  }

  /** What cannot be read is not there: the origin is asked then, which is what a cache may always do. */
  get(key: string): Promise<readonly StoredRecord[]> {
    return this.#records.get(key).catch(() => []);
  }

  open(digest: Digest): Promise<Body | null> {
    return this.#blobs.open(digest).catch(() => null);
  }

  begin(options: FillOptions = {}): Fill {
    const path = this.#fillPath();
    const fill: FolderFill = new FolderFill(
      {
        buffers: this.#buffers,
        maxBytes: this.#maxBytes,
        path,
        makeRoom: (bytes) => this.#makeRoom(bytes),
        keep: async (body, records) => {
          this.#ledger.pin(body.digest);
          try {
            await this.#blobs.keep(body, path);
            for (const record of records) await this.#putRecord(record, body.digest, body.size);
          } finally {
            this.#ledger.unpin(body.digest);
          }
          if (this.#ledger.bytes > this.#maxBytes) void this.#makeRoom(0);
        },
        onEnd: (notKept) => {
          this.#fills.delete(fill);
          if (notKept !== null) this.#notKept[notKept]++;
        },
      },
      options,
    );
    this.#fills.add(fill);
    return fill;
  }

  async put(record: NewRecord, digest: Digest): Promise<boolean> {
    this.#ledger.pin(digest);
    try {
      const size = await this.#blobs.sizeOf(digest);
      if (size === null) return false;
      await this.#putRecord(record, digest, size);
      return true;
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code === undefined) throw fault;
      return false;
    } finally {
      this.#ledger.unpin(digest);
    }
  }

  async #putRecord({ key, variant, meta }: NewRecord, digest: Digest, size: number): Promise<void> {
    if (Buffer.byteLength(key) > KEY_BYTES) throw new RangeError(`a key has at most ${KEY_BYTES} bytes`);
    const record: StoredRecord = { key, variant, meta, digest, size, storedAt: Date.now() };
    await this.#change(key, (records) => [record, ...records.filter((one) => one.variant !== variant)]);
  }

  async delete(key: string, variant?: string): Promise<boolean> {
    return this.#change(key, (records) => {
      const left = variant === undefined ? [] : records.filter((one) => one.variant !== variant);
      return left.length === records.length ? null : left;
    });
  }

  async #change(
    key: string,
    change: (records: readonly StoredRecord[]) => readonly StoredRecord[] | null,
  ): Promise<boolean> {
    let unnamed: readonly Digest[] = [];
    const changed = await this.#records.change(key, change, (name, now) => {
      unnamed = this.#enter(name, now);
    });
    for (const digest of unnamed) await this.#blobs.remove(digest);
    return changed;
  }

  #enter(name: string, changed: Changed): readonly Digest[] {
    if (changed.records.length === 0) return this.#ledger.remove(name);
    return this.#ledger.set(name, entryOf(changed, Date.now()));
  }

  touch(key: string): void {
    const [name, now] = [recordName(key), Date.now()];
    this.#ledger.touch(name, now);
    this.#touched.set(name, now);
  }

  async #writeTouches(): Promise<void> {
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const [name, time] of touched) {
      // What is gone needs no time.
      await utimes(this.#layout.record(name), time / 1000, time / 1000).catch(() => {});
    }
  }

  async *list(prefix = ''): AsyncIterable<ListedRecord> {
    for await (const { file, lastUse, name } of walkRecords(this.#layout)) {
      if (!file.key.startsWith(prefix)) continue;
      const used = this.#ledger.lastUse(name) ?? lastUse;
      for (const record of file.records) yield { ...record, lastUse: used };
    }
  }

  stats(): StoreStats {
    return {
      complete: this.#complete,
      bytes: this.#ledger.bytes,
      maxBytes: this.#maxBytes,
      bodies: this.#ledger.bodies,
      records: this.#ledger.records,
      kinds: this.#ledger.kinds(),
      fills: this.#fills.size,
      evicted: { ...this.#evicted },
      notKept: { ...this.#notKept },
      corrupt: this.#blobs.corrupt,
    };
  }

  verify(signal: AbortSignal): AsyncIterable<VerifyStep> {
    return this.#upkeep.verify(signal);
  }

  async collect(): Promise<CollectedRubbish> {
    await this.#walked;
    const collected = this.#upkeep.collect(() => this.#closed);
    this.#walked = collected.then(
      () => {},
      () => {},
    );
    const rubbish = await collected;
    if (this.#ledger.bytes > this.#maxBytes) await this.#makeRoom(0);
    return rubbish;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#fills].map((fill) => fill.abort('the store was closed')));
    await this.#walked;
    await this.#evicting;
    await this.#writeTouches();
  }

  #fillPath(): string {
    return join(this.#layout.fills, `${this.#prefix}.${this.#fillCount++}`);
  }

  /** One at a time; whether something went. */
  #makeRoom(bytes: number): Promise<boolean> {
    this.#evicting ??= this.#evict(bytes).finally(() => {
      this.#evicting = null;
    });
    return this.#evicting;
  }

  async #evict(bytes: number): Promise<boolean> {
    await this.#walked;
    const room = Math.max(bytes, this.#maxBytes * ROOM_SHARE);
    const goal = Math.min(this.#ledger.bytes, this.#maxBytes) - room;
    const before = { bytes: this.#ledger.bytes, records: this.#ledger.records };
    while (this.#ledger.bytes > goal) {
      const name = this.#ledger.victim();
      if (name === null) break;
      let unnamed: readonly Digest[] = [];
      await this.#records.keepOnly(
        name,
        () => false,
        (_, changed) => {
          unnamed = this.#enter(name, changed);
        },
      );
      for (const digest of unnamed) await this.#blobs.remove(digest);
    }
    this.#evicted.bytes += before.bytes - this.#ledger.bytes;
    this.#evicted.records += before.records - this.#ledger.records;
    return this.#ledger.bytes < before.bytes;
  }

  async #count(): Promise<void> {
    await this.#upkeep.count(() => this.#closed);
    this.#complete = true;
    if (this.#ledger.bytes > this.#maxBytes) setImmediate(() => void this.#makeRoom(0));
  }
}

/** What others may write there would be served to everybody. @throws Error with the reason */
async function checkOwn(folder: string): Promise<void> {
  const found = await lstat(folder);
  if (!found.isDirectory()) throw new Error('is no folder, or a symbolic link to one');
  const uid = process.geteuid?.();
  if (uid !== undefined && found.uid !== uid) throw new Error(`belongs to the user ${found.uid}, not to us (${uid})`);
  if ((found.mode & 0o022) !== 0) throw new Error('others may write into it, and may have: empty it, then chmod 0700');
}
