/**
 * Headers of tar archives, read strictly: whatever Go's archive/tar, which engines use, and this file could read in two
 * ways is refused, so that both see the same entries in the same places.
 */

export const BLOCK = 512;
/** Of a name in a header. */
export const NAME_BYTES = 100;

/** An archive that is refused. */
export class TarFault extends Error {}

export type EntryKind = 'file' | 'hard-link' | 'link' | 'folder' | 'other';

export interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  /** Of what follows in the archive, without its padding. */
  readonly size: number;
}

/** What the entries before a header say about it. */
export interface Extension {
  /** Whether a header of POSIX has said something: of several, Go takes the last one alone. */
  pax?: true;
  path?: string;
  linkPath?: string;
  size?: number;
}

const kinds: Readonly<Record<string, EntryKind>> = {
  '0': 'file',
  '\0': 'file',
  '1': 'hard-link',
  '2': 'link',
  '3': 'other',
  '4': 'other',
  '5': 'folder',
  '6': 'other',
};

/** Entries that only say something about the next one: of POSIX, and of GNU for long names. */
const extensions: ReadonlySet<string> = new Set(['x', 'L', 'K']);
/** Of Go's reader; what it takes beyond it is memory of the engine. */
const MOST_EXTENSION_BYTES = 1024 * 1024;

/** @throws TarFault */
export function readHeader(block: Buffer): RawHeader {
  requireChecksum(block);
  const magic = block.toString('latin1', 257, 265);
  const ustar = magic === 'ustar\x0000';
  if (!ustar && magic !== 'ustar  \0' && magic !== '\0'.repeat(8)) throw new TarFault('is no tar of a known format');
  requireOnePrefix(block, magic);
  const type = String.fromCharCode(block[156] as number);
  const prefix = ustar ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const size = number(block, 124, 12);
  if ((extensions.has(type) || type === 'g') && size > MOST_EXTENSION_BYTES) {
    throw new TarFault('holds a header of more than 1 MiB');
  }
  return {
    type,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    size,
  };
}

/** Where Go's reader finds the beginning of a name elsewhere than the format has it. @throws TarFault */
function requireOnePrefix(block: Buffer, magic: string): void {
  // The format of star, whose prefix is shorter, is known by its end alone.
  if (magic.startsWith('ustar\0') && block.toString('latin1', 508) === 'tar\0') {
    if (!block.subarray(345, 345 + 131).includes(0)) throw new TarFault('is a tar of star with long names');
  }
  // Where the times of GNU cannot be read, Go takes them for a prefix.
  if (magic === 'ustar  \0') for (const at of [345, 357]) if (block[at] !== 0) number(block, at, 12);
}

export function isExtension({ type }: RawHeader): boolean {
  return extensions.has(type);
}

/** A global header of POSIX, which engines do not apply. */
export function isGlobal({ type }: RawHeader): boolean {
  return type === 'g';
}

export function kindOf({ type }: RawHeader): EntryKind {
  return kinds[type] as EntryKind;
}

function requireKnown({ type, size, name }: RawHeader): void {
  const kind = kinds[type];
  if (kind === undefined) throw new TarFault(`holds an entry of the type ${JSON.stringify(type)}, which is not read`);
  if (size > 0 && (kind !== 'file' || name.endsWith('/'))) {
    throw new TarFault(`says of ${JSON.stringify(name)}, which is no file, that it has contents`);
  }
}

/** What an extension says; it must not say it twice. @throws TarFault */
export function extend(before: Extension, { type }: RawHeader, content: Buffer): void {
  if (type === 'x') {
    setOnce(before, 'pax', true);
    readRecords(before, content);
    return;
  }
  const end = content.indexOf(0);
  const said = content.toString('utf8', 0, end < 0 ? content.length : end);
  if (said === '') throw new TarFault('holds a header that says nothing');
  if (type === 'L') setOnce(before, 'path', said);
  else setOnce(before, 'linkPath', said);
}

/** @throws TarFault */
export function apply(header: RawHeader, { path, linkPath, size }: Extension): RawHeader {
  const applied = {
    ...header,
    name: path ?? header.name,
    linkName: linkPath ?? header.linkName,
    size: size ?? header.size,
  };
  requireKnown(applied);
  return applied;
}

