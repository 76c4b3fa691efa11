/** A running Berthgate: its start, what a reload changes, and its two ends (drained, or taken over by another one). */

import type net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type DescriptorPassing,
  offerHandOver,
  type ServiceManager,
  type TakenSockets,
} from '../../front/listeners/index.ts';
import { cacheApi } from '../../operate/admin/cache-api.ts';
import { garbageApi } from '../../operate/admin/garbage-api.ts';
import { imagesApi } from '../../operate/admin/images-api.ts';
import { jobsApi } from '../../operate/admin/jobs-api.ts';
import { namespacesApi } from '../../operate/admin/namespaces-api.ts';
import type { LoadedConfig } from '../../operate/config/index.ts';
import {
  Audit,
  CallRecorder,
  cacheAccountEntry,
  DecisionRecorder,
  type Log,
  makeRegistry,
  type OpenLog,
  recordedBy,
} from '../../operate/signals/index.ts';
import type { Installation } from '../../rules/namespaces/index.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';
import { version } from '../version.ts';
import { Admin } from './admin.ts';
import { Cache } from './cache.ts';
import { cacheAdministration } from './cache-administration.ts';
import { DiskWatch } from './disk-watch.ts';
import { Engines } from './engines.ts';
import { HostFirewall } from './firewall.ts';
import { GarbageCollection } from './garbage.ts';
import { Gateways } from './gateways.ts';
import { imageAdministration } from './image-administration.ts';
import { installationId } from './installation.ts';
import { jobAdministration } from './job-administration.ts';
import { JobSweeps, processJobsOn } from './job-sweeps.ts';
import { Jobs } from './jobs.ts';
import { KeptSockets } from './kept-sockets.ts';
import { KeptStore } from './kept-store.ts';
import { type DockerHost, Listening } from './listening.ts';
import { Mirrors } from './mirrors.ts';
import { namespaceAdministration } from './namespace-administration.ts';
import { RegistryCache } from './registry-cache.ts';
import { RegistryNames } from './registry-names.ts';
import { Standby } from './standby.ts';

export interface InstanceOptions {
  readonly log: OpenLog;
  /** Sockets of the service manager, by name. */
  readonly inherited: ReadonlyMap<string, readonly number[]>;
  readonly passing: DescriptorPassing | null;
  readonly manager?: ServiceManager | null;
  /** Another process has taken over. */
  readonly onTaken?: () => void;
  /** How this program is started; absent where it is part of another one. */
  readonly program?: readonly string[];
}

/** Where a process is asked for its sockets, and seen to be alive. */
export function handOverPath(state: string): string {
  return join(state, 'handover.sock');
}

export class Instance {
  private readonly log: Log;
  private readonly passing: DescriptorPassing | null;
  private readonly inherited: Map<string, readonly number[]>;
  private readonly buffers = new ReadBuffers();
  private readonly engines: Engines;
  private readonly listening: Listening;
  private readonly jobs: Jobs;
  private readonly keptSockets: KeptSockets;
  private readonly onTaken: () => void;
  private readonly registryCache: RegistryCache;
  private readonly gateways: Gateways;
  private readonly cache: Cache;
  private readonly registryNames: RegistryNames;
  private readonly mirrors: Mirrors;
  private readonly firewall: HostFirewall;
  private readonly admin: Admin;
  private readonly audit: Audit;
  /** What the caches keep. */
  private readonly kept = new KeptStore();
  private readonly jobSweeps: JobSweeps;
  private readonly garbage: GarbageCollection;
  private readonly disks: DiskWatch;
  /** The engines that are reached over a socket of this machine. */
  private enginesHere: ReadonlySet<string> = new Set();
  private installation: Installation | null = null;
  private stopOffering: (() => void) | null = null;
  private state: 'starting' | 'serving' | 'draining' | 'taken over' = 'starting';
  /** Runs one change at a time. */
  private turn: Promise<unknown> = Promise.resolve();
  private ended!: () => void;
  /** Resolves when the last call has ended after a drain or a take-over. */
  readonly end: Promise<void>;

