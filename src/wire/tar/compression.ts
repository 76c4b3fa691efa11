/** How an archive is packed, by its first bytes, as engines find it (moby, compression.Detect). */

import { createGunzip } from 'node:zlib';
import type { BodySink } from '../message.ts';
import { TarFault } from './tar-header.ts';

export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd';

/** So many bytes tell. */
const TELLING_BYTES = 6;

const marks: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Null for what engines read as a plain tar. */
export function compressionOf(bytes: Buffer): Compression | null {
  // A frame of zstd that is skipped: 0x184D2A5?.
  if (bytes.length >= 4 && (bytes.readUInt32LE(0) & 0xfffffff0) === 0x184d2a50) return 'zstd';
  return marks.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte))?.[0] ?? null;
}

/** Unpacks gzip on the way to `plain`; whatever is not packed passes as it is. `fail` is told once of what ends it. */
export class Unpacking implements BodySink {
  onReady: (() => void) | null = null;
  private readonly plain: BodySink;
  private readonly fail: (fault: unknown) => void;
  private begin: Buffer[] = [];
  private beginBytes = 0;
  private target: BodySink | null = null;

  constructor(plain: BodySink, fail: (fault: unknown) => void) {
    this.plain = plain;
    this.fail = fail;
  }

  write(chunk: Buffer): boolean {
    if (this.target !== null) return this.target.write(chunk);
    // The wire reads over its buffers: what is kept must be a copy.
    this.begin.push(Buffer.from(chunk));
    this.beginBytes += chunk.length;
    return this.beginBytes < TELLING_BYTES || this.choose().write(this.beginning());
  }

  end(): void {
    if (this.target === null) {
      const begin = this.beginning();
      const target = this.choose(begin);
      if (begin.length > 0) target.write(begin);
    }
    this.target?.end();
  }

  abort(cause: Error): void {
    (this.target ?? this.plain).abort(cause);
  }

  private beginning(): Buffer {
    return Buffer.concat(this.begin);
  }

  private choose(begin: Buffer = this.beginning()): BodySink {
    const compression = compressionOf(begin);
    let target = this.plain;
    if (compression === 'gzip') target = new Gunzip(this.plain, this.fail);
    else if (compression !== null) {
      this.fail(
        new TarFault(`is packed with ${compression}, which is not read here: pack it with gzip, or not at all`),
      );
      target = new Nowhere();
    }
    target.onReady = () => this.onReady?.();
    this.target = target;
    return target;
  }
}

class Gunzip implements BodySink {
  onReady: (() => void) | null = null;
  private readonly gunzip = createGunzip();
  private readonly plain: BodySink;
  private over = false;

  constructor(plain: BodySink, fail: (fault: unknown) => void) {
    this.plain = plain;
    this.gunzip.on('data', (bytes: Buffer) => {
      if (!plain.write(bytes)) this.gunzip.pause();
    });
    plain.onReady = () => this.gunzip.resume();
    this.gunzip.on('end', () => plain.end());
    this.gunzip.on('error', (fault) => {
      if (!this.over) fail(new TarFault(`cannot be unpacked: ${fault.message}`));
      this.over = true;
    });
  }

  write(chunk: Buffer): boolean {
    if (this.over) return true;
    // Until it is unpacked the bytes are in use.
    this.gunzip.write(chunk, () => this.onReady?.());
    return false;
  }

  end(): void {
    if (!this.over) this.gunzip.end();
  }

  abort(cause: Error): void {
    this.over = true;
    this.gunzip.destroy();
    this.plain.abort(cause);
  }
}

class Nowhere implements BodySink {
  onReady: (() => void) | null = null;
  write(): boolean {
    return true;
  }
  end(): void {}
  abort(): void {}
}
