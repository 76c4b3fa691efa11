/** All that there is of a job, removed from its engine: again and again until nothing is left, or this process ends. */

import { setTimeout as pause } from 'node:timers/promises';
import type { JobTally } from './job-tally.ts';

export interface JobLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface JobRemovalOptions {
  /** Of the engine. */
  readonly name: string;
  readonly tally: JobTally;
  readonly log: JobLog;
  /** Removes everything of the namespace. Gives how much the engine would not remove. */
  destroy(namespace: string, onRemoved: (kind: string) => void, signal: AbortSignal): Promise<number>;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

export class JobRemoval {
  private readonly options: JobRemovalOptions;
  private readonly stopping = new AbortController();
  /** Jobs that are being removed though nobody here has known them. */
  private readonly lost = new Set<string>();

  constructor(options: JobRemovalOptions) {
    this.options = options;
  }

  get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  stop(): void {
    this.stopping.abort(new Error('Berthgate ends'));
  }

  /** `facts`: what the log says of it beside what was removed. */
  async end(job: string, facts: object): Promise<void> {
    const startedAtMs = Date.now();
    const removed = await this.remove(job);
    if (removed === null) return;
    const { tally, log, name: engine } = this.options;
    const durationMs = Date.now() - startedAtMs;
    tally.ended++;
    tally.sweepSeconds += durationMs / 1000;
    log.info({ engine, job, ...facts, removed, durationMs }, 'a job has ended');
  }

  /** One whose containers are gone, or were never seen here. */
  async endLost(job: string): Promise<void> {
    if (this.lost.has(job)) return;
    this.lost.add(job);
    const { tally, log, name: engine } = this.options;
    tally.leaks++;
    const startedAtMs = Date.now();
    const removed = await this.remove(job);
    this.lost.delete(job);
    if (removed === null) return;
    const facts = { engine, job, removed, durationMs: Date.now() - startedAtMs };
    log.info(facts, 'a job that had lost its containers has ended');
  }

  /** How many of each kind; null where this process ends before. */
  private async remove(job: string): Promise<Readonly<Record<string, number>> | null> {
    const { tally, log, destroy } = this.options;
    const { signal } = this.stopping;
    const removed: Record<string, number> = {};
    const onRemoved = (kind: string): void => {
      removed[kind] = (removed[kind] ?? 0) + 1;
      tally.remove(kind);
    };
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const left = await destroy(job, onRemoved, signal);
        if (left === 0) return removed;
        log.warn({ job, left }, 'the engine does not remove all of a job; it is tried again');
      } catch (fault) {
        if (signal.aborted) return null;
        log.warn({ job, reason: (fault as Error).message }, 'the end of a job is tried again');
      }
      await pause(pauseMs, undefined, { signal }).catch(() => {});
    }
    return null;
  }
}
