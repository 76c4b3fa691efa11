/** Jobs of processes that were killed are ended by every Berthgate that runs: at its start, and once a minute. */

import type { JobTally } from '../../jobs/job-tally.ts';
import { type JobEnd, ProcessJobs } from '../../jobs/process-jobs.ts';
import type { Log } from '../../operate/signals/index.ts';
import { destroyNamespace, type EngineSide } from '../../rules/namespaces/index.ts';

const AGAIN_MS = 60_000;

/** `engineIsHere`: reached over a socket of this machine. */
export function processJobsOn(side: EngineSide, engineIsHere: boolean): ProcessJobs {
  const destroy: ConstructorParameters<typeof ProcessJobs>[1]['destroy'] = ({ job, gateway }, onStep, signal) => {
    if (gateway !== null) side.addresses.add(gateway);
    return destroyNamespace(side, job, onStep, signal);
  };
  return new ProcessJobs(side.desk, { destroy }, engineIsHere);
}

export class JobSweeps {
  private readonly tally: JobTally;
  private readonly log: Log;
  private readonly jobs: () => readonly ProcessJobs[];
  private readonly stopped = new AbortController();
  private timer: NodeJS.Timeout | null = null;

  constructor(jobs: () => readonly ProcessJobs[], tally: JobTally, log: Log) {
    this.jobs = jobs;
    this.tally = tally;
    this.log = log;
  }

  /** Never throws: an engine that does not answer is asked again. */
  async begin(): Promise<void> {
    await Promise.all(this.jobs().map((one) => this.sweep(one)));
    if (this.stopped.signal.aborted) return;
    this.timer = setTimeout(() => void this.begin(), AGAIN_MS).unref();
  }

  stop(): void {
    this.stopped.abort();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async sweep(jobs: ProcessJobs): Promise<void> {
    try {
      for (const end of await jobs.sweep(() => {}, this.stopped.signal)) {
        this.count(end);
        tellEnd(this.log, end, 'ended the job of a process that is no more');
      }
    } catch (fault) {
      if (!this.stopped.signal.aborted)
        this.log.debug({ reason: (fault as Error).message }, 'jobs cannot be swept now');
    }
  }

  private count({ removed, left, tookMs }: JobEnd): void {
    this.tally.leaks++;
    this.tally.sweepSeconds += tookMs / 1000;
    if (left.length === 0) this.tally.ended++;
    for (const [kind, count] of removed) for (let i = 0; i < count; i++) this.tally.remove(kind);
  }
}

function tellEnd(log: Log, { job, removed, left, tookMs }: JobEnd, what: string): void {
  const told = { job, removed: Object.fromEntries(removed), tookMs };
  const reasons = left.map(({ thing, reason }) => `${thing.kind} ${thing.name}: ${reason}`);
  if (left.length === 0) log.info(told, what);
  else log.warn({ ...told, left: reasons }, `${what}, but for what the engine does not give up`);
}
