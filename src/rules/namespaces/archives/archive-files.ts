/**
 * The files of an archive by what they hold, as it passes: the digest of each, packed and unpacked, and the documents
 * among them. What could come to lie somewhere else than where it is said to, is refused.
 */

import { createHash, type Hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { cleanPath } from '../../../wire/tar/clean-path.ts';
import { compressionOf, unpackerFor } from '../../../wire/tar/compression.ts';
import { kindOf, type RawHeader, TarFault } from '../../../wire/tar/tar-header.ts';

/** Configurations of images, manifests and indexes. */
export const MOST_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MOST_DOCUMENTS_BYTES = 64 * 1024 * 1024;
const MOST_ENTRIES = 100_000;
/** Of Linux; an engine cannot unpack what is longer. */
const MOST_PATH_BYTES = 4096;
/** Of all names and links: what is packed well is much more when it is unpacked. */
const MOST_NAME_BYTES = 32 * 1024 * 1024;
const MOST_HOPS = 16;
const TELLING_BYTES = 6;
const BRACE = 0x7b;

export interface ArchivedFile {
  /** Of the bytes as they are: `sha256:…` */
  readonly digest: string;
  /** Of what is in them; the same where they are not packed, null where they cannot be unpacked here. */
  readonly unpacked: string | null;
  /** Where it can be one. */
  readonly document: Buffer | null;
}

export class ArchiveFiles {
  private readonly kinds = new Map<string, 'file' | 'folder' | 'link'>();
  private readonly links = new Map<string, string>();
  private readonly files = new Map<string, Promise<ArchivedFile>>();
  private readonly byDigest = new Map<string, ArchivedFile>();
  private documentBytes = 0;
  private nameBytes = 0;
  private readonly count: (bytes: number) => void;
  private open: { readonly path: string; readonly digests: Digests } | null = null;

  /** `count` is told of bytes that are in the files, unpacked. */
  constructor(count: (bytes: number) => void) {
    this.count = count;
  }

  release(): void {
    this.open?.digests.release();
  }

  /** Whether more bytes would wait. */
  get busy(): boolean {
    return this.open?.digests.busy === true;
  }

  /** The clean path of the next entry. `drained`: it is busy no more. @throws TarFault */
  begin(header: RawHeader, drained: () => void): string {
    this.bound(header);
    const path = cleanPath(header.name);
    if (path === null) throw new TarFault(`holds ${JSON.stringify(header.name)}, which is outside of it`);
    const kind = kindOf(header);
    if (kind === 'other') throw new TarFault(`holds ${JSON.stringify(path)}, which is neither a file nor a link`);
    this.place(path, kind === 'hard-link' ? 'link' : kind);
    if (kind === 'link') this.links.set(path, targetOf(path, header.linkName));
    if (kind === 'hard-link') this.links.set(path, cleanPath(header.linkName) ?? '');
    if (kind === 'file') this.open = { path, digests: new Digests(drained, this.count) };
    return path;
  }

  content(bytes: Buffer): void {
    this.open?.digests.take(bytes);
  }

  /** The entry is over. `content`: empty where nobody has kept it. @throws TarFault */
  end(content: Buffer): void {
    const { open } = this;
    this.open = null;
    if (open === null) return;
    const document = content[0] === BRACE ? content : null;
    this.documentBytes += document?.length ?? 0;
    if (this.documentBytes > MOST_DOCUMENTS_BYTES) throw new TarFault('holds too many documents');
    const file = open.digests.end().then((digests) => {
      const known = { ...digests, document };
      this.byDigest.set(known.digest, known);
      return known;
    });
    this.files.set(open.path, file);
  }

  /** All of them are known. */
  async settle(): Promise<void> {
    await Promise.all(this.files.values());
  }

  /** Where links lead to; null for what is not in the archive. */
  async at(said: string): Promise<{ readonly path: string; readonly file: ArchivedFile } | null> {
    let path = cleanPath(said) ?? '';
    for (let hops = 0; this.links.has(path) && hops < MOST_HOPS; hops++) path = this.links.get(path) as string;
    const file = await this.files.get(path);
    return file === undefined ? null : { path, file };
  }

  /** After `settle`. */
  withDigest(digest: string): ArchivedFile | null {
    return this.byDigest.get(digest) ?? null;
  }

  private bound({ name, linkName }: RawHeader): void {
    const lengths = [name, linkName].map((text) => Buffer.byteLength(text));
    if (lengths.some((bytes) => bytes > MOST_PATH_BYTES)) throw new TarFault('holds a path of more than 4 KiB');
    for (const bytes of lengths) this.nameBytes += bytes;
    if (this.nameBytes > MOST_NAME_BYTES) throw new TarFault('holds too many names');
  }

  private place(path: string, kind: 'file' | 'folder' | 'link'): void {
    const before = path === '' ? 'folder' : this.kinds.get(path);
    if (before !== undefined && (before !== 'folder' || kind !== 'folder')) {
      throw new TarFault(`holds ${JSON.stringify(path)} twice`);
    }
    this.kinds.set(path, kind);
    if (this.kinds.size > MOST_ENTRIES) throw new TarFault('holds too many files');
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash);
      const above = this.kinds.get(folder);
      // Then what it lies in is known, too.
      if (above === 'folder') break;
      if (above !== undefined) throw new TarFault(`holds files behind ${JSON.stringify(folder)}, which is no folder`);
      // An engine makes what is missing of a path.
      this.kinds.set(folder, 'folder');
      if (this.kinds.size > MOST_ENTRIES) throw new TarFault('holds too many files');
    }
  }
}