  constructor({ log: opened, inherited, passing, manager = null, onTaken = () => {}, program }: InstanceOptions) {
    const { log } = opened;
    this.log = log;
    this.passing = passing;
    this.onTaken = onTaken;
    this.inherited = new Map(inherited);
    this.end = new Promise((resolve) => {
      this.ended = resolve;
    });
    const recorder = new CallRecorder(opened);
    this.engines = new Engines(this.buffers, log);
    this.audit = new Audit(log);
    this.registryCache = new RegistryCache(log);
    this.gateways = new Gateways(log);
    this.registryNames = new RegistryNames(this.registryCache, log);
    this.mirrors = new Mirrors(this.registryCache, this.registryNames, log);
    const decisions = new DecisionRecorder(this.audit);
    const recorded = recordedBy(recorder, decisions);
    this.keptSockets = new KeptSockets(manager, this.inherited);
    this.jobs = new Jobs(recorded, this.buffers, log, this.keptSockets);
    this.listening = new Listening(recorded, this.buffers, log, this.jobs);
    this.cache = new Cache(
      log,
      new Standby(log, program ?? null, passing),
      () => this.kept.store,
      (account) => this.audit.write(cacheAccountEntry(account, Date.now())),
    );
    this.firewall = new HostFirewall(log, () => this.cache.openings());
    this.jobSweeps = new JobSweeps(
      () => this.listening.sides().map((side) => processJobsOn(side, this.enginesHere.has(side.desk.name))),
      this.jobs.tally,
      log,
    );
    const used = async (engine: string): Promise<number | null> =>
      (await this.engines.get(engine)?.disk.used()) ?? null;
    this.garbage = new GarbageCollection(() => this.listening.sides(), used, log);
    this.disks = new DiskWatch({ disks: () => this.engines.disks(), onFull: () => this.garbage.collectNow(), log });
    const registry = makeRegistry({
      calls: recorder.calls,
      decisions: () => decisions.counts,
      openStreams: recorder.openStreams,
      connections: () => this.listening.connections(),
      engines: () => this.engines.facts(),
      gateways: () => this.gateways.tallies(),
      store: () => this.kept.store?.stats() ?? null,
      interception: () => this.cache.tally,
      jobs: () => ({ living: this.jobs.living(), ...this.jobs.tally }),
      registryCache: () => this.registryCache.tally,
      httpCache: this.cache.httpTally,
      version,
    });
    this.admin = new Admin(
      {
        version,
        readiness: async () => ({
          draining: this.state !== 'serving',
          engines: await this.engines.readiness(),
          gateways: this.gateways.readiness(),
          firewall: await this.firewall.readiness(),
        }),
        roots: () => this.cache.roots(),
        metrics: async () => {
          await this.engines.refresh();
          return registry.metrics();
        },
      },
      [
        namespacesApi(namespaceAdministration(() => this.listening.sides())),
        imagesApi(
          imageAdministration(
            () => this.kept.store,
            () => this.registryCache.upstream,
          ),
        ),
        jobsApi(
          jobAdministration(() =>
            this.listening.sides().map((side) => ({
              side,
              processes: processJobsOn(side, this.enginesHere.has(side.desk.name)),
              sockets: this.jobs.on(side).filter(({ note }) => note.temporary),
            })),
          ),
        ),
        garbageApi((dryRun) => this.garbage.collect(dryRun)),
        cacheApi(cacheAdministration(() => this.kept.store, this.registryCache.tally)),
      ],
      log,
    );
  }

  /** Serves when this resolves. `taken`: what the process before us has handed over. */
  async start(loaded: LoadedConfig, taken: TakenSockets | null): Promise<void> {
    this.installation = {
      id: await installationId(loaded.config.state),
      alone: taken === null,
      onEnded: (what, things) => this.log.info({ what, things }, 'ended what was begun and not finished'),
    };
    this.jobs.live(loaded.config.state, this.installation);
    if (taken !== null) this.keptSockets.takeFrom(taken.byKey);
    await this.apply(loaded, taken?.byKey ?? new Map());
    await this.jobs.start();
    await taken?.served();
    // One process alone ends jobs.
    this.jobs.sweep();
    this.stopOffering = await offerHandOver({
      path: handOverPath(loaded.config.state),
      version,
      passing: this.passing,
      sockets: () => this.sockets(),
      onTaken: () => this.yield(),
      onFault: (fault) => this.log.warn({ reason: fault.message }, 'hand-over'),
    });
    this.state = 'serving';
    void this.jobSweeps.begin();
  }

  /** Throws where the new configuration cannot be; then nothing has changed. */
  reload(loaded: LoadedConfig): Promise<void> {
    const turn = this.turn.then(async () => {
      if (this.state !== 'serving') throw new Error(`no reload while ${this.state}`);
      await this.apply(loaded, new Map());
    });
    this.turn = turn.catch(() => {});
    return turn;
  }

  /** The audit may have been renamed: what comes goes into a new file, whatever the configuration is like. */
  reopenAudit(): void {
    this.audit.reopen();
  }

  dockerHosts(): readonly DockerHost[] {
    return this.listening.dockerHosts();
  }

  get takenOver(): boolean {
    return this.state === 'taken over';
  }

  connections(): number {
    let count = 0;
    for (const one of this.listening.connections().values()) count += one;
    return count;
  }

