/** What nobody needs goes from the engines of a running server: by and by, and when an administrator says so. */

import type { GarbageReport } from '../../operate/admin/garbage-api.ts';
import type { Config } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import { type Collected, collectGarbage, type EngineSide } from '../../rules/namespaces/index.ts';

const AGAIN_MS = 60_000;

export class GarbageCollection {
  private readonly sides: () => readonly EngineSide[];
  private readonly used: (engine: string) => Promise<number | null>;
  private readonly log: Log;
  private config: Config['gc'] = null;
  private timer: NodeJS.Timeout | null = null;

  /** `used`: how full the disk of an engine is, in percent; null where nobody here can say. */
  constructor(sides: () => readonly EngineSide[], used: (engine: string) => Promise<number | null>, log: Log) {
    this.sides = sides;
    this.used = used;
    this.log = log;
  }

  /** As the configuration says it from now on. */
  use(config: Config['gc']): void {
    this.config = config;
    for (const side of this.sides()) side.keepsPulled = config !== null;
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = config === null ? null : setInterval(() => this.collectNow(), AGAIN_MS).unref();
  }

  /** Nothing after `stop`. */
  collectNow(): void {
    // What cannot be removed now is tried again.
    if (this.timer !== null) void this.collect(false).catch(() => {});
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** Null where nothing is to be collected. @throws Refusal, Error where an engine does not answer */
  async collect(dryRun: boolean): Promise<readonly GarbageReport[] | null> {
    const { config } = this;
    if (config === null) return null;
    const { high, low, keepImages, idleNamespaces } = config;
    return Promise.all(
      this.sides().map(async (side) => {
        const collected = await collectGarbage(
          side,
          () => this.used(side.desk.name),
          { high, low, keepImagesMs: keepImages, idleMs: idleNamespaces },
          dryRun,
        );
        const report = { engine: side.desk.name, ...told(collected) };
        if (!dryRun && report.garbage.length > 0) this.log.info(report, 'removed what nobody needs');
        return report;
      }),
    );
  }
}

function told({ disk, garbage }: Collected): Omit<GarbageReport, 'engine'> {
  const list = garbage.map(({ usedAtMs, ...one }) => ({
    ...one,
    used: new Date(usedAtMs).toISOString(),
  }));
  return { disk, garbage: list };
}
