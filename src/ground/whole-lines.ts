/** Lines out of bytes that come in pieces. What is unfinished is kept as pieces, and each byte is copied once. */

const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);

export class WholeLines {
  private pieces: Buffer[] = [];
  private held = 0;

  /** How much of an unfinished line is held. */
  get heldBytes(): number {
    return this.held;
  }

  /** The lines that are whole now, each with its line feed; they may lie in `chunk` itself. */
  take(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      this.keep(chunk);
      return NOTHING;
    }
    const first = chunk.subarray(0, end);
    const whole = this.held === 0 ? first : Buffer.concat([...this.pieces, first]);
    this.pieces = [];
    this.held = 0;
    if (end < chunk.length) this.keep(chunk.subarray(end));
    return whole;
  }

  /** What is left when nothing more comes. */
  rest(): Buffer {
    return this.held === 0 ? NOTHING : Buffer.concat(this.pieces);
  }

  private keep(piece: Buffer): void {
    this.held += piece.length;
    // Whoever reads from a wire reads over its buffers: what is kept must be a copy.
    this.pieces.push(Buffer.from(piece));
  }
}

/** Each with its line feed, where it has one. */
export function* eachLine(lines: Buffer): Iterable<Buffer> {
  for (let start = 0; start < lines.length; ) {
    const found = lines.indexOf(LINE_FEED, start);
    const end = found < 0 ? lines.length : found + 1;
    yield lines.subarray(start, end);
    start = end;
  }
}