  /** Takes no calls any more, and ends when those that run have, or the time is up. */
  async drain(graceMs: number): Promise<void> {
    if (this.state !== 'serving') return;
    this.state = 'draining';
    this.stopOffering?.();
    this.listening.stopAccepting(false);
    this.log.info({ connections: this.connections(), grace: graceMs }, 'draining');
    const given = new AbortController();
    const late = pause(graceMs, 'late', { signal: given.signal }).catch(() => 'aborted');
    const first = await Promise.race([this.listening.empty(), late]);
    given.abort();
    if (first === 'late') this.log.warn({ connections: this.listening.cut() }, 'connections cut after the grace');
    await this.finish(false);
  }

  /** Another process accepts now. What runs here runs on until it ends by itself. */
  private yield(): void {
    if (this.state !== 'serving') return;
    this.state = 'taken over';
    this.onTaken();
    this.listening.stopAccepting(true);
    this.admin.close(true);
    this.gateways.stopAccepting();
    this.cache.stopAccepting();
    this.mirrors.stopAccepting();
    this.stopOffering?.();
    this.firewall.end();
    // One process alone sweeps.
    this.jobSweeps.stop();
    this.garbage.stop();
    this.log.info({ connections: this.connections() }, 'another process has taken the sockets over');
    void this.listening.empty().then(() => this.finish(true));
  }

  private async finish(keepFiles: boolean): Promise<void> {
    this.jobSweeps.stop();
    this.garbage.stop();
    await this.listening.stop();
    this.disks.stop();
    this.admin.close(keepFiles);
    this.gateways.close();
    await this.cache.end();
    this.mirrors.close();
    this.registryNames.close();
    this.registryCache.close();
    this.firewall.end();
    this.engines.close();
    await this.kept.close();
    this.audit.close();
    this.ended();
  }

  private async apply(loaded: LoadedConfig, taken: Map<string, number[]>): Promise<void> {
    const engines = this.engines.prepare(loaded.config.engines);
    const take = (key: string): readonly number[] => taken.get(key)?.splice(0) ?? [];
    const used: string[] = [];
    const discards = [engines.discard];
    const { audit } = loaded.config.log;
    const commits: (() => void | Promise<void>)[] = [engines.commit, () => this.audit.open(audit)];
    try {
      this.audit.check(audit);
      const kept = await this.kept.prepare(loaded);
      discards.push(kept.discard);
      // Listeners may have clients before everything is committed.
      if (this.state === 'starting') this.audit.open(audit);
      const admin = await this.admin.prepare(loaded.config.admin, take);
      discards.push(admin.discard);
      commits.push(admin.commit);
      const cache = this.cache.prepare(loaded, take);
      discards.push(cache.discard);
      const registries = this.registryCache.prepare(loaded, kept.store);
      discards.push(registries.discard);
      const gateways = this.gateways.prepare(loaded, registries, take);
      const names = this.registryNames.prepare(loaded, registries);
      discards.push(names.discard);
      const mirrors = await this.mirrors.prepare(loaded, take);
      discards.push(mirrors.discard);
      // What runs is answered by the old store as long as the new one is not in its place.
      commits.push(registries.commit, gateways.commit, names.commit, mirrors.commit, kept.commit);
      const listening = await this.listening.prepare(loaded, {
        engine: engines.get,
        gateway: gateways.of,
        cache: (engine, desk) => this.cache.policyFor(engine, desk, loaded.config.state),
        installation: this.installation as Installation,
        ready: (key, { url }) => {
          const inherited = url.kind === 'fd' ? this.inherited.get(url.name) : undefined;
          if (url.kind === 'fd') used.push(url.name);
          return inherited ?? take(key);
        },
      });
      commits.push(
        () => cache.commit(listening.cached),
        listening.commit,
        () => this.firewall.keep(loaded.config, this.listening.sides()),
      );
    } catch (fault) {
      for (const discard of discards) discard();
      throw fault;
    }
    // A descriptor belongs to one server: closing it twice would close somebody else's.
    for (const name of used) this.inherited.delete(name);
    for (const commit of commits) await commit();
    this.garbage.use(loaded.config.gc);
    void this.disks.use(loaded.config.gc?.high ?? null);
    this.enginesHere = new Set(loaded.config.engines.flatMap(({ name, url }) => (url.kind === 'unix' ? [name] : [])));
  }

  private sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map([
      ...this.listening.sockets(),
      ...this.admin.servers(),
      ...this.gateways.sockets(),
      ...this.cache.sockets(),
      ...this.mirrors.sockets(),
      ...this.jobs.openSockets(),
    ]);
  }
}
