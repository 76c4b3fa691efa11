/**
 * A store in some place, a folder or a bucket. The place is the truth: a lookup reads what lies there, so that a store is
 * ready the moment it is opened, and any number of processes can read and write the same one (names appear whole, and are
 * never written again but for records, which are replaced whole). What lies there and what goes first is counted in
 * memory, after a walk over it.
 */

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
import { HashThread } from './hash-thread.ts';
import { recordName } from './layout.ts';
import { entryOf, type Ledger } from './ledger.ts';
import type { BodyPlace, RecordPlace } from './places.ts';
import { type Changed, Records } from './records.ts';
import type { SendBuffers } from './send-buffers.ts';
import { Upkeep } from './upkeep.ts';

const TOUCH_EVERY_MS = 30_000;
const COLLECT_EVERY_MS = 3_600_000;
/** So that not every fill has to evict. */
const ROOM_SHARE = 0.02;
/** What is larger is passed on and not kept: it would displace more than it is likely to save. */
const LARGEST_SHARE = 0.5;
/** So much more than there may be is there for a moment. */
const MOST_OVER = 1.05;
const EVICTED_AT_ONCE = 16;
const KEY_BYTES = 8 * 1024;

export interface Place {
  readonly bodies: BodyPlace;
  readonly records: RecordPlace;
  /** How long records count without a look at their place, in milliseconds. */
  readonly rememberedMs: number;
  readonly ledger: Ledger;
  readonly buffers: SendBuffers;
  readonly maxBytes: number;
  /** The largest body that can be kept. */
  readonly largestBody: number;
  /** The folder of bodies that are being written, and a new path in it. */
  readonly fills: string;
  newPath(): string;
}

export class PlacedStore implements Store {
  readonly #place: Place;
  readonly #maxBytes: number;
  readonly #ledger: Ledger;
  readonly #bodies: BodyPlace;
  readonly #records: Records;
  /** By key: since the ledger was told. */
  readonly #touched = new Map<string, number>();
  /** By name: since the place was told. */
  readonly #unwritten = new Map<string, number>();
  readonly #upkeep: Upkeep;
  readonly #timers: readonly NodeJS.Timeout[];
  #walked: Promise<void>;
  #complete = false;
  readonly #notKept: Record<NotKept, number> = { 'disk full': 0, 'larger than the store': 0, 'fault of the disk': 0 };
  readonly #evicted = { records: 0, bytes: 0 };
  readonly #fills = new Set<FolderFill>();
  readonly #hashThread = new HashThread();
  /** Bytes of fills that lie there and are not in the ledger. */
  #filling = 0;
  #evicting: Promise<boolean> | null = null;
  #closed = false;

