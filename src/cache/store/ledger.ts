/**
 * What lies in a store, by size and last use: which records name which bodies, what is in use, and what goes first. In
 * memory alone, and rebuilt from the store.
 */

import type { Digest } from '../store.ts';
import type { Changed } from './records.ts';
import { UseOrder } from './use-order.ts';

/** A file is as new as its last use: more than so much later than its record, it was used. */
const STORING_MS = 2000;

export interface Named {
  readonly digest: Digest;
  readonly size: number;
}

export interface Entry {
  readonly kind: string;
  readonly bodies: readonly Named[];
  readonly recordBytes: number;
  lastUse: number;
  /** It was used after it was stored. */
  readonly usedAgain: boolean;
}

interface Blob {
  readonly size: number;
  references: number;
}

export interface KindStats {
  readonly records: number;
  readonly bytes: number;
}

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  readonly #order: UseOrder;
  readonly #blobs = new Map<Digest, Blob>();
  readonly #pins = new Map<Digest, number>();
  readonly #kinds = new Map<string, { records: number; bytes: number }>();
  /** What has changed since a walk began, which may have seen it as it was before. */
  #sinceWalk: Set<string> | null = null;
  #bytes = 0;
  #records = 0;

  constructor(maxBytes: number) {
    this.#order = new UseOrder(maxBytes);
  }

  /** Of bodies, each once, and records. */
  get bytes(): number {
    return this.#bytes;
  }

  get bodies(): number {
    return this.#blobs.size;
  }

  get records(): number {
    return this.#records;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  lastUse(name: string): number | null {
    return this.#entries.get(name)?.lastUse ?? null;
  }

  isNamed(digest: Digest): boolean {
    return this.#blobs.has(digest);
  }

  /** Gives the bodies that nothing names any more. */
  set(name: string, entry: Entry): readonly Digest[] {
    this.#sinceWalk?.add(name);
    for (const body of entry.bodies) this.#refer(body);
    const gone = this.#take(name);
    this.#order.put(name, bytesOf(entry));
    this.#add(name, entry);
    return gone;
  }

  /** Gives the bodies that nothing names any more. */
  remove(name: string): readonly Digest[] {
    this.#sinceWalk?.add(name);
    this.#order.remove(name);
    return this.#take(name);
  }

  #add(name: string, entry: Entry): void {
    this.#entries.set(name, entry);
    this.#count(entry, 1);
  }

  #take(name: string): readonly Digest[] {
    const entry = this.#entries.get(name);
    if (entry === undefined) return [];
    this.#entries.delete(name);
    this.#count(entry, -1);
    return entry.bodies.filter((body) => this.#forget(body)).map(({ digest }) => digest);
  }

  touch(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.lastUse = now;
    this.#order.use(name);
  }

  beginWalk(): void {
    this.#sinceWalk = new Set();
  }

  /**
   * What a walk has found of other processes and of lives before: what is new goes before all that is known, and what has
   * changed takes its new form. Gives the names that were known and not found.
   */
  endWalk(found: readonly (readonly [string, Entry])[]): readonly string[] {
    const changed = this.#sinceWalk ?? new Set();
    this.#sinceWalk = null;
    const known = new Map(this.#entries);
    const fresh = found
      .filter(([name]) => !known.has(name) && !changed.has(name))
      .sort(([, a], [, b]) => a.lastUse - b.lastUse);
    for (const [name, entry] of fresh) {
      for (const body of entry.bodies) this.#refer(body);
      this.#add(name, entry);
    }
    this.#order.putOlder(fresh.map(([name, entry]) => ({ name, bytes: bytesOf(entry), again: entry.usedAgain })));
    for (const [name, entry] of found) {
      const before = known.get(name);
      if (before === undefined || changed.has(name) || sameBodies(before, entry)) continue;
      this.set(name, entry);
    }
    const seen = new Set(found.map(([name]) => name));
    return [...known.keys()].filter((name) => !seen.has(name) && !changed.has(name));
  }

  /** What goes first of what is not in use: names that hold so many bytes, if there are, and not more names than `most`. */
  victims(bytes: number, most: number): readonly string[] {
    const names: string[] = [];
    let held = 0;
    for (const name of this.#order.oldestFirst()) {
      if (held >= bytes || names.length === most) break;
      const entry = this.#entries.get(name);
      if (entry === undefined || entry.bodies.some(({ digest }) => this.#pins.has(digest))) continue;
      names.push(name);
      held += bytesOf(entry);
    }
    return names;
  }

  kinds(): Readonly<Record<string, KindStats>> {
    return Object.fromEntries([...this.#kinds].map(([kind, { records, bytes }]) => [kind, { records, bytes }]));
  }

  #count({ kind, bodies, recordBytes }: Entry, sign: 1 | -1): void {
    const counted = this.#kinds.get(kind) ?? { records: 0, bytes: 0 };
    counted.records += sign * bodies.length;
    for (const { size } of bodies) counted.bytes += sign * size;
    counted.bytes += sign * recordBytes;
    this.#kinds.set(kind, counted);
    this.#bytes += sign * recordBytes;
    this.#records += sign * bodies.length;
  }

  /** Of those that name a body of which this holds. */
  namesOf(holds: (digest: Digest) => boolean): readonly string[] {
    return [...this.#entries]
      .filter(([, { bodies }]) => bodies.some(({ digest }) => holds(digest)))
      .map(([name]) => name);
  }

  pin(digest: Digest): void {
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
  }

  unpin(digest: Digest): void {
    const left = (this.#pins.get(digest) ?? 0) - 1;
    if (left > 0) this.#pins.set(digest, left);
    else this.#pins.delete(digest);
  }

  isPinned(digest: Digest): boolean {
    return this.#pins.has(digest);
  }

  #refer({ digest, size }: Named): void {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) {
      this.#blobs.set(digest, { size, references: 1 });
      this.#bytes += size;
    } else blob.references++;
  }

  #forget({ digest }: Named): boolean {
    const blob = this.#blobs.get(digest);
    if (blob === undefined || --blob.references > 0) return false;
    this.#blobs.delete(digest);
    this.#bytes -= blob.size;
    return true;
  }
}

export function entryOf({ key, records, bytes }: Changed, lastUse: number): Entry {
  const colon = key.indexOf(':');
  return {
    kind: colon === -1 ? 'other' : key.slice(0, colon),
    bodies: records.map(({ digest, size }) => ({ digest, size })),
    recordBytes: bytes,
    lastUse,
    usedAgain: lastUse > Math.max(...records.map(({ storedAt }) => storedAt)) + STORING_MS,
  };
}

function bytesOf({ bodies, recordBytes }: Entry): number {
  return bodies.reduce((sum, { size }) => sum + size, recordBytes);
}

function sameBodies(one: Entry, other: Entry): boolean {
  return (
    one.recordBytes === other.recordBytes &&
    one.bodies.length === other.bodies.length &&
    one.bodies.every(({ digest }, i) => digest === other.bodies[i]?.digest)
  );
}
