/** A file that several read at once: closed when the last of them is done. */

import type { FileHandle } from 'node:fs/promises';

export class OpenFile {
  readonly handle: FileHandle;
  #users = 1;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  retain(): this {
    this.#users++;
    return this;
  }

  release(): void {
    // What was to be durable has been synced before: a fault of closing changes nothing.
    if (--this.#users === 0) void this.handle.close().catch(() => {});
  }

  /** Fills `buffer` from `position`. @throws Error where the file is shorter */
  async readFully(buffer: Buffer, position: number): Promise<Buffer> {
    let at = 0;
    while (at < buffer.length) {
      const { bytesRead } = await this.handle.read(buffer, at, buffer.length - at, position + at);
      if (bytesRead === 0) throw new Error('the file of a body is shorter than it was');
      at += bytesRead;
    }
    return buffer;
  }
}
