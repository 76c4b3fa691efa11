/**
 * A file whose parsed content stays true without a restart. It is looked at twice a second, which works alike for files
 * that are renamed over, written in place, reached through a swapped link, or on a network; inotify would not.
 */

import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthenticatorLog } from '../../exchange/authenticator.ts';

const lookEveryMs = 450;
/** A file that is being written in place is read when it has been still for so long. */
const stillMs = 60;
const mostBytes = 64 * 1024 * 1024;

export interface WatchedFileOptions<Content> {
  /** An absolute path. */
  readonly path: string;
  /** What it is, in a message: `the htpasswd file`. */
  readonly what: string;
  /** Whether others may read it. Nobody but the owner may write it in any case. */
  readonly secret: boolean;
  /** Throws an Error whose message says what is wrong and in which line, without any secret. */
  readonly parse: (bytes: Buffer) => Content;
  readonly log: AuthenticatorLog;
}

export class WatchedFile<Content> {
  readonly #options: WatchedFileOptions<Content>;
  #content: Content | undefined;
  #signature = '';
  #complaint = '';
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  /** Grows with each new content. */
  generation = 0;

  constructor(options: WatchedFileOptions<Content>) {
    this.#options = options;
  }

  /** What stood there when it could last be read. */
  get content(): Content {
    if (this.#content === undefined) throw new Error(`${this.#options.what} is not read yet`);
    return this.#content;
  }

  /** @throws Error when the file cannot be read, parsed or trusted */
  async start(): Promise<void> {
    const before = signatureOf(await stat(this.#options.path, { bigint: true }).catch((cause) => this.#fail(cause)));
    this.#content = await this.#read().catch((cause) => this.#fail(cause));
    this.#signature = before;
    this.generation++;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
    }, lookEveryMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { path, what, log } = this.#options;
    let seen = '';
    try {
      seen = await this.#signatureNow();
      if (seen === this.#signature) return;
      for (let last = ''; last !== seen; ) {
        last = seen;
        await sleep(stillMs, undefined, { ref: false });
        seen = await this.#signatureNow();
      }
      const content = await this.#read();
      if ((await this.#signatureNow()) !== seen) return;
      this.#signature = seen;
      this.#complaint = '';
      this.#content = content;
      this.generation++;
      log.info({ file: path }, `${what} is read again`);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      // A file with a fault is read again when it changes; one that cannot be reached now, at the next look.
      if (code === undefined) this.#signature = seen;
      if (this.#complaint === message) return;
      this.#complaint = message;
      log.warn({ file: path, error: message }, `${what} is not taken; what it held before still holds`);
    }
  }

  async #signatureNow(): Promise<string> {
    return signatureOf(await stat(this.#options.path, { bigint: true }));
  }

  async #read(): Promise<Content> {
    const { path, secret, parse } = this.#options;
    // Without O_NONBLOCK a pipe in its place would hold a thread for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await refuseUntrusted(file, secret);
      return parse(await file.readFile());
    } finally {
      await file.close();
    }
  }

  #fail(cause: unknown): never {
    const { path, what } = this.#options;
    throw new Error(`${what} ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Whoever can write such a file can be anybody (RED-TEAM 71). Asked of what is open, not of a path. */
async function refuseUntrusted(file: FileHandle, secret: boolean): Promise<void> {
  const { mode, uid, size } = await file.stat();
  if ((mode & 0o170000) !== 0o100000) throw new Error('is not a regular file');
  if (size > mostBytes) throw new Error('is larger than 64MiB');
  const self = process.geteuid?.();
  if (uid !== 0 && uid !== self) throw new Error(`belongs to the uid ${uid}: it must be ours or root's`);
  const shown = `its mode is 0${(mode & 0o777).toString(8)}`;
  if ((mode & 0o022) !== 0) throw new Error(`can be written by others: ${shown}`);
  if (secret && (mode & 0o004) !== 0) throw new Error(`can be read by everybody: ${shown}, 0600 is right`);
}

function signatureOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
