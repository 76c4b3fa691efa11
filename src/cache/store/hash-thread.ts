/**
 * SHA-256 of large bodies beside the thread that serves: half of what a fill costs. It reads from the file what has been
 * written there, so that what is proved is what lies there, and nothing is copied between the threads.
 */

import { Worker } from 'node:worker_threads';
import type { Digest } from '../store.ts';
import type { OpenFile } from './open-file.ts';

type Work =
  | { readonly kind: 'file'; readonly fd: number; readonly from: number; readonly to: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

interface Request {
  readonly call: number;
  readonly body: number;
  readonly work: Work;
}

interface Answer {
  readonly call: number;
  /** Of the end: the digest. */
  readonly digest: Digest;
  readonly fault: string | null;
}

interface Call {
  resolve(digest: Digest): void;
  reject(fault: Error): void;
}

export class HashThread {
  #worker: Worker | null = null;
  readonly #calls = new Map<number, Call>();
  #count = 0;

  begin(): HashBeside {
    const body = this.#count++;
    return new HashBeside((work) => this.#ask(body, work));
  }

  /** Nobody waits for it any more. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #ask(body: number, work: Work): Promise<Digest> {
    const worker = this.#running();
    const call = this.#count++;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      worker.ref();
      worker.postMessage({ call, body, work } satisfies Request);
    });
  }

  #running(): Worker {
    if (this.#worker !== null) return this.#worker;
    // A file of its own would have to be found from wherever this is packed into.
    const worker = new Worker(`(${hashOnRequest})()`, { eval: true, execArgv: [], name: 'hash' });
    this.#worker = worker;
    worker.unref();
    worker.on('message', ({ call, digest, fault }: Answer) => {
      const waiting = this.#calls.get(call);
      this.#calls.delete(call);
      if (this.#calls.size === 0) worker.unref();
      if (fault === null) waiting?.resolve(digest);
      else waiting?.reject(new Error(`what was written could not be read again: ${fault}`));
    });
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#worker = null;
      const calls = [...this.#calls.values()];
      this.#calls.clear();
      for (const { reject } of calls) reject(new Error('the thread that hashes has ended'));
    });
    return worker;
  }
}

/** The hash of one body, from its beginning on. Ends with `digest` or `abandon`. */
export class HashBeside {
  readonly #ask: (work: Work) => Promise<Digest>;
  #file: OpenFile | null = null;
  #fault: Error | null = null;
  #ended = false;
  /** How much of the body it has been told of. */
  position = 0;

  constructor(ask: (work: Work) => Promise<Digest>) {
    this.#ask = ask;
  }

  /** It lies in the file up to there. Does not wait. */
  addFrom(file: OpenFile, until: number): void {
    this.#file ??= file.retain();
    const work = { kind: 'file', fd: this.#file.handle.fd, from: this.position, to: until } as const;
    this.position = until;
    this.#ask(work).catch((fault: Error) => {
      this.#fault ??= fault;
    });
  }

  /** Resolves when it has them. @throws Error */
  async add(bytes: Uint8Array): Promise<void> {
    this.position += bytes.length;
    await this.#ask({ kind: 'bytes', bytes });
  }

  /** @throws Error where it could not read all of it */
  async digest(): Promise<Digest> {
    this.#ended = true;
    try {
      const digest = await this.#ask({ kind: 'end' });
      if (this.#fault !== null) throw this.#fault;
      return digest;
    } finally {
      this.#file?.release();
      this.#file = null;
    }
  }

  abandon(): void {
    if (!this.#ended && this.position > 0) this.digest().catch(() => {});
  }
}

/** What runs in the thread: it stands alone, as its text is all that comes there. */
function hashOnRequest(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const { readSync } = process.getBuiltinModule('node:fs');
  const hashes = new Map<number, ReturnType<typeof createHash>>();
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  parentPort?.on('message', ({ call, body, work }: Request) => {
    let [digest, fault]: [Digest, string | null] = ['', null];
    try {
      const hash = hashes.get(body) ?? createHash('sha256');
      if (work.kind !== 'end') hashes.set(body, hash);
      if (work.kind === 'bytes') hash.update(work.bytes);
      else if (work.kind === 'file') {
        for (let at = work.from; at < work.to; ) {
          const read = readSync(work.fd, buffer, 0, Math.min(buffer.length, work.to - at), at);
          if (read === 0) throw new Error('it is shorter than it was');
          hash.update(buffer.subarray(0, read));
          at += read;
        }
      } else {
        hashes.delete(body);
        digest = hash.digest('hex');
      }
    } catch (thrown) {
      fault = (thrown as Error).message;
    }
    parentPort?.postMessage({ call, digest, fault } satisfies Answer);
  });
}
