/** The bodies in a folder: how they come in, whole and proved, how they are opened, and how they go. */

import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Body, Digest } from '../store.ts';
import type { WholeBody } from './fill.ts';
import { isDigest, type Layout, shelves } from './layout.ts';
import type { Ledger } from './ledger.ts';
import { MemoryBody } from './memory-body.ts';
import { OpenFile } from './open-file.ts';
import type { BodyPlace } from './places.ts';
import type { SendBuffers } from './send-buffers.ts';
import { StoredBody } from './stored-body.ts';
import { Turns } from './turns.ts';

/** A body up to this size is read at once, and kept in memory. */
const SMALL = 256 * 1024;
const MOST_PROVED = 100_000;

export interface FolderBodiesOptions {
  readonly layout: Layout;
  readonly ledger: Ledger;
  readonly buffers: SendBuffers;
  readonly memoryBytes: number;
}

export class FolderBodies implements BodyPlace {
  readonly #layout: Layout;
  readonly #ledger: Ledger;
  readonly #buffers: SendBuffers;
  readonly #memory: LRUCache<Digest, MemoryBody>;
  /** The very files that were seen to be right: inode and last change, which no program can set back. */
  readonly #proved = new LRUCache<Digest, string>({ max: MOST_PROVED });
  readonly #turns = new Turns();
  corrupt = 0;

  constructor({ layout, ledger, buffers, memoryBytes }: FolderBodiesOptions) {
    this.#layout = layout;
    this.#ledger = ledger;
    this.#buffers = buffers;
    this.#memory = new LRUCache({
      maxSize: Math.max(1, memoryBytes),
      maxEntrySize: Math.min(SMALL, Math.max(1, memoryBytes)),
      sizeCalculation: ({ size }) => size + 512,
    });
  }

  async keep({ digest, size, content }: WholeBody, path: string): Promise<void> {
    await this.#turns.take(digest, async () => {
      const target = this.#layout.blob(digest);
      if (await this.#isThere(target, digest, size)) {
        if (!Buffer.isBuffer(content)) await unlink(path);
      } else {
        await writeDurably(content, path);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await rename(path, target);
        this.#proved.set(digest, identity(await stat(target, { bigint: true })));
      }
    });
    if (Buffer.isBuffer(content)) this.#memory.set(digest, new MemoryBody(digest, content));
  }

  /** The same bytes may come again and again; only what was proved by us spares us to write them. */
  async #isThere(target: string, digest: Digest, size: number): Promise<boolean> {
    const found = await stat(target, { bigint: true }).catch(() => null);
    return found !== null && found.size === BigInt(size) && this.#proved.get(digest) === identity(found);
  }

  atHand(digest: Digest): Buffer | null {
    return this.#memory.get(digest)?.bytes ?? null;
  }

  async open(digest: Digest): Promise<Body | null> {
    if (!isDigest(digest)) return null;
    const small = this.#memory.get(digest);
    if (small !== undefined) return small;
    const handle = await open(this.#layout.blob(digest), 'r').catch(absent);
    if (handle === null) return null;
    const found = await handle.stat({ bigint: true });
    const size = Number(found.size);
    const proved = this.#proved.get(digest) === identity(found);
    if (size <= SMALL) return this.#readSmall(digest, handle, size, proved ? null : identity(found));
    this.#ledger.pin(digest);
    return new StoredBody(digest, size, new OpenFile(handle), this.#buffers, {
      proved,
      onProved: () => void this.#proved.set(digest, identity(found)),
      onWrong: () => void this.#throwAway(digest, identity(found)),
      onClose: () => this.#ledger.unpin(digest),
    });
  }

  async #readSmall(digest: Digest, handle: FileHandle, size: number, toProve: string | null): Promise<Body | null> {
    const file = new OpenFile(handle);
    try {
      const bytes = await file.readFully(Buffer.allocUnsafeSlow(size), 0);
      if (toProve !== null) {
        if (createHash('sha256').update(bytes).digest('hex') !== digest) {
          await this.#throwAway(digest, toProve);
          return null;
        }
        this.#proved.set(digest, toProve);
      }
      const body = new MemoryBody(digest, bytes);
      this.#memory.set(digest, body);
      return body;
    } finally {
      file.release();
    }
  }

  /** Unless another file has taken its place. */
  async #throwAway(digest: Digest, wrong: string): Promise<void> {
    this.corrupt++;
    await this.#turns.take(digest, async () => {
      const target = this.#layout.blob(digest);
      const found = await stat(target, { bigint: true }).catch(() => null);
      if (found === null || identity(found) !== wrong) return;
      this.#memory.delete(digest);
      await unlink(target);
    });
  }

  async check(digest: Digest, signal: AbortSignal): Promise<number | 'wrong' | 'gone'> {
    const handle = await open(this.#layout.blob(digest), 'r').catch(absent);
    if (handle === null) return 'gone';
    const buffer = this.#buffers.take(true);
    try {
      const found = await handle.stat({ bigint: true });
      const hash = createHash('sha256');
      for (let at = 0; ; ) {
        signal.throwIfAborted();
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      if (hash.digest('hex') === digest) {
        this.#proved.set(digest, identity(found));
        return Number(found.size);
      }
      await this.#throwAway(digest, identity(found));
      return 'wrong';
    } finally {
      this.#buffers.giveBack(buffer);
      await handle.close();
    }
  }

  async remove(digest: Digest): Promise<number | null> {
    return this.#turns.take(digest, async () => {
      if (this.#ledger.isPinned(digest) || this.#ledger.isNamed(digest)) return null;
      const target = this.#layout.blob(digest);
      const found = await stat(target).catch(() => null);
      this.#memory.delete(digest);
      this.#proved.delete(digest);
      if (found !== null) await unlink(target).catch(absent);
      return found?.size ?? null;
    });
  }

  async sizeOf(digest: Digest): Promise<number | null> {
    if (!isDigest(digest)) return null;
    const small = this.#memory.peek(digest);
    if (small !== undefined) return small.size;
    const found = await stat(this.#layout.blob(digest)).catch(() => null);
    return found === null ? null : found.size;
  }

  async *walk(): AsyncGenerator<{ digest: Digest; changedMs: number }> {
    for (const shelf of shelves) {
      for (const digest of await readdir(join(this.#layout.blobs, shelf)).catch(() => [])) {
        if (!isDigest(digest)) continue;
        const found = await stat(this.#layout.blob(digest)).catch(() => null);
        if (found !== null) yield { digest, changedMs: found.mtimeMs };
      }
    }
  }
}

/** What a file is as long as nobody writes into it. */
function identity({ ino, size, ctimeNs }: { ino: bigint; size: bigint; ctimeNs: bigint }): string {
  return `${ino} ${size} ${ctimeNs}`;
}

async function writeDurably(content: Buffer | FileHandle, path: string): Promise<void> {
  if (!Buffer.isBuffer(content)) return content.datasync();
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

function absent(fault: NodeJS.ErrnoException): null {
  if (fault.code === 'ENOENT') return null;
  throw fault;
}
