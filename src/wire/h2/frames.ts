/** Frames of HTTP/2 (RFC 9113, section 4) as they pass: where they begin and end, and whose they are. */

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const HEADER_TABLE_SIZE = 1;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const HEAD_BYTES = 9;
const MAX_STREAM = 0x7fff_ffff;
/** What every side takes in one frame (section 6.5.2). What does no more than pass may be of any length. */
export const MAX_FRAME_BYTES = 16_384;

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  /** Of the payload. */
  readonly length: number;
}

export class Http2Fault extends Error {}

export interface FrameTaker {
  /** The stream that the frame is of where it goes; null for a frame that is read before it goes anywhere. */
  destinationOf(frame: FrameHead): number | null;
  /** Bytes of frames that pass, in their order: parts of what was pushed. */
  pass(bytes: Buffer): void;
  /** The payload is the taker's from now on. */
  take(frame: FrameHead, payload: Buffer): void;
}

/** Takes a connection in pieces, cut anywhere; writes into them where a frame goes to another stream. */
export class FrameWalker {
  private readonly taker: FrameTaker;
  private readonly head = Buffer.alloc(HEAD_BYTES);
  private headBytes = 0;
  /** The frame that is read now; null while one passes, or between two. */
  private reading: FrameHead | null = null;
  private payload: Buffer = Buffer.alloc(0);
  private left = 0;
  private preface: Buffer;

  /** @param preface what the connection begins with, before its first frame */
  constructor(taker: FrameTaker, preface: Buffer = Buffer.alloc(0)) {
    this.taker = taker;
    this.preface = preface;
  }

  /** A part of a frame has passed, and the rest has not. */
  get midway(): boolean {
    return this.reading === null && this.left > 0;
  }

  /** @throws Http2Fault */
  push(chunk: Buffer): void {
    let at = this.passPreface(chunk);
    let passedTo = at;
    while (at < chunk.length) {
      if (this.left === 0 && this.reading === null) {
        const isWhole = this.headBytes === 0 && chunk.length - at >= HEAD_BYTES;
        if (!isWhole) {
          const took = chunk.copy(this.head, this.headBytes, at, at + HEAD_BYTES - this.headBytes);
          if (at > passedTo) this.taker.pass(chunk.subarray(passedTo, at));
          at += took;
          passedTo = at;
          this.headBytes += took;
          if (this.headBytes < HEAD_BYTES) return;
          this.headBytes = 0;
        }
        const place = isWhole ? chunk.subarray(at, at + HEAD_BYTES) : this.head;
        const frame = headIn(place);
        const to = this.taker.destinationOf(frame);
        this.left = frame.length;
        if (to === null) {
          if (frame.length > MAX_FRAME_BYTES) throw new Http2Fault(`a frame of ${frame.length} bytes`);
          if (at > passedTo) this.taker.pass(chunk.subarray(passedTo, at));
          this.reading = frame;
          this.payload = Buffer.allocUnsafe(frame.length);
        } else {
          if (to !== frame.stream) place.writeUInt32BE(to, 5);
          if (!isWhole) this.taker.pass(Buffer.from(place));
        }
        if (isWhole) at += HEAD_BYTES;
        if (to === null) passedTo = at;
      }
      const next = Math.min(at + this.left, chunk.length);
      if (this.reading !== null) {
        chunk.copy(this.payload, this.payload.length - this.left, at, next);
        passedTo = next;
      }
      this.left -= next - at;
      if (this.reading !== null && this.left === 0) this.finish(this.reading);
      at = next;
    }
    if (at > passedTo) this.taker.pass(chunk.subarray(passedTo, at));
  }

  private finish(frame: FrameHead): void {
    this.reading = null;
    this.taker.take(frame, this.payload);
  }

  private passPreface(chunk: Buffer): number {
    const length = Math.min(this.preface.length, chunk.length);
    if (length === 0) return 0;
    const bytes = chunk.subarray(0, length);
    if (!bytes.equals(this.preface.subarray(0, length)))
      throw new Http2Fault('the connection does not begin as HTTP/2');
    this.preface = this.preface.subarray(length);
    this.taker.pass(bytes);
    return length;
  }
}

function headIn(bytes: Buffer): FrameHead {
  return {
    length: bytes.readUIntBE(0, 3),
    type: bytes[3] as number,
    flags: bytes[4] as number,
    stream: bytes.readUInt32BE(5) & MAX_STREAM,
  };
}

export function printFrame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  whole.writeUIntBE(payload.length, 0, 3);
  whole[3] = type;
  whole[4] = flags;
  whole.writeUInt32BE(stream, 5);
  whole.set(payload, HEAD_BYTES);
  return whole;
}

/** A block of fields, in as many frames as it takes. */
export function printHeaders(stream: number, ends: boolean, block: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME_BYTES) {
    const last = at + MAX_FRAME_BYTES >= block.length ? END_HEADERS : 0;
    const [type, end] = at === 0 ? [HEADERS, ends ? END_STREAM : 0] : [CONTINUATION, 0];
    frames.push(printFrame(type, last | end, stream, block.subarray(at, at + MAX_FRAME_BYTES)));
  }
  return Buffer.concat(frames);
}

/** One more setting at the end of others, where the last word counts. */
export function withSetting(settings: Buffer, setting: number, value: number): Buffer {
  const whole = Buffer.alloc(settings.length + 6);
  settings.copy(whole);
  whole.writeUInt16BE(setting, settings.length);
  whole.writeUInt32BE(value, settings.length + 2);
  return whole;
}

/** Null where these settings do not tell. */
export function settingIn(settings: Buffer, setting: number): number | null {
  let value: number | null = null;
  for (let at = 0; at + 6 <= settings.length; at += 6) {
    if (settings.readUInt16BE(at) === setting) value = settings.readUInt32BE(at + 2);
  }
  return value;
}

/** Of WINDOW_UPDATE and RST_STREAM. */
export function printNumber(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}
