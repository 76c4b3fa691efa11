/** The bytes of a connection that nobody has taken yet: of the read buffer while a read is dealt with, of memory of our own after. */

const NOTHING = Buffer.alloc(0);

export class UnreadBytes {
  buffer: Buffer = NOTHING;
  at = 0;
  end = 0;
  /** Up to where an unfinished head has been searched already. */
  scanned = 0;
  #owned = true;

  get length(): number {
    return this.end - this.at;
  }

  /** Puts what was just read behind what is there. */
  add(buffer: Buffer, start: number, end: number): void {
    if (this.at === this.end) {
      this.buffer = buffer;
      this.at = start;
      this.end = end;
      this.scanned = start;
      this.#owned = false;
      return;
    }
    this.#replace(Buffer.concat([this.buffer.subarray(this.at, this.end), buffer.subarray(start, end)]));
  }

  /** The read buffer is about to be read into again. */
  keep(): void {
    if (this.#owned) return;
    if (this.at === this.end) this.clear();
    else this.#replace(Buffer.from(this.buffer.subarray(this.at, this.end)));
  }

  /** All of it, in memory that is nobody else's. */
  takeAll(): Buffer {
    const bytes = this.at === this.end ? NOTHING : Buffer.from(this.buffer.subarray(this.at, this.end));
    this.clear();
    return bytes;
  }

  clear(): void {
    this.buffer = NOTHING;
    this.at = this.end = this.scanned = 0;
    this.#owned = true;
  }

  #replace(buffer: Buffer): void {
    this.scanned = Math.max(this.scanned - this.at, 0);
    this.buffer = buffer;
    this.at = 0;
    this.end = buffer.length;
    this.#owned = true;
  }
}