/** In the archive, which is the root of what is in it; nowhere where it leads out. */
function targetOf(path: string, target: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  return cleanPath(target.startsWith('/') ? target : folder + target) ?? '';
}

/** Both digests of bytes as they come. */
class Digests {
  private readonly plain = createHash('sha256');
  private readonly drained: () => void;
  private readonly count: (bytes: number) => void;
  private begin: Buffer | null = Buffer.alloc(0);
  /** Null where the bytes are not packed, or cannot be unpacked here. */
  private unpacking: Unpacking | null = null;
  private isPacked = false;

  constructor(drained: () => void, count: (bytes: number) => void) {
    this.drained = drained;
    this.count = count;
  }

  release(): void {
    this.unpacking?.release();
  }

  get busy(): boolean {
    return this.unpacking?.busy === true;
  }

  take(bytes: Buffer): void {
    this.plain.update(bytes);
    const before = this.begin;
    if (before === null) {
      if (!this.isPacked) this.count(bytes.length);
      this.unpacking?.take(bytes);
      return;
    }
    const begin = Buffer.concat([before, bytes.subarray(0, TELLING_BYTES)]);
    this.begin = begin.length < TELLING_BYTES ? begin : null;
    if (this.begin !== null) return;
    const compression = compressionOf(begin);
    if (compression === null) {
      this.count(bytes.length);
      return;
    }
    this.isPacked = true;
    const unpacker = unpackerFor(compression);
    if (unpacker === null) return;
    this.unpacking = new Unpacking(unpacker, this.drained, this.count);
    if (before.length > 0) this.unpacking.take(before);
    this.unpacking.take(bytes);
  }

  async end(): Promise<Pick<ArchivedFile, 'digest' | 'unpacked'>> {
    const digest = told(this.plain);
    return { digest, unpacked: this.isPacked ? ((await this.unpacking?.end()) ?? null) : digest };
  }
}

class Unpacking {
  private readonly unpacker: Duplex;
  private readonly hash = createHash('sha256');
  private readonly done: Promise<string | null>;
  private readonly drained: () => void;
  private waiting = 0;

  constructor(unpacker: Duplex, drained: () => void, count: (bytes: number) => void) {
    this.unpacker = unpacker;
    this.drained = drained;
    this.done = new Promise((resolve) => {
      unpacker.on('data', (bytes: Buffer) => {
        this.hash.update(bytes);
        count(bytes.length);
      });
      unpacker.on('end', () => resolve(told(this.hash)));
      // What only looks packed has no digest of what is in it.
      unpacker.on('error', () => resolve(null));
      unpacker.on('close', () => resolve(null));
    });
  }

  release(): void {
    this.unpacker.destroy();
  }

  get busy(): boolean {
    return this.waiting > 0;
  }

  take(bytes: Buffer): void {
    this.waiting++;
    this.unpacker.write(bytes, () => {
      this.waiting--;
      if (this.waiting === 0) this.drained();
    });
  }

  end(): Promise<string | null> {
    this.unpacker.end();
    return this.done;
  }
}

function told(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`;
}
