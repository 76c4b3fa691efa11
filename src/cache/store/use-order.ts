/**
 * What goes first: what was used once, the oldest first, and then what was used again, which may have four fifths of the
 * room. A day of downloads that nobody asks for twice, or one huge body, displaces nothing that is in use; on the model of
 * a CI day (bench/cache) it saves more requests and more bytes than the order of last use alone, which the proxies have.
 */

const AGAIN_SHARE = 0.8;

export interface Placed {
  readonly name: string;
  readonly bytes: number;
  readonly again: boolean;
}

export class UseOrder {
  readonly #most: number;
  /** Bytes by name, the oldest first. */
  #once = new Map<string, number>();
  #again = new Map<string, number>();
  #againBytes = 0;

  constructor(maxBytes: number) {
    this.#most = maxBytes * AGAIN_SHARE;
  }

  /** New, or of another size: the newest of its kind. */
  put(name: string, bytes: number): void {
    const again = this.#again.has(name);
    this.remove(name);
    this.#place({ name, bytes, again });
  }

  use(name: string): void {
    const bytes = this.#once.get(name) ?? this.#again.get(name);
    if (bytes === undefined) return;
    this.remove(name);
    this.#place({ name, bytes, again: true });
  }

  remove(name: string): void {
    this.#againBytes -= this.#again.get(name) ?? 0;
    this.#again.delete(name);
    this.#once.delete(name);
  }

  /** Before all that are known; the oldest first. */
  putOlder(placed: readonly Placed[]): void {
    const [once, again] = [this.#once, this.#again];
    this.#once = new Map();
    this.#again = new Map();
    for (const one of placed) this.#place(one);
    for (const [name, bytes] of once) this.#once.set(name, bytes);
    for (const [name, bytes] of again) this.#again.set(name, bytes);
  }

  *oldestFirst(): Generator<string> {
    yield* this.#once.keys();
    yield* this.#again.keys();
  }

  #place({ name, bytes, again }: Placed): void {
    if (!again) {
      this.#once.set(name, bytes);
      return;
    }
    this.#again.set(name, bytes);
    this.#againBytes += bytes;
    for (const [oldest, size] of this.#again) {
      if (this.#againBytes <= this.#most || oldest === name) return;
      this.#again.delete(oldest);
      this.#againBytes -= size;
      this.#once.set(oldest, size);
    }
  }
}
