/**
 * The buffers that sockets are read into: small slices of a slab while little comes, 64 KiB and then 1 MiB once reads
 * fill what they have, so that a thousand idle connections cost little and a stream costs few system calls.
 */

const SMALL = 4 * 1024;
const MEDIUM = 64 * 1024;
const LARGE = 1024 * 1024;
const SLICES_A_SLAB = 64;
const KEPT_MEDIUM = 64;
const KEPT_LARGE = 8;

export class ReadBuffers {
  readonly #small: Buffer[] = [];
  readonly #medium: Buffer[] = [];
  readonly #large: Buffer[] = [];

  lend(size: 'small' | 'medium' | 'large'): Buffer {
    if (size === 'large') return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
    if (size === 'medium') return this.#medium.pop() ?? Buffer.allocUnsafeSlow(MEDIUM);
    const slice = this.#small.pop();
    if (slice !== undefined) return slice;
    const slab = Buffer.allocUnsafeSlow(SMALL * SLICES_A_SLAB);
    for (let i = 1; i < SLICES_A_SLAB; i++) this.#small.push(slab.subarray(i * SMALL, (i + 1) * SMALL));
    return slab.subarray(0, SMALL);
  }

  /** Only for buffers whose bytes nobody uses any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === SMALL) this.#small.push(buffer);
    else if (buffer.length === MEDIUM) {
      if (this.#medium.length < KEPT_MEDIUM) this.#medium.push(buffer);
    } else if (this.#large.length < KEPT_LARGE) this.#large.push(buffer);
  }

  larger(buffer: Buffer): Buffer {
    return this.lend(buffer.length === SMALL ? 'medium' : 'large');
  }

  smaller(buffer: Buffer): Buffer {
    return this.lend(buffer.length === LARGE ? 'medium' : 'small');
  }

  isLargest(buffer: Buffer): boolean {
    return buffer.length === LARGE;
  }
}
