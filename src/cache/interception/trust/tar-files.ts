/** Small archives in memory: read into their entries, changed, and put together again. */

import {
  apply,
  BLOCK,
  type EntryKind,
  type Extension,
  extend,
  isExtension,
  isGlobal,
  kindOf,
  longName,
  NAME_BYTES,
  padded,
  paddingOf,
  printRecords,
  readHeader,
  recordsIn,
  TarFault,
} from '../../../wire/tar/tar-header.ts';

export interface TarEntry {
  readonly name: string;
  readonly kind: EntryKind;
  /** The target of a link. */
  readonly link: string;
  readonly content: Buffer;
  /** Its own header, and those before it that say more. */
  readonly headers: Buffer;
}

/** @throws TarFault */
export function entriesIn(tar: Buffer): readonly TarEntry[] {
  const entries: TarEntry[] = [];
  let extension: Extension = {};
  let start = 0;
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const block = tar.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) return entries;
    const header = readHeader(block);
    const extends_ = isExtension(header) || isGlobal(header);
    const applied = extends_ ? header : apply(header, extension);
    const end = at + BLOCK + applied.size;
    if (end > tar.length) break;
    const content = tar.subarray(at + BLOCK, end);
    const next = end + paddingOf(applied.size);
    if (isExtension(header)) extend(extension, header, content);
    else if (!extends_) {
      const headers = tar.subarray(start, at + BLOCK);
      entries.push({ name: applied.name, kind: kindOf(applied), link: applied.linkName, content, headers });
      extension = {};
    }
    at = next;
    if (!isExtension(header)) start = next;
  }
  throw new TarFault('ends too early');
}

/** The archive of whole entries. */
export function archiveOf(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
}

export function printEntry({ headers, content }: TarEntry): Buffer {
  return Buffer.concat([headers, padded(content)]);
}

/** What a header of POSIX says that is not said anew. */
const SAID_ANEW: ReadonlySet<string> = new Set(['path', 'linkpath', 'size']);

/** The same file, of the same owner, mode and attributes, with another content and under another name. */
export function printAs({ headers }: TarEntry, name: string, content: Buffer): Buffer {
  const block = Buffer.from(headers.subarray(-BLOCK));
  block.fill(0, 0, NAME_BYTES);
  block.write(name, 0, NAME_BYTES);
  if (block.toString('latin1', 257, 263) === 'ustar\0') block.fill(0, 345, 500);
  const kept = recordsBefore(headers).filter(([key]) => !SAID_ANEW.has(key));
  return Buffer.concat([printRecords([...kept, ...longName(name)]), finished(block, content.length), padded(content)]);
}

function recordsBefore(headers: Buffer): readonly (readonly [string, Buffer])[] {
  const records: (readonly [string, Buffer])[] = [];
  for (let at = 0; at < headers.length - BLOCK; ) {
    const { type, size } = readHeader(headers.subarray(at, at + BLOCK));
    const from = at + BLOCK;
    if (type === 'x') records.push(...recordsIn(headers.subarray(from, from + size)));
    at = from + size + paddingOf(size);
  }
  return records;
}

const TYPES = { file: '0', link: '2', folder: '5' } as const;

/** An entry of our own, of root. */
export function printNew(name: string, kind: keyof typeof TYPES, said: Buffer | string = Buffer.alloc(0)): Buffer {
  const content = typeof said === 'string' ? Buffer.alloc(0) : said;
  const target = typeof said === 'string' ? said : '';
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, NAME_BYTES);
  block.write(kind === 'file' ? '0000644\0' : kind === 'link' ? '0000777\0' : '0000755\0', 100, 'latin1');
  block.write('0000000\x000000000\0', 108, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write(TYPES[kind], 156, 'latin1');
  block.write(target, 157, NAME_BYTES);
  block.write('ustar\x0000', 257, 'latin1');
  const records = printRecords([...longName(name), ...longName(target, 'linkpath')]);
  return Buffer.concat([records, finished(block, content.length), padded(content)]);
}

function finished(block: Buffer, size: number): Buffer {
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
