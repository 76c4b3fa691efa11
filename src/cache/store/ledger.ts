/**
 * What lies in a store, by size and last use: which records name which bodies, what is in use, and what goes first. In
 * memory alone, and rebuilt from the store.
 */

import type { Digest } from '../store.ts';

export interface Named {
  readonly digest: Digest;
  readonly size: number;
}

interface Entry {
  readonly kind: string;
  readonly bodies: readonly Named[];
  readonly recordBytes: number;
  lastUse: number;
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
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #blobs = new Map<Digest, Blob>();
  readonly #pins = new Map<Digest, number>();
  #bytes = 0;
  #records = 0;

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
    for (const body of entry.bodies) this.#refer(body);
    const gone = this.remove(name);
    this.#entries.set(name, entry);
    this.#bytes += entry.recordBytes;
    this.#records += entry.bodies.length;
    return gone;
  }

  /** Gives the bodies that nothing names any more. */
  remove(name: string): readonly Digest[] {
    const entry = this.#entries.get(name);
    if (entry === undefined) return [];
    this.#entries.delete(name);
    this.#bytes -= entry.recordBytes;
    this.#records -= entry.bodies.length;
    return entry.bodies.filter((body) => this.#forget(body)).map(({ digest }) => digest);
  }

  touch(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.lastUse = now;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
  }

  /** What another process or a life before has left: older than anything that is known. */
  addOlder(found: readonly (readonly [string, Entry])[]): void {
    const known = [...this.#entries];
    this.#entries.clear();
    const names = new Set(known.map(([name]) => name));
    for (const [name, entry] of [...found].sort(([, a], [, b]) => a.lastUse - b.lastUse)) {
      if (!names.has(name)) this.set(name, entry);
    }
    for (const [name, entry] of known) this.#entries.set(name, entry);
  }

  /** What was used longest ago, of what is not in use. Null where there is nothing. */
  victim(): string | null {
    for (const [name, { bodies }] of this.#entries) {
      if (!bodies.some(({ digest }) => this.#pins.has(digest))) return name;
    }
    return null;
  }

  kinds(): Readonly<Record<string, KindStats>> {
    const kinds: Record<string, { records: number; bytes: number }> = {};
    for (const { kind, bodies, recordBytes } of this.#entries.values()) {
      kinds[kind] ??= { records: 0, bytes: 0 };
      kinds[kind].records += bodies.length;
      kinds[kind].bytes += recordBytes + bodies.reduce((sum, { size }) => sum + size, 0);
    }
    return kinds;
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
