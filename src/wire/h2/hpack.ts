/**
 * Header blocks of HTTP/2 (RFC 7541) between sides that have been told to keep no table of what was said before: each block
 * can be read by itself, and one may be put between others.
 */

import type { RawHeaders } from '../message.ts';
import { Http2Fault } from './frames.ts';
import { readHuffman } from './huffman.ts';

/** RFC 7541, appendix A. */
const STATIC = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n');

/** Names and values in turns. @throws Http2Fault for what cannot be read by itself */
export function readFieldBlock(block: Buffer): RawHeaders {
  const reader = new BlockReader(block);
  const fields: string[] = [];
  while (!reader.done) fields.push(...reader.field());
  return fields;
}

/** @param fields names and values in turns */
export function printFieldBlock(fields: RawHeaders): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    pieces.push(Buffer.from([0]), printText(fields[i] ?? ''), printText(fields[i + 1] ?? ''));
  }
  return Buffer.concat(pieces);
}

class BlockReader {
  private at = 0;
  private readonly block: Buffer;

  constructor(block: Buffer) {
    this.block = block;
  }

  get done(): boolean {
    return this.at === this.block.length;
  }

  field(): readonly string[] {
    const byte = this.byte();
    if (byte >= 0x80) return entry(this.integer(byte, 0x7f));
    // Without a table there is nothing that it could be added to.
    if (byte >= 0x40) throw new Http2Fault('a field that is to be remembered');
    if (byte >= 0x20) {
      if (this.integer(byte, 0x1f) > 0) throw new Http2Fault('a table of fields');
      return [];
    }
    const index = this.integer(byte, 0x0f);
    const name = index === 0 ? this.text() : (entry(index)[0] as string);
    return [name, this.text()];
  }

  private byte(): number {
    const byte = this.block[this.at++];
    if (byte === undefined) throw new Http2Fault('a header block breaks off');
    return byte;
  }

  /** Section 5.1. */
  private integer(first: number, mask: number): number {
    let value = first & mask;
    if (value < mask) return value;
    for (let scale = 1; scale <= 128 ** 3; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new Http2Fault('a number in a header block is too large');
  }

  private text(): string {
    const first = this.byte();
    const length = this.integer(first, 0x7f);
    if (length > this.block.length - this.at) throw new Http2Fault('a header block breaks off');
    this.at += length;
    const bytes = this.block.subarray(this.at - length, this.at);
    const read = first >= 0x80 ? readHuffman(bytes) : bytes;
    if (read === null) throw new Http2Fault('a header block is garbled');
    return read.toString('latin1');
  }
}

function entry(index: number): readonly string[] {
  const line = STATIC[index - 1];
  if (line === undefined) throw new Http2Fault('a field of a table that is not there');
  const [name = '', ...value] = line.split(' ');
  return [name, value.join(' ')];
}

function printText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([printInteger(bytes.length), bytes]);
}

function printInteger(value: number): Buffer {
  if (value < 0x7f) return Buffer.from([value]);
  const bytes = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
