/**
 * The wire format of protocol buffers (protobuf.dev/programming-guides/encoding): fields as they stand, nothing of what
 * they mean. Groups are refused: nobody writes them any more.
 */

export type WireType = 'varint' | 'fixed64' | 'bytes' | 'fixed32';

export interface Field {
  readonly number: number;
  readonly type: WireType;
  /** Of a `varint`: its 64 bits, without a sign. */
  readonly varint: bigint;
  /** Of `bytes`, `fixed32` and `fixed64`: what stands there; a view, not a copy. */
  readonly bytes: Uint8Array;
  /** The whole field with its tag, as it came; a view. */
  readonly raw: Uint8Array;
}

export class ProtobufFault extends Error {}

const TYPES: readonly (WireType | undefined)[] = ['varint', 'fixed64', 'bytes', undefined, undefined, 'fixed32'];
const NUMBERS: Readonly<Record<WireType, number>> = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };
const MAX_NUMBER = 0x1fff_ffff;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;
const NOTHING = new Uint8Array(0);

/** One after the other: a message may be of millions. @throws ProtobufFault for what is not well-formed */
export function* readFields(message: Uint8Array): Generator<Field> {
  const reader = new Reader(message);
  while (!reader.done) yield reader.field();
}

class Reader {
  private at = 0;
  private readonly message: Uint8Array;

  constructor(message: Uint8Array) {
    this.message = message;
  }

  get done(): boolean {
    return this.at === this.message.length;
  }

  field(): Field {
    const start = this.at;
    const tag = this.number();
    const type = TYPES[tag % 8];
    const number = Math.floor(tag / 8);
    if (type === undefined) throw new ProtobufFault(`a field of wire type ${tag % 8}`);
    if (number === 0 || number > MAX_NUMBER) throw new ProtobufFault(`a field of number ${number}`);
    let varint = 0n;
    let bytes: Uint8Array = NOTHING;
    if (type === 'varint') varint = this.varint();
    else bytes = this.take(type === 'bytes' ? this.number() : type === 'fixed64' ? 8 : 4);
    return { number, type, varint, bytes, raw: this.message.subarray(start, this.at) };
  }

  /** Of a tag or a length, which are small; whatever is larger than those can be is as wrong when it is rounded. */
  private number(): number {
    const byte = this.message[this.at];
    if (byte === undefined || byte >= 0x80) return Number(this.varint());
    this.at++;
    return byte;
  }

  private varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.message[this.at++];
      if (byte === undefined) throw new ProtobufFault('the message breaks off');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > MAX_UINT64) break;
        return value;
      }
    }
    throw new ProtobufFault('a number of more than 64 bits');
  }

  private take(length: number): Uint8Array {
    if (this.message.length - this.at < length) throw new ProtobufFault('the message breaks off');
    this.at += length;
    return this.message.subarray(this.at - length, this.at);
  }
}

/** Puts a message together, field by field. */
export class MessageWriter {
  private readonly pieces: Uint8Array[] = [];

  varint(number: number, value: bigint): void {
    this.pieces.push(tag(number, 'varint'), printVarint(BigInt.asUintN(64, value)));
  }

  bytes(number: number, value: Uint8Array): void {
    this.pieces.push(tag(number, 'bytes'), printVarint(BigInt(value.length)), value);
  }

  /** A field that came so, with its tag. */
  raw(field: Uint8Array): void {
    this.pieces.push(field);
  }

  finish(): Uint8Array {
    const whole = new Uint8Array(this.pieces.reduce((length, piece) => length + piece.length, 0));
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}

function tag(number: number, type: WireType): Uint8Array {
  return printVarint((BigInt(number) << 3n) | BigInt(NUMBERS[type]));
}

function printVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
