/**
 * DER (X.690), as far as certificates and revocation lists need it. Node shows names as text, in which a NUL, a comma or
 * a second field can be made to look like something else; here a value is its bytes and its tag. Strict: what is not
 * DER is a fault.
 */

export interface DerNode {
  /** The identifier octet, e.g. 0x30 for SEQUENCE, 0xa3 for [3] constructed. */
  readonly tag: number;
  /** The content alone. */
  readonly value: Buffer;
  /** Header and content: what a signature covers. */
  readonly whole: Buffer;
}

export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

export class DerFault extends Error {}

/** The one value that the bytes are. @throws DerFault */
export function readDer(bytes: Buffer): DerNode {
  const nodes = readAll(bytes);
  if (nodes.length !== 1) throw new DerFault('is not one DER value');
  return nodes[0]!;
}

/** The values inside a constructed one. @throws DerFault */
export function childrenOf(node: DerNode, tag: number = node.tag): readonly DerNode[] {
  if (node.tag !== tag || (node.tag & 0x20) === 0) throw new DerFault('is not built as it should be');
  return readAll(node.value);
}

/** Steps through the values one after another; large lists need no array. @throws DerFault */
export function* eachChildOf(node: DerNode): Generator<DerNode> {
  for (let at = 0; at < node.value.length; ) {
    const child = readAt(node.value, at);
    yield child;
    at += child.whole.length;
  }
}

function readAll(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = [];
  for (let at = 0; at < bytes.length; ) {
    const node = readAt(bytes, at);
    nodes.push(node);
    at += node.whole.length;
  }
  return nodes;
}

function readAt(bytes: Buffer, start: number): DerNode {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerFault('breaks off');
  let length = first;
  let at = start + 2;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4 || at + octets > bytes.length) throw new DerFault('has a length that is none');
    length = bytes.readUIntBE(at, octets);
    if (length < 0x80 || (octets > 1 && bytes[at] === 0)) throw new DerFault('has a length that is not the shortest');
    at += octets;
  }
  const end = at + length;
  if (end > bytes.length) throw new DerFault('breaks off');
  return { tag, value: bytes.subarray(at, end), whole: bytes.subarray(start, end) };
}

/** `2.5.4.3`. @throws DerFault */
export function objectIdOf(node: DerNode): string {
  if (node.tag !== tags.objectId || node.value.length === 0) throw new DerFault('is not an object identifier');
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of node.value) {
    if (arc > 2 ** 40) throw new DerFault('has an object identifier that is too long');
    arc = arc * 128 + (octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  if ((node.value.at(-1)! & 0x80) !== 0) throw new DerFault('has an object identifier that breaks off');
  return arcs.join('.');
}

/** The text of a string. @throws DerFault for what is not of its alphabet, and for a NUL anywhere */
export function textOf({ tag, value }: DerNode): string {
  let text: string;
  if (tag === tags.utf8String) text = utf8Of(value);
  else if (tag === tags.printableString || tag === tags.ia5String) text = asciiOf(value);
  else if (tag === tags.bmpString && value.length % 2 === 0) text = Buffer.from(value).swap16().toString('utf16le');
  else throw new DerFault('has a string of a kind that is not read');
  if (text.includes('\0')) throw new DerFault('has a NUL in a string');
  return text;
}

export function asciiOf(value: Buffer): string {
  if (value.some((octet) => octet > 0x7e || octet < 0x20)) throw new DerFault('has a string that is not ASCII');
  return value.toString('latin1');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Of(value: Buffer): string {
  try {
    return utf8.decode(value);
  } catch {
    throw new DerFault('has a string that is not UTF-8');
  }
}

/** Milliseconds since 1970 of a UTCTime or a GeneralizedTime as RFC 5280 §4.1.2.5 has them. @throws DerFault */
export function timeOf({ tag, value }: DerNode): number {
  const found = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(value.toString('latin1'));
  const short = found?.[1]?.length === 2;
  if (found === null || tag !== (short ? tags.utcTime : tags.generalizedTime)) throw new DerFault('has no time');
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [number, ...number[]];
  const fullYear = short ? year + (year < 50 ? 2000 : 1900) : year;
  return Date.UTC(fullYear, month! - 1, day, hour, minute, second);
}
