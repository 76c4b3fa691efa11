/** Whether the engines of a running server have room: looked at now and then, so that no call waits for it. */

import { type DiskSpace, type EngineDisk, usedPercent } from '../../engines/engine-disk.ts';
import type { Log } from '../../operate/signals/index.ts';

const AGAIN_MS = 5000;

export interface DiskWatchOptions {
  readonly disks: () => readonly EngineDisk[];
  /** Told when one has become full. */
  readonly onFull: () => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

export class DiskWatch {
  private readonly options: DiskWatchOptions;
  private high: number | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(options: DiskWatchOptions) {
    this.options = options;
  }

  /** Percent above which a disk is full from now on; null for none. Resolves when it was looked at. Never throws. */
  use(high: number | null): Promise<void> {
    this.stop();
    this.high = high;
    if (high !== null) this.timer = setInterval(() => void this.look(), AGAIN_MS).unref();
    return this.look();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** Never throws. */
  async look(): Promise<void> {
    await Promise.all(this.options.disks().map((disk) => this.lookAt(disk)));
  }

  private async lookAt(disk: EngineDisk): Promise<void> {
    const { high } = this;
    const space = high === null ? null : await disk.space();
    const used = space === null ? null : usedPercent(space);
    const isFull = used !== null && high !== null && used > high;
    disk.roomBytes = space === null || high === null ? null : roomIn(space, high);
    if (isFull === disk.isFull) return;
    disk.isFull = isFull;
    const { log, onFull } = this.options;
    const facts = { engine: disk.name, disk: used, high };
    if (isFull) {
      log.warn(facts, 'the disk is full: nothing is made, pulled or built until there is room');
      onFull();
    } else log.info(facts, 'what takes room on the disk is not refused any more');
  }
}

function roomIn({ usedBytes, availableBytes }: DiskSpace, high: number): number {
  return Math.max(0, Math.floor(((usedBytes + availableBytes) * high) / 100 - usedBytes));
}
