/** The disk that an engine keeps everything on, where it is at this machine. */

import { statfs } from 'node:fs/promises';
import { dataRootIn } from '../docker/holdings.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';

/** An engine that was started anew may keep its things elsewhere. */
const FOLDER_MS = 60_000;

/** Of a file system, as `df` says it. */
export interface DiskSpace {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** Of the file system of a folder. @throws Error */
export type ReadSpace = (folder: string) => Promise<DiskSpace>;

export class EngineDisk {
  /** Fuller than it may be, when somebody looked last. */
  isFull = false;
  /** Until it is full, when somebody looked last; null where nobody does. */
  roomBytes: number | null = null;
  private readonly desk: EngineDesk;
  private readonly isHere: boolean;
  private readonly read: ReadSpace;
  private folder: Promise<string | null> = Promise.resolve(null);
  private askedAtMs = Number.NEGATIVE_INFINITY;

  /** `isHere`: the engine is reached over a socket of this machine. */
  constructor(desk: EngineDesk, isHere: boolean, read: ReadSpace = readSpace) {
    this.desk = desk;
    this.isHere = isHere;
    this.read = read;
  }

  get name(): string {
    return this.desk.name;
  }

  /** Percent; null where nobody here can say. Never throws. */
  async used(): Promise<number | null> {
    const space = await this.space();
    return space === null ? null : usedPercent(space);
  }

  /** Null where nobody here can say. Never throws. */
  async space(): Promise<DiskSpace | null> {
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

export function usedPercent({ usedBytes, availableBytes }: DiskSpace): number {
  return Math.ceil((100 * usedBytes) / (usedBytes + availableBytes));
}

async function readSpace(folder: string): Promise<DiskSpace> {
  const { blocks, bfree, bavail, bsize } = await statfs(folder);
  return { usedBytes: (blocks - bfree) * bsize, availableBytes: bavail * bsize };
}