function readRecords(into: Extension, content: Buffer): void {
  for (const [key, value] of recordsIn(content)) take(into, key, value.toString('utf8'));
}

/** POSIX pax: `LENGTH KEY=VALUE\n`, the length in bytes and of the whole record. @throws TarFault */
export function* recordsIn(content: Buffer): Generator<readonly [string, Buffer]> {
  let at = 0;
  while (at < content.length) {
    const blank = content.indexOf(0x20, at);
    const digits = blank < 0 ? '' : content.toString('latin1', at, blank);
    const length = /^[1-9][0-9]{0,6}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > content.length || content[end - 1] !== 0x0a) throw new TarFault('holds a broken header');
    const record = content.subarray(blank + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals <= 0) throw new TarFault('holds a broken header');
    yield [record.toString('utf8', 0, equals), record.subarray(equals + 1)];
    at = end;
  }
}

function take(into: Extension, key: string, value: string): void {
  if (key.startsWith('GNU.sparse.')) throw new TarFault('holds a sparse file, which is not read');
  if (key !== 'path' && key !== 'linkpath' && key !== 'size') return;
  if (value === '' || value.includes('\0')) throw new TarFault(`holds a header with a broken ${key}`);
  if (key === 'path') setOnce(into, 'path', value);
  else if (key === 'linkpath') setOnce(into, 'linkPath', value);
  else if (/^(0|[1-9][0-9]{0,14})$/.test(value)) setOnce(into, 'size', Number(value));
  else throw new TarFault('holds a header with a broken size');
}

function setOnce<Key extends keyof Extension>(into: Extension, key: Key, value: Extension[Key]): void {
  if (into[key] !== undefined) {
    throw new TarFault(key === 'pax' ? 'holds two headers for one entry' : `says twice what the ${key} of an entry is`);
  }
  into[key] = value;
}

function text(block: Buffer, from: number, length: number): string {
  const end = block.indexOf(0, from);
  return block.toString('utf8', from, end < 0 || end > from + length ? from + length : end);
}

/** Octal digits between blanks, or 256 to the base with the first bit set. */
function number(block: Buffer, from: number, length: number): number {
  const first = block[from] as number;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let i = from + 1; i < from + length; i++) {
      value = value * 256 + (block[i] as number);
      if (first === 0xff || value > Number.MAX_SAFE_INTEGER) throw new TarFault('holds an entry of an impossible size');
    }
    return value;
  }
  const digits = block.toString('latin1', from, from + length);
  if (!/^ *[0-7]*[ \0]*$/.test(digits)) throw new TarFault('holds an entry whose size cannot be read');
  return Number.parseInt(`0${digits.replace(/[ \0]/g, '')}`, 8);
}

/** The permissions of an entry, by its header and those before it. */
export function modeOf(headerBlocks: Buffer): number {
  return number(headerBlocks.subarray(-BLOCK), 100, 8) & 0o7777;
}

/** The sum of all bytes, those of the sum itself taken for blanks. */
function requireChecksum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  if (sum !== number(block, 148, 8)) throw new TarFault('is no tar');
}

/** A header of our own, for a file. */
export function printHeader(name: string, size: number, mode = 0o644): Buffer {
  const bytes = Buffer.from(name);
  const block = Buffer.alloc(BLOCK);
  bytes.copy(block, 0, 0, NAME_BYTES);
  block.write(
    `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0        0`,
    100,
    'latin1',
  );
  block.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return Buffer.concat([printRecords(longName(name)), block]);
}

/** What says a name that has no room in a header. */
export function longName(name: string, key: 'path' | 'linkpath' = 'path'): readonly (readonly [string, Buffer])[] {
  const bytes = Buffer.from(name);
  return bytes.length > NAME_BYTES ? [[key, bytes]] : [];
}

/** A header of POSIX that says this of the entry behind it; nothing where there is nothing to say. */
export function printRecords(records: readonly (readonly [string, Buffer])[]): Buffer {
  if (records.length === 0) return Buffer.alloc(0);
  const content = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const before = printHeader('PaxHeaders/next', content.length);
  before.write('x', 156, 'latin1');
  return Buffer.concat([withChecksum(before), padded(content)]);
}

/** The length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function withChecksum(block: Buffer): Buffer {
  block.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

/** Filled up to whole blocks. */
export function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(paddingOf(content.length))]);
}

export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
