/** The body of one request as it comes in: takes its framing off and gives the bytes to whoever wants them. */
import { ChunkDecoder } from './chunked.ts';
import type { HeadLimits } from './field-lines.ts';
import type { BodySink, Framing } from './message.ts';
import { WireFault } from './wire-fault.ts';

export class RequestBody {
  /** Where decoded bytes go; nobody has asked for them while this is null. */
  sink: BodySink | null = null;
  done = false;
  /** Decoded bytes that came so far. */
  bytes = 0;
  #left: number;
  readonly #decoder: ChunkDecoder | null;

  constructor(framing: Framing, limits: HeadLimits) {
    this.#left = framing.kind === 'length' ? framing.bytes : 0;
    this.#decoder = framing.kind === 'chunked' ? new ChunkDecoder(limits) : null;
    this.done = framing.kind === 'none';
  }

  /** How many bytes must still come, or -1 where only the chunks tell. */
  get left(): number {
    return this.#decoder === null ? this.#left : -1;
  }

  /** Takes from `[at, end)` and gives it to the sink. Returns where it stopped; `held` when the sink keeps the bytes. */
  take(buffer: Buffer, at: number, end: number): { at: number; held: boolean } {
    const sink = this.sink as BodySink;
    let held = false;
    const decoder = this.#decoder;
    if (decoder === null) {
      const taken = Math.min(this.#left, end - at);
      this.#left -= taken;
      this.bytes += taken;
      this.done = this.#left === 0;
      held = !sink.write(buffer.subarray(at, at + taken), this.done);
      if (this.done) sink.end();
      return { at: at + taken, held };
    }
    decoder.decode(buffer, at, end);
    this.done = decoder.done;
    if (decoder.to > decoder.from) {
      this.bytes += decoder.to - decoder.from;
      held = !sink.write(buffer.subarray(decoder.from, decoder.to), this.done);
    }
    // The trailers of a request end here: no engine reads any, and they would be one more place to hide a field in.
    if (this.done) sink.end();
    return { at: decoder.next, held };
  }
}

/** Collects a whole body for `readBody`, up to a limit. */
export class BodyCollector implements BodySink {
  onReady: (() => void) | null = null;
  readonly #limit: number;
  readonly #settle: (body: Buffer | WireFault) => void;
  /** Grows by doubling: a body that comes byte by byte takes no more memory than another one. */
  #whole: Buffer = Buffer.alloc(0);
  #size = 0;
  #settled = false;

  constructor(limit: number, settle: (body: Buffer | WireFault) => void) {
    this.#limit = limit;
    this.#settle = settle;
  }

  write(chunk: Buffer): boolean {
    if (this.#settled) return true;
    const size = this.#size + chunk.length;
    if (size > this.#limit) {
      this.#finish(bodyTooLarge(this.#limit));
      return true;
    }
    if (size > this.#whole.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#limit, Math.max(size, 2 * this.#whole.length)));
      this.#whole.copy(grown, 0, 0, this.#size);
      this.#whole = grown;
    }
    chunk.copy(this.#whole, this.#size);
    this.#size = size;
    return true;
  }

  end(): void {
    this.#finish(this.#whole.subarray(0, this.#size));
  }

  abort(cause: Error): void {
    this.#finish(cause instanceof WireFault ? cause : new WireFault(400, 'short-body', cause.message));
  }

  #finish(body: Buffer | WireFault): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#whole = Buffer.alloc(0);
    this.#settle(body);
  }
}

export function bodyTooLarge(limit: number): WireFault {
  return new WireFault(413, 'body-too-large', `the body is larger than ${limit} bytes`);
}

/** Reads over a body that nobody wants, as far as it is worth it to keep the connection. */
export class BodyDrain implements BodySink {
  onReady: (() => void) | null = null;
  left: number;

  constructor(limit: number) {
    this.left = limit;
  }

  write(chunk: Buffer): boolean {
    this.left -= chunk.length;
    return true;
  }

  end(): void {}

  abort(): void {}
}
