/** Length-prefixed messages of gRPC (grpc/grpc, doc/PROTOCOL-HTTP2.md), out of a stream that is cut anywhere. */

import { Refusal } from '../../ground/refusal.ts';

export const PREFIX_BYTES = 5;
/** What BuildKit and its clients take (defaults.DefaultMaxRecvMsgSize). */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const KEPT_BYTES = 64 * 1024;

export class MessageReader {
  private readonly take: (message: Uint8Array) => void;
  /** What has come of a message that is not whole, at the beginning of memory that grows by doubling. */
  private rest: Buffer = Buffer.alloc(0);
  private used = 0;

  /** @param take is given each message, which is its own no longer than until it returns */
  constructor(take: (message: Uint8Array) => void) {
    this.take = take;
  }

  /** A message has begun, and is not whole. */
  get midway(): boolean {
    return this.used > 0;
  }

  /** @throws Refusal for a message that is compressed, or of more than 16 MiB */
  push(piece: Buffer): void {
    if (this.used === 0) {
      const read = this.read(piece);
      if (read < piece.length) this.keep(piece.subarray(read));
      return;
    }
    this.keep(piece);
    const whole = this.rest.subarray(0, this.used);
    const read = this.read(whole);
    if (read === 0) return;
    this.used = 0;
    const left = whole.subarray(read);
    if (this.rest.length > KEPT_BYTES) this.rest = Buffer.alloc(0);
    if (left.length > 0) this.keep(left);
  }

  /** Gives how much of it is read. */
  private read(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= PREFIX_BYTES) {
      if (bytes[at] !== 0) throw new Refusal('unreadable-body', 'a compressed message is not read');
      const length = bytes.readUInt32BE(at + 1);
      if (length > MAX_MESSAGE_BYTES) throw new Refusal('body-too-large', 'a message of more than 16 MiB');
      const end = at + PREFIX_BYTES + length;
      if (bytes.length < end) break;
      this.take(bytes.subarray(at + PREFIX_BYTES, end));
      at = end;
    }
    return at;
  }

  private keep(bytes: Buffer): void {
    const needed = this.used + bytes.length;
    if (needed > this.rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.rest.length));
      this.rest.copy(grown, 0, 0, this.used);
      this.rest = grown;
    }
    bytes.copy(this.rest, this.used);
    this.used = needed;
  }
}

/** A stream of one message, as a request is. */
export class OnlyMessage {
  private message: Uint8Array | null = null;
  private readonly reader = new MessageReader((message) => {
    if (this.message !== null) throw notOne();
    this.message = Buffer.from(message);
  });

  /** @throws Refusal for a second message, for a compressed one, and for more than 16 MiB */
  push(piece: Buffer): void {
    this.reader.push(piece);
  }

  /** @throws Refusal where there is none, or a part */
  end(): Uint8Array {
    if (this.message === null || this.reader.midway) throw notOne();
    return this.message;
  }
}

function notOne(): Refusal {
  return new Refusal('unreadable-body', 'one message is expected, of the length that it says');
}
