/** The engines of a running server: those of a configuration that did not change are kept over a reload. */

import { DockerEngine, type EngineState } from '../../engines/docker-engine.ts';
import type { EngineDisk } from '../../engines/engine-disk.ts';
import type { EngineReadiness } from '../../operate/admin/admin-server.ts';
import type { EngineConfig } from '../../operate/config/index.ts';
import type { EngineFacts, Log } from '../../operate/signals/index.ts';
import type { ReadBuffers } from '../../wire/read-buffers.ts';

const READINESS_MS = 3000;
/** What is known of an engine is good enough for metrics for so long. */
const FRESH_MS = 5000;

interface Kept {
  readonly config: string;
  readonly engine: DockerEngine;
  askedAtMs: number;
}

export class Engines {
  private readonly buffers: ReadBuffers;
  private readonly log: Log;
  private kept: ReadonlyMap<string, Kept> = new Map();

  constructor(buffers: ReadBuffers, log: Log) {
    this.buffers = buffers;
    this.log = log;
  }

  get(name: string): DockerEngine | undefined {
    return this.kept.get(name)?.engine;
  }

  /** Nothing changes before `commit`. Engines that are gone end their calls. */
  prepare(configs: readonly EngineConfig[]): {
    readonly get: (name: string) => DockerEngine | undefined;
    readonly commit: () => void;
    readonly discard: () => void;
  } {
    const next = new Map<string, Kept>();
    const fresh: DockerEngine[] = [];
    for (const one of configs) {
      const config = JSON.stringify([one.url, one.tls]);
      const before = this.kept.get(one.name);
      if (before?.config === config) {
        next.set(one.name, before);
        continue;
      }
      const engine = this.make(one);
      fresh.push(engine);
      next.set(one.name, { config, engine, askedAtMs: 0 });
    }
    return {
      get: (name) => next.get(name)?.engine,
      discard: () => {
        for (const engine of fresh) engine.close();
      },
      commit: () => {
        const before = this.kept;
        this.kept = next;
        for (const [name, { engine }] of before) if (next.get(name)?.engine !== engine) engine.close();
        // So that the log tells at once whether it is there; calls do not wait for it.
        for (const engine of fresh) engine.ask().catch(() => {});
      },
    };
  }

  async readiness(): Promise<readonly EngineReadiness[]> {
    await this.refresh(0, READINESS_MS);
    return [...this.kept.values()].map(({ engine }) => {
      const { up, sinceMs, version, reason } = engine.state;
      return {
        name: engine.name,
        up: up === true,
        since: new Date(sinceMs).toISOString(),
        version,
        reason: reason?.message ?? (up === null ? 'the engine has not answered yet' : null),
      };
    });
  }

  /** Asks those that have not been asked for a while. */
  async refresh(freshMs: number = FRESH_MS, deadlineMs: number = 1000): Promise<void> {
    const now = Date.now();
    const asked: Promise<unknown>[] = [];
    for (const one of this.kept.values()) {
      if (now - one.askedAtMs < freshMs) continue;
      one.askedAtMs = now;
      asked.push(one.engine.ask().catch(() => {}));
    }
    if (asked.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([Promise.all(asked), late]);
    clearTimeout(timer);
  }

  facts(): readonly EngineFacts[] {
    return [...this.kept.values()].map(({ engine }) => ({ name: engine.name, ...engine.state }));
  }

  disks(): readonly EngineDisk[] {
    return [...this.kept.values()].map(({ engine }) => engine.disk);
  }

  close(): void {
    for (const { engine } of this.kept.values()) engine.close();
  }

  private make({ name, url, tls }: EngineConfig): DockerEngine {
    return new DockerEngine({
      name,
      url,
      tls,
      buffers: this.buffers,
      onFault: (fault) => this.log.warn({ engine: name, reason: fault.message }, 'certificates of the engine'),
      onTurn: (state) => this.tell(name, state),
    });
  }

  private tell(name: string, { up, version, api, reason }: EngineState): void {
    if (up && api !== null) {
      this.log.info({ engine: name, version, api: `1.${api.oldest}-1.${api.newest}` }, 'engine is up');
    } else this.log.warn({ engine: name, reason: reason?.message }, 'engine is down');
  }
}
