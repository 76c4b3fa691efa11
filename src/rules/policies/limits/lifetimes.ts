/**
 * Stops containers whose time is over. When that is stands in a label of each of them, so a server that was started
 * since knows it as well as the one that made them.
 */

import { carrying, listedContainers } from '../../../docker/holdings.ts';
import { EXPIRES_LABEL } from '../../../docker/reserved-labels.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import type { PolicyLog } from '../../../exchange/policy.ts';

/** A container that was started again, or by somebody else, is found by then. */
const LOOK_MS = 60_000;
/** What a container is given to end by itself: its own wish may be for ever. */
const GRACE_SECONDS = 10;
const STOP_MS = (GRACE_SECONDS + 20) * 1000;

export class Lifetimes {
  private readonly engine: EngineDesk;
  private readonly now: () => number;
  private users = 0;
  private timer: NodeJS.Timeout | null = null;
  private nextMs = Number.POSITIVE_INFINITY;
  private looking = false;

  constructor(engine: EngineDesk, now: () => number = Date.now) {
    this.engine = engine;
    this.now = now;
  }

  /** Looks after the containers of the engine until `end` was called as often. */
  begin(log: PolicyLog): void {
    this.users++;
    this.lookAt(this.now(), log);
  }

  end(): void {
    this.users--;
    if (this.users > 0 || this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.nextMs = Number.POSITIVE_INFINITY;
  }

  /** A container will have to be stopped then. */
  lookAt(ms: number, log: PolicyLog): void {
    if (this.users === 0 || ms >= this.nextMs) return;
    this.nextMs = ms;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(log), Math.max(0, Math.min(ms - this.now(), LOOK_MS)));
    this.timer.unref();
  }

  private async look(log: PolicyLog): Promise<void> {
    this.nextMs = Number.POSITIVE_INFINITY;
    if (this.looking) {
      this.lookAt(this.now() + 1000, log);
      return;
    }
    this.looking = true;
    let nextMs = this.now() + LOOK_MS;
    try {
      const answer = await this.engine.ask('ContainerList', { query: { filters: carrying(EXPIRES_LABEL) } });
      const limited = listedContainers(answer).flatMap(({ id, expires }) =>
        expires === null ? [] : [{ id, expires }],
      );
      const due = limited.filter(({ expires }) => expires * 1000 <= this.now());
      await Promise.all(due.map(({ id }) => this.stop(id, log)));
      for (const { expires } of limited) if (expires * 1000 > this.now()) nextMs = Math.min(nextMs, expires * 1000);
    } catch (fault) {
      log.warn({ engine: this.engine.name, reason: (fault as Error).message }, 'lifetimes cannot be looked after');
    } finally {
      this.looking = false;
    }
    this.lookAt(nextMs, log);
  }

  private async stop(id: string, log: PolicyLog): Promise<void> {
    try {
      await this.engine.ask('ContainerStop', {
        parameters: { id },
        query: { t: String(GRACE_SECONDS) },
        deadlineMs: STOP_MS,
      });
      log.info({ engine: this.engine.name, container: id }, 'a container is stopped: its lifetime is over');
    } catch (fault) {
      log.warn(
        { engine: this.engine.name, container: id, reason: (fault as Error).message },
        'a container does not stop',
      );
    }
  }
}
