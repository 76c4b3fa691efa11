/** The buffers that bodies are read into on their way out: used again and again, and few of them large. */

const SMALL = 64 * 1024;
const LARGE = 1024 * 1024;
const KEPT_SMALL = 64;
const MOST_LARGE = 64;

export class SendBuffers {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  #largeOut = 0;

  /** A large one only as long as there are not too many. */
  take(large: boolean): Buffer {
    if (!large || this.#largeOut >= MOST_LARGE) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL);
    this.#largeOut++;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
  }

  /** Only when nobody uses its bytes any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === SMALL) {
      if (this.#small.length < KEPT_SMALL) this.#small.push(buffer);
    } else {
      this.#largeOut--;
      if (this.#large.length < MOST_LARGE / 8) this.#large.push(buffer);
    }
  }

  /** It is somebody else's for good. */
  lose(buffer: Buffer): void {
    if (buffer.length === LARGE) this.#largeOut--;
  }
}
