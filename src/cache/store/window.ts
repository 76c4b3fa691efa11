/** The part of a body that its readers still need, where it cannot be kept. */

const MOST_BYTES = 4 * 1024 * 1024;
/** How long a reader may take nothing, and how long in all the others wait for one that is slower than they are. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 20;

interface WindowReader {
  readonly position: number;
  left: boolean;
  /** How long others have waited for it, in milliseconds. */
  heldMs: number;
}

interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

export class Window {
  #pieces: Piece[] = [];
  #bytes = 0;
  /** Where it begins; null before the first piece. */
  start: number | null = null;

  add(start: number, bytes: Uint8Array): void {
    this.#pieces.push({ start, bytes: Buffer.from(bytes) });
    this.#bytes += bytes.length;
    this.start ??= start;
  }

  read(start: number, end: number): Buffer {
    const piece = this.#pieces.find((one) => start >= one.start && start < one.start + one.bytes.length);
    if (piece === undefined) throw new Error('the bytes are not there any more');
    return piece.bytes.subarray(start - piece.start, end - piece.start);
  }

  /** Resolves when there is room for more. Who reads nothing for long, or holds others for long, is left behind. */
  async settle(readers: ReadonlySet<WindowReader>): Promise<void> {
    const stood = new Map<WindowReader, { readonly position: number; readonly sinceMs: number }>();
    let before = performance.now();
    for (;;) {
      this.drop(readers);
      if (this.#bytes <= MOST_BYTES) return;
      const now = performance.now();
      const last = this.#end();
      // The very last byte is told when all of it is proved.
      const isWaitedFor = [...readers].some(({ position, left }) => !left && position >= last - 1);
      for (const reader of readers) {
        if (reader.position >= last - MOST_BYTES) continue;
        if (isWaitedFor) reader.heldMs += now - before;
        // It may have much to read yet that lies before the window.
        if (stood.get(reader)?.position !== reader.position) {
          stood.set(reader, { position: reader.position, sinceMs: now });
        }
        const stoodMs = now - (stood.get(reader)?.sinceMs ?? now);
        if (reader.heldMs > PATIENCE_MS || stoodMs > PATIENCE_MS) reader.left = true;
      }
      before = now;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  #end(): number {
    const last = this.#pieces.at(-1);
    return last === undefined ? 0 : last.start + last.bytes.length;
  }

  drop(readers: ReadonlySet<WindowReader>): void {
    const needed = [...readers].filter(({ left }) => !left).map(({ position }) => position);
    const from = Math.min(Number.POSITIVE_INFINITY, ...needed);
    let dropped = 0;
    for (const { start, bytes } of this.#pieces) {
      if (start + bytes.length > from) break;
      this.#bytes -= bytes.length;
      dropped++;
      this.start = start + bytes.length;
    }
    this.#pieces = this.#pieces.slice(dropped);
  }
}
