/** DER (X.690), as little of it as certificates and key stores are made of. */

/** A SEQUENCE, SET, or a tagged value that holds others. */
function constructed(tag: number, ...parts: readonly Buffer[]): Buffer {
  return primitive(tag, Buffer.concat(parts));
}

export function primitive(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const size = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, content]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => constructed(0x30, ...parts);
export const set = (...parts: readonly Buffer[]): Buffer => constructed(0x31, ...parts);
/** `[number] EXPLICIT`, or IMPLICIT over what holds others. */
export const tagged = (number: number, ...parts: readonly Buffer[]): Buffer => constructed(0xa0 | number, ...parts);
export const octets = (content: Buffer): Buffer => primitive(0x04, content);
export const utf8 = (text: string): Buffer => primitive(0x0c, Buffer.from(text));
/** UCS-2, big-endian. */
export const bmp = (text: string): Buffer => primitive(0x1e, Buffer.from(text, 'utf16le').swap16());
export const yes = primitive(0x01, Buffer.from([0xff]));

/** Of an unsigned number, as many bytes as it has. */
export function integer(bytes: Buffer): Buffer {
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first++;
  const rest = bytes.subarray(first);
  return primitive(0x02, (rest[0] as number) < 0x80 ? rest : Buffer.concat([Buffer.of(0), rest]));
}

/** `unused`: how many of the last bits say nothing. */
export function bits(content: Buffer, unused = 0): Buffer {
  return primitive(0x03, Buffer.concat([Buffer.of(unused), content]));
}

/** `2.5.29.17` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const part of [first * 40 + second, ...rest]) {
    const groups = [part & 0x7f];
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return primitive(0x06, Buffer.from(bytes));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5); milliseconds are left out. */
export function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return text < '2050' ? primitive(0x17, Buffer.from(text.slice(2))) : primitive(0x18, Buffer.from(text));
}

/** One value with its tag and length. */
export interface Der {
  readonly tag: number;
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** @throws Error for what ends too early, and for lengths that DER has not (indefinite ones) */
export function readDer(bytes: Buffer, at = 0): Der {
  const short = (): never => {
    throw new Error('ends within a value, or is no DER');
  };
  if (bytes.length < at + 2) short();
  const first = bytes[at + 1] as number;
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const size = first & 0x7f;
    if (size === 0 || size > 4 || bytes.length < start + size) short();
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  if (bytes.length < start + length) short();
  const end = start + length;
  return { tag: bytes[at] as number, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) };
}

/** The values within a SEQUENCE, a SET or a tagged one. @throws Error */
export function partsOf({ content }: Der): readonly Der[] {
  const parts: Der[] = [];
  for (let at = 0; at < content.length; ) {
    const part = readDer(content, at);
    parts.push(part);
    at += part.whole.length;
  }
  return parts;
}
