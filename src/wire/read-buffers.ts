/**
 * The buffers that sockets are read into. What is dealt with before the next read, as heads and whole bodies are, shares
 * one buffer: a thousand idle connections cost nothing. A stream, whose bytes may stay in use, has 64 KiB of its own, and
 * 1 MiB once reads fill them.
 */

const MEDIUM = 64 * 1024;
const LARGE = 1024 * 1024;
const GATHERED = 16 * 1024;
const KEPT_MEDIUM = 64;
const KEPT_LARGE = 8;

export class ReadBuffers {
  /** libuv takes a buffer right before it reads, and what was read is told at once: all sockets can have the same. */
  readonly shared: Buffer = Buffer.allocUnsafeSlow(MEDIUM);
  /** Where what leaves together is put together: free again when its write has given true. */
  gathered: Buffer = Buffer.allocUnsafeSlow(GATHERED);
  readonly #medium: Buffer[] = [];
  readonly #large: Buffer[] = [];

  medium(): Buffer {
    return this.#medium.pop() ?? Buffer.allocUnsafeSlow(MEDIUM);
  }

  large(): Buffer {
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
  }

  /** The bytes in `gathered` are not through yet, and belong to their socket. */
  loseGathered(): void {
    this.gathered = Buffer.allocUnsafeSlow(GATHERED);
  }

  /** Another buffer of the same size. */
  another(buffer: Buffer): Buffer {
    return buffer.length === LARGE ? this.large() : this.medium();
  }

  isLarge(buffer: Buffer): boolean {
    return buffer.length === LARGE;
  }

  /** Only for buffers whose bytes nobody uses any more. */
  giveBack(buffer: Buffer): void {
    if (buffer === this.shared) return;
    if (buffer.length === LARGE) {
      if (this.#large.length < KEPT_LARGE) this.#large.push(buffer);
    } else if (this.#medium.length < KEPT_MEDIUM) this.#medium.push(buffer);
  }
}
