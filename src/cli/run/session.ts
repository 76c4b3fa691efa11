/** One temporary namespace and the private socket that leads to it, from before its command to after it. */

import { mkdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { holdLock, placeHere } from '../../jobs/instance-lock.ts';
import type { JobEntry } from '../../jobs/job-entry.ts';
import { newJobId } from '../../jobs/job-id.ts';
import { JobTally } from '../../jobs/job-tally.ts';
import { type EndStep, type JobEnd, newProcessId, type ProcessJobs } from '../../jobs/process-jobs.ts';
import type { LoadedConfig } from '../../operate/config/index.ts';
import { Audit, CallRecorder, DecisionRecorder, type OpenLog, recordedBy } from '../../operate/signals/index.ts';
import type { EngineSide } from '../../rules/namespaces/index.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';
import { DiskWatch } from '../serve/disk-watch.ts';
import { Engines } from '../serve/engines.ts';
import { Gateways } from '../serve/gateways.ts';
import { JobSweeps, processJobsOn } from '../serve/job-sweeps.ts';
import { Jobs } from '../serve/jobs.ts';
import { Listening } from '../serve/listening.ts';
import { RegistryCache } from '../serve/registry-cache.ts';
import { placed } from './job-config.ts';
import { freeGateway } from './own-gateway.ts';

const INSTANCES = 'instances';
const LATE_MS = 10_000;

export interface SessionOptions {
  /** As `readJobConfig` gives it. Its state folder is there. */
  readonly loaded: LoadedConfig;
  readonly keep: boolean;
  readonly log: OpenLog;
}

export class Session {
  readonly job = newJobId();
  readonly socket: string;
  private readonly options: SessionOptions;
  private readonly instance = newProcessId();
  private readonly folder: string;
  private readonly engines: Engines;
  private readonly registries: RegistryCache;
  private readonly gateways: Gateways;
  private readonly listening: Listening;
  private readonly disks: DiskWatch;
  private readonly audit: Audit;
  private sweeps: JobSweeps | null = null;
  private sweeping: Promise<void> = Promise.resolve();
  private entry: JobEntry | null = null;
  private unlock: (() => void) | null = null;

  constructor(options: SessionOptions) {
    const { loaded, log } = options;
    this.options = options;
    // Whoever comes after a kill finds what is left of it beside its own.
    this.folder = join(loaded.config.state, INSTANCES, this.instance.slice(-16));
    this.socket = join(this.folder, 'docker.sock');
    const buffers = new ReadBuffers();
    this.audit = new Audit(log.log);
    this.engines = new Engines(buffers, log.log);
    this.registries = new RegistryCache(log.log);
    this.gateways = new Gateways(log.log);
    const recorder = recordedBy(new CallRecorder(log), new DecisionRecorder(this.audit));
    // What is kept goes by the server's or a later command's hand.
    this.disks = new DiskWatch({ disks: () => this.engines.disks(), onFull: () => {}, log: log.log });
    this.listening = new Listening(recorder, buffers, log.log, new Jobs(recorder, buffers, log.log));
  }

  /** Clients may come in when this resolves. @throws with the reason; then nothing is left */
  async begin(): Promise<void> {
    const { config } = this.options.loaded;
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const lock = await placeHere(join(this.folder, 'lock'));
      this.unlock = await holdLock(lock.path);
      this.audit.check(config.log.audit);
      this.audit.open(config.log.audit);
      const [engine] = config.engines;
      if (engine === undefined) throw new Error('there is no engine');
      const gateway = config.listeners[0]?.namespace === null ? null : await freeGateway(engine);
      const side = await this.serve(placed(this.options.loaded, this.socket, gateway));
      const jobs = processJobsOn(side, engine.url.kind === 'unix');
      this.entry = {
        job: this.job,
        instance: this.instance,
        lock,
        owner: userInfo().username,
        gateway: side.gateway?.names.addresses.names ?? null,
        beganMs: Date.now(),
        kept: this.options.keep,
      };
      await jobs.begin(this.entry);
      this.sweeps = new JobSweeps(() => [jobs], new JobTally(), this.options.log.log);
      this.sweeping = this.sweeps.begin();
    } catch (fault) {
      await this.close(true);
      throw fault;
    }
  }

  /** Nobody comes in any more; everything goes that was made, but for a kept job. @throws the reason of `signal` */
  async end(onStep: (step: EndStep) => void, signal: AbortSignal): Promise<JobEnd | null> {
    this.listening.stopAccepting(false);
    this.listening.cut();
    this.gateways.close();
    let complete = false;
    try {
      const [side] = this.listening.sides();
      const { entry } = this;
      const nothing = side === undefined || entry === null || this.options.keep;
      const end = nothing ? null : await this.jobsOn(side).end(entry, onStep, signal);
      complete = end === null || end.left.length === 0;
      return end;
    } finally {
      await this.close(complete, signal);
    }
  }

  private jobsOn(side: EngineSide): ProcessJobs {
    return processJobsOn(side, this.options.loaded.config.engines[0]?.url.kind === 'unix');
  }

  private async serve(loaded: LoadedConfig): Promise<EngineSide> {
    const engines = this.engines.prepare(loaded.config.engines);
    engines.commit();
    const registries = this.registries.prepare(loaded, null);
    registries.commit();
    const gateways = this.gateways.prepare(loaded, registries, () => []);
    await gateways.commit();
    const listening = await this.listening.prepare(loaded, {
      engine: engines.get,
      gateway: gateways.of,
      installation: { id: this.instance, alone: true, onEnded: () => {} },
      job: this.job,
      cache: () => {
        throw new Error('a command has no cache');
      },
      ready: () => [],
    });
    await listening.commit();
    const [side] = this.listening.sides();
    if (side === undefined) throw new Error('the listener has no namespace');
    side.keepsPulled = loaded.config.gc !== null;
    await this.disks.use(loaded.config.gc?.high ?? null);
    return side;
  }

  /** Of what is not complete, the lock stays, held by nobody: it tells the next start that the process is no more. */
  private async close(complete: boolean, signal?: AbortSignal): Promise<void> {
    // What others have left is gone by now, or is left to the next one.
    const late = setTimeout(() => this.sweeps?.stop(), signal?.aborted === true ? 0 : LATE_MS);
    await this.sweeping;
    clearTimeout(late);
    this.sweeps?.stop();
    this.disks.stop();
    await this.listening.stop();
    this.gateways.close();
    this.registries.close();
    this.engines.close();
    this.audit.close();
    if (!complete) return;
    this.unlock?.();
    await rm(this.folder, { recursive: true, force: true });
  }
}
