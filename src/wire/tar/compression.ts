/** How an archive is packed, by its first bytes, as engines find it (moby, compression.Detect). */

import type { Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import type { BodySink } from '../message.ts';
import { TarFault } from './tar-header.ts';
import { UnpackingProgram } from './unpacking-program.ts';

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

/** What unpacks a stream within this process; null where this Node cannot: zstd came with 22.15. */
export function unpackerFor(compression: Compression): Duplex | null {
  if (compression === 'gzip') return zlib.createGunzip();
  const { createZstdDecompress }: { createZstdDecompress?: () => Duplex } = zlib as object;
  return compression === 'zstd' ? (createZstdDecompress?.() ?? null) : null;
}

function programFor(compression: Compression): Duplex {
  if (compression === 'gzip') throw new Error('Node itself reads gzip');
  return new UnpackingProgram(compression);
}

/** Unpacks on the way to `plain`; what is not packed passes as it is. `fail` is told once of what ends it. */
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

  release(): void {
    this.target?.release?.();
    if (this.target !== this.plain) this.plain.release?.();
  }

  private beginning(): Buffer {
    return Buffer.concat(this.begin);
  }

  private choose(begin: Buffer = this.beginning()): BodySink {
    const compression = compressionOf(begin);
    const unpacker = compression === null ? null : (unpackerFor(compression) ?? programFor(compression));
    const target = unpacker === null ? this.plain : new Unpacker(unpacker, this.plain, this.fail);
    target.onReady = () => this.onReady?.();
    this.target = target;
    return target;
  }
}

class Unpacker implements BodySink {
  onReady: (() => void) | null = null;
  private readonly unpacker: Duplex;
  private readonly plain: BodySink;
  private over = false;

  constructor(unpacker: Duplex, plain: BodySink, fail: (fault: unknown) => void) {
    this.unpacker = unpacker;
    this.plain = plain;
    this.unpacker.on('data', (bytes: Buffer) => {
      if (!plain.write(bytes)) this.unpacker.pause();
    });
    plain.onReady = () => this.unpacker.resume();
    this.unpacker.on('end', () => plain.end());
    this.unpacker.on('error', (fault) => {
      if (!this.over) fail(new TarFault(`cannot be unpacked: ${fault.message}`));
      this.over = true;
    });
  }

  write(chunk: Buffer): boolean {
    if (this.over) return true;
    // Until it is unpacked the bytes are in use.
    this.unpacker.write(chunk, () => this.onReady?.());
    return false;
  }

  end(): void {
    if (!this.over) this.unpacker.end();
  }

  abort(cause: Error): void {
    this.over = true;
    this.unpacker.destroy();
    this.plain.abort(cause);
  }

  release(): void {
    this.over = true;
    this.unpacker.destroy();
  }
}
