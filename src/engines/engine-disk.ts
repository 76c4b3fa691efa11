/** The disk that an engine keeps everything on, where it is at this machine. */

import { statfs } from 'node:fs/promises';
import { dataRootIn } from '../docker/holdings.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';

/** An engine that was started anew may keep its things elsewhere. */
const FOLDER_MS = 60_000;

/** Percent of the file system of a folder, as `df` says it. @throws Error */
export type ReadUsed = (folder: string) => Promise<number>;

export class EngineDisk {
  /** Fuller than it may be, when somebody looked last. */
  isFull = false;
  private readonly desk: EngineDesk;
  private readonly isHere: boolean;
  private readonly read: ReadUsed;
  private folder: Promise<string | null> = Promise.resolve(null);
  private askedAtMs = Number.NEGATIVE_INFINITY;

  /** `isHere`: the engine is reached over a socket of this machine. */
  constructor(desk: EngineDesk, isHere: boolean, read: ReadUsed = readUsed) {
    this.desk = desk;
    this.isHere = isHere;
    this.read = read;
  }

  get name(): string {
    return this.desk.name;
  }

  /** Percent; null where nobody here can say. Never throws. */
  async used(): Promise<number | null> {
    if (!this.isHere) return null;
    if (performance.now() - this.askedAtMs >= FOLDER_MS) {
      this.askedAtMs = performance.now();
      this.folder = this.ask();
    }
    const folder = await this.folder;
    try {
      return folder === null ? null : await this.read(folder);
    } catch {
      // The folder is not at this machine.
      return null;
    }
  }

  private async ask(): Promise<string | null> {
    try {
      return dataRootIn(await this.desk.ask('SystemInfo'));
    } catch {
      // An engine that is down refuses everything by itself.
      this.askedAtMs = Number.NEGATIVE_INFINITY;
      return null;
    }
  }
}

async function readUsed(folder: string): Promise<number> {
  const { blocks, bfree, bavail } = await statfs(folder);
  const used = blocks - bfree;
  return Math.ceil((100 * used) / (used + bavail));
}