  constructor(place: Place) {
    this.#place = place;
    this.#maxBytes = place.maxBytes;
    this.#ledger = place.ledger;
    this.#bodies = place.bodies;
    this.#records = new Records(place.records, place.rememberedMs);
    this.#upkeep = new Upkeep({
      fills: place.fills,
      ledger: this.#ledger,
      bodies: this.#bodies,
      records: this.#records,
      recordPlace: place.records,
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

  /** What cannot be read is not there: the origin is asked then, which is what a cache may always do. */
  get(key: string): Promise<readonly StoredRecord[]> {
    return this.#records.get(key).catch(() => []);
  }

  open(digest: Digest): Promise<Body | null> {
    return this.#bodies.open(digest).catch(() => null);
  }

  remembered(key: string): readonly StoredRecord[] | null {
    return this.#records.remembered(key);
  }

  atHand(digest: Digest): Buffer | null {
    return this.#bodies.atHand(digest);
  }

  begin(options: FillOptions = {}): Fill {
    const path = this.#place.newPath();
    let grown = 0;
    const letGo = (): void => {
      this.#filling -= grown;
      grown = 0;
    };
    const fill: FolderFill = new FolderFill(
      {
        buffers: this.#place.buffers,
        hashThread: this.#hashThread,
        largestBody: Math.min(this.#maxBytes * LARGEST_SHARE, this.#place.largestBody),
        path,
        makeRoom: (bytes) => this.#makeRoom(bytes),
        grow: (bytes) => {
          grown += bytes;
          this.#filling += bytes;
          if (this.#held <= this.#maxBytes) return null;
          const made = this.#makeRoom(0);
          return this.#held <= this.#most ? null : made.then(() => this.#held <= this.#most);
        },
        letGo,
        keep: async (body, records) => {
          this.#ledger.pin(body.digest);
          try {
            await this.#bodies.keep(body, path);
            letGo();
            for (const record of records) await this.#putRecord(record, body.digest, body.size);
          } finally {
            this.#ledger.unpin(body.digest);
          }
          if (this.#held <= this.#maxBytes) return;
          const made = this.#makeRoom(0);
          // Who fills faster than others can go waits for them.
          if (this.#held > this.#most) await made;
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

  get #held(): number {
    return this.#ledger.bytes + this.#filling;
  }

  get #most(): number {
    return this.#maxBytes * MOST_OVER;
  }

  async put(record: NewRecord, digest: Digest): Promise<boolean> {
    this.#ledger.pin(digest);
    try {
      const size = await this.#bodies.sizeOf(digest);
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
    const stays = (one: StoredRecord): boolean => variant !== undefined && one.variant !== variant;
    try {
      return await this.#change(key, (records) => {
        const left = records.filter(stays);
        return left.length === records.length ? null : left;
      });
    } catch (fault) {
      if (variant === undefined) throw fault;
      // A full disk does not take the list of those that stay: what is not to be served goes all the same.
      return this.delete(key);
    }
  }

  async #change(
    key: string,
    change: (records: readonly StoredRecord[]) => readonly StoredRecord[] | null,
  ): Promise<boolean> {
    let unnamed: readonly Digest[] = [];
    const changed = await this.#records.change(key, change, (name, now) => {
      unnamed = this.#enter(name, now);
    });
    for (const digest of unnamed) await this.#bodies.remove(digest);
    return changed;
  }

  #enter(name: string, changed: Changed): readonly Digest[] {
    if (changed.records.length === 0) return this.#ledger.remove(name);
    return this.#ledger.set(name, entryOf(changed, Date.now()));
  }

  touch(key: string): void {
    this.#touched.set(key, Date.now());
  }

  /** What goes first is asked seldom: a hit does not have to hash its key. */
  #enterTouches(): void {
    for (const [key, time] of this.#touched) {
      const name = recordName(key);
      this.#ledger.touch(name, time);
      this.#unwritten.set(name, time);
    }
    this.#touched.clear();
  }

  async #writeTouches(): Promise<void> {
    this.#enterTouches();
    const unwritten = [...this.#unwritten];
    this.#unwritten.clear();
    for (const [name, time] of unwritten) {
      // What is gone needs no time.
      await this.#place.records.touch(name, time).catch(() => {});
    }
  }

  async *list(prefix = ''): AsyncIterable<ListedRecord> {
    this.#enterTouches();
    for await (const { file, lastUse, name } of this.#records.walk()) {
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
      corrupt: this.#bodies.corrupt,
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
    if (this.#held > this.#maxBytes) await this.#makeRoom(0);
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
    await this.#hashThread.close();
  }

  /** One at a time; whether something went. */
  #makeRoom(bytes: number): Promise<boolean> {
    this.#evicting ??= this.#evict(bytes).finally(() => {
      this.#evicting = null;
    });
    return this.#evicting;
  }

  async #evict(bytes: number): Promise<boolean> {
    // Later walks find what others have put there: what goes first is known without them.
    if (!this.#complete) await this.#walked;
    this.#enterTouches();
    const room = Math.max(bytes, this.#maxBytes * ROOM_SHARE);
    const goal = Math.min(this.#held, this.#maxBytes) - room;
    const before = this.#evicted.bytes;
    while (this.#held > goal) {
      const names = this.#ledger.victims(this.#held - goal, EVICTED_AT_ONCE);
      const gone = await Promise.all(names.map((name) => this.#evictOne(name)));
      // Where nothing can be removed, another time may do.
      if (!gone.includes(true)) break;
    }
    return this.#evicted.bytes > before;
  }

  async #evictOne(name: string): Promise<boolean> {
    let unnamed: readonly Digest[] = [];
    const evict = (_: string, changed: Changed): void => {
      const before = { bytes: this.#ledger.bytes, records: this.#ledger.records };
      unnamed = this.#enter(name, changed);
      this.#evicted.bytes += before.bytes - this.#ledger.bytes;
      this.#evicted.records += before.records - this.#ledger.records;
    };
    try {
      await this.#records.keepOnly(name, () => false, evict);
      for (const digest of unnamed) await this.#bodies.remove(digest);
      return true;
    } catch {
      return false;
    }
  }

  async #count(): Promise<void> {
    // What could not be counted now is with the next tidying up.
    await this.#upkeep.count(() => this.#closed).catch(() => {});
    this.#complete = true;
    if (this.#ledger.bytes > this.#maxBytes) setImmediate(() => void this.#makeRoom(0));
  }
}
