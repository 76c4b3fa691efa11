/**
 * Jobs that live as long as a process, on one engine: begun, ended with all that was made in them, and ended by whoever
 * comes next where their process was killed.
 */

import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { listedState } from '../docker/inspected-container.ts';
import { listEndpoints, listIn, thingIn, thingsIn } from '../docker/named-things.ts';
import { INSTALLATION_LABEL, INTENT_LABEL, JOB_LABEL } from '../docker/reserved-labels.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import { type LockPlace, standingOf } from './instance-lock.ts';
import { type JobEntry, jobsInBooks, readEntries, removeEntry, writeEntry } from './job-entry.ts';
import { isJobId } from './job-id.ts';

/** What tells one process from another, and from installations, on things of an engine. */
export function newProcessId(): string {
  return `run-${randomBytes(16).toString('hex')}`;
}

const PROCESS = /^run-[0-9a-f]{32}$/;
const KINDS = ['container', 'network', 'volume'] as const;

export interface JobThing {
  readonly kind: string;
  readonly name: string;
  /** The engine's. */
  readonly id: string;
}

export type EndStep =
  | { readonly step: 'removed'; readonly thing: JobThing }
  | { readonly step: 'waiting'; readonly thing: JobThing | null; readonly reason: string };

/** What the namespaces of the engine do for jobs. */
export interface JobSpace {
  /**
   * Everything that there is of the job, and whatever comes meanwhile. Gives what the engine would not remove; waits for an
   * engine that is down. @throws the reason of `signal`
   */
  destroy(
    job: Pick<JobEntry, 'job' | 'gateway'>,
    onStep: (step: EndStep) => void,
    signal: AbortSignal,
  ): Promise<readonly { readonly thing: JobThing; readonly reason: string }[]>;
}

export interface JobEnd {
  readonly job: string;
  /** How many of each kind. */
  readonly removed: ReadonlyMap<string, number>;
  /** Empty where nothing is left. */
  readonly left: readonly { readonly thing: JobThing; readonly reason: string }[];
  readonly tookMs: number;
}

export class ProcessJobs {
  private readonly desk: EngineDesk;
  private readonly space: JobSpace;
  private readonly engineIsHere: boolean;

  constructor(desk: EngineDesk, space: JobSpace, engineIsHere: boolean) {
    this.desk = desk;
    this.space = space;
    this.engineIsHere = engineIsHere;
  }

  /** Before anything is made in it; its lock is held already. @throws Refusal where the engine takes nothing */
  begin(entry: JobEntry): Promise<void> {
    return writeEntry(this.desk, entry);
  }

  /** All that are not ended, kept ones too. @throws Refusal, Error where the engine does not say */
  entries(): Promise<readonly JobEntry[]> {
    return readEntries(this.desk);
  }

  /** Where something is left, the job stays in the books for the next one to try. @throws the reason of `signal` */
  async end(entry: JobEntry, onStep: (step: EndStep) => void, signal: AbortSignal): Promise<JobEnd> {
    const end = await this.destroy(entry, onStep, signal);
    if (end.left.length === 0) {
      await this.removeIntents(entry);
      await removeEntry(this.desk, entry);
    }
    return end;
  }

  private async destroy(
    job: Pick<JobEntry, 'job' | 'gateway'>,
    onStep: (step: EndStep) => void,
    signal: AbortSignal,
  ): Promise<JobEnd> {
    const beganMs = Date.now();
    const removed = new Map<string, number>();
    const count = (step: EndStep): void => {
      if (step.step === 'removed') removed.set(step.thing.kind, (removed.get(step.thing.kind) ?? 0) + 1);
      onStep(step);
    };
    const left = await this.space.destroy(job, count, signal);
    return { job: job.job, removed, left, tookMs: Date.now() - beganMs };
  }

  /** Ends those whose process is no more; kept ones stay. @throws the reason of `signal`; where the engine does not answer */
  async sweep(onStep: (job: string, step: EndStep) => void, signal: AbortSignal): Promise<readonly JobEnd[]> {
    const dead: JobEntry[] = [];
    for (const entry of await this.entries()) {
      if (!entry.kept && (await this.standingOf(entry.lock)) === 'ended') dead.push(entry);
    }
    const late = await this.late();
    // One that the engine is long about keeps no other waiting.
    const ends = await Promise.allSettled([
      ...dead.map(async (entry) => {
        const end = await this.end(entry, (step) => onStep(entry.job, step), signal);
        if (end.left.length === 0) await removeDeadLock(entry.lock);
        return end;
      }),
      ...late.map((job) => this.destroy({ job, gateway: null }, (step) => onStep(job, step), signal)),
    ]);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  }

  /**
   * Jobs of processes that have things and are in no book any more: an engine was done with a create when they had ended.
   * Where something has ever run, nobody knows but that the entry alone has gone, as an administrator prunes volumes.
   */
  private async late(): Promise<readonly string[]> {
    const found = new Set<string>();
    const begun = new Set<string>();
    for (const kind of KINDS) {
      const query = { ...(kind === 'container' ? { all: true } : {}), filters: { label: [JOB_LABEL] } };
      for (const item of listIn(kind, await this.desk.ask(listEndpoints[kind], { query }))) {
        const { [JOB_LABEL]: job = '', [INSTALLATION_LABEL]: process = '' } = thingIn(kind, item)?.labels ?? {};
        if (!isJobId(job) || !PROCESS.test(process)) continue;
        found.add(job);
        if (kind === 'container' && listedState(item) !== 'created') begun.add(job);
      }
    }
    if (found.size === 0) return [];
    // A job is in the books from before the first of its things: so these are asked for last.
    const booked = await jobsInBooks(this.desk);
    return [...found].filter((job) => !begun.has(job) && !booked.has(job));
  }

  standingOf(lock: LockPlace): ReturnType<typeof standingOf> {
    return standingOf(lock, this.engineIsHere);
  }

  /** What the process had begun with the engine and not finished: its things are gone. */
  private async removeIntents({ instance }: JobEntry): Promise<void> {
    const query = { filters: { label: [`${INSTALLATION_LABEL}=${instance}`] } };
    for (const { name, labels } of thingsIn('volume', await this.desk.ask('VolumeList', { query }))) {
      if (!(INTENT_LABEL in labels) || name.startsWith('berthgate-j-')) continue;
      await this.desk.order('VolumeDelete', { parameters: { name } });
    }
  }
}

async function removeDeadLock({ path }: LockPlace): Promise<void> {
  // Of another user it is not ours to remove, and in nobody's way.
  await unlink(path).catch(() => {});
}
