/**
 * Containers with sockets of their own on one engine: each leads to a job, a temporary namespace that ends with the last
 * container that holds it. The labels of these containers are all that is kept: who is killed reads them again.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { linkArchive } from '../docker/entry-archive.ts';
import { listedState } from '../docker/inspected-container.ts';
import { listEndpoints, listIn, messageIn, type NamedThing, thingIn, thingsIn } from '../docker/named-things.ts';
import { type NoticedEvent, noticeOf } from '../docker/noticed-events.ts';
import { INSTALLATION_LABEL, JOB_LABEL, NAMESPACE_LABEL, SOCKET_LABEL } from '../docker/reserved-labels.ts';
import { readSocketNote, SOCKET_FOLDER, SOCKET_NAME, type SocketNote } from '../docker/socket-note.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import type { EventFeed } from '../exchange/event-feed.ts';
import { Refusal } from '../ground/refusal.ts';
import { Job, type ServedSocket, type SocketHolder } from './job.ts';
import { isJobId } from './job-id.ts';
import type { JobTally } from './job-tally.ts';
import type { SocketFolders } from './socket-folders.ts';
import { isTrueNote } from './true-note.ts';

interface JobLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface JobSocketsOptions {
  readonly desk: EngineDesk;
  readonly feed: EventFeed;
  /** Whose containers are looked after: those of other installations are theirs. */
  readonly installation: string;
  readonly folders: SocketFolders;
  readonly tally: JobTally;
  readonly log: JobLog;
  /** How long a job waits while none of its containers runs; null for a listener that has no job sockets. */
  lingerMs(listener: string): number | null;
  /** Listens there, in place of whoever does. @throws Error */
  serve(note: SocketNote, path: string): Promise<ServedSocket>;
  /** Removes everything of the namespace. Gives how much the engine would not remove. */
  destroy(namespace: string, onRemoved: (kind: string) => void, signal: AbortSignal): Promise<number>;
  /** Jobs of which there is something that carries no labels. */
  orphans(): Promise<readonly string[]>;
  /** What is there is known from now on. */
  onLooked(): void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
const RUNS: ReadonlySet<string> = new Set(['running', 'paused', 'restarting']);
const KINDS = ['container', 'network', 'volume'] as const;

export class JobSockets {
  private readonly options: JobSocketsOptions;
  /** By the namespace that they are. */
  private readonly jobs = new Map<string, Job>();
  private readonly holders = new Map<string, SocketHolder>();
  private readonly stopping = new AbortController();
  private leave: (() => void) | null = null;
  private turn: Promise<void> = Promise.resolve();
  /** Whether everything that was there is known. */
  looked = false;
  private sweeps = false;
  /** Once, but until the engine has answered. */
  private soughtLeaks = false;

  constructor(options: JobSocketsOptions) {
    this.options = options;
  }

  /** Looks after what is there, and after all that happens from now on. */
  start(): void {
    this.leave ??= this.options.feed.keep({
      onBegin: () => this.look(),
      onEvent: (event) => {
        const noticed = noticeOf(event);
        const ours = noticed?.labels[INSTALLATION_LABEL] === this.options.installation;
        if (noticed?.kind === 'container' && ours) this.next(() => this.notice(noticed));
      },
      onEnd: () => {},
    });
  }

  /** Ends from now on what nobody holds. */
  sweep(): void {
    this.sweeps = true;
    if (this.looked) this.look();
  }

  /** Another process goes on with all of it, or nobody. */
  stop(): void {
    this.leave?.();
    this.leave = null;
    this.sweeps = false;
    this.stopping.abort(new Error('Berthgate ends'));
    for (const job of this.jobs.values()) job.stay();
  }

  has(folder: string): boolean {
    return this.holders.has(folder);
  }

  living(): readonly Job[] {
    return [...this.jobs.values()].filter((job) => job.isServed || job.ending !== null);
  }

  /** The job that a new container of the group shares. */
  ofGroup({ listener, parent, group }: Pick<SocketNote, 'listener' | 'parent' | 'group'>): Job | null {
    if (group === null) return null;
    for (const job of this.jobs.values()) {
      const { note, ending } = job;
      const same = note.group?.label === group.label && note.group.value === group.value;
      if (ending === null && same && note.listener === listener && note.parent === parent) return job;
    }
    return null;
  }

  /** Serves the socket of a container that is to be made. @throws Refusal */
  async open(note: SocketNote): Promise<void> {
    const holder = this.hold(note);
    try {
      await this.serve(holder);
    } catch (cause) {
      await this.drop(holder);
      throw new Refusal('own-fault', 'the socket of the container cannot be served', { cause });
    }
  }

  /** @throws Refusal where the container cannot have it */
  async made(note: SocketNote, container: string): Promise<void> {
    const holder = this.holders.get(note.folder);
    if (holder === undefined) throw new Refusal('own-fault', 'the job has ended');
    this.identify(holder, container);
    await this.link(note, container);
    this.watch(note.job);
  }

  /** There is no container after all. */
  async failed(note: SocketNote): Promise<void> {
    const holder = this.holders.get(note.folder);
    if (holder !== undefined) await this.drop(holder);
  }

  private next(act: () => Promise<void>): void {
    this.turn = this.turn.then(act).catch((fault: Error) => this.warn(fault));
  }

  private warn({ message: reason }: Error): void {
    this.options.log.warn({ engine: this.options.desk.name, reason }, 'job sockets');
  }

  /** Again where the engine does not say what is there. */
  private look(): void {
    this.next(async () => {
      if (this.leave === null) return;
      try {
        await this.reconcile();
      } catch (fault) {
        setTimeout(() => this.look(), FIRST_PAUSE_MS).unref();
        throw fault;
      }
    });
  }

  private async reconcile(): Promise<void> {
    const { desk, installation } = this.options;
    const before = [...this.holders.values()].filter(({ container }) => container !== null);
    const filters = { label: [`${INSTALLATION_LABEL}=${installation}`, SOCKET_LABEL] };
    const listed = listIn('container', await desk.ask('ContainerList', { query: { all: true, filters } }));
    const there = new Set<string>();
    for (const item of listed) {
      const thing = thingIn('container', item);
      if (thing === null) continue;
      there.add(thing.id);
      // One that cannot be served keeps no other waiting.
      await this.adopt(thing, listedState(item)).catch((fault: Error) => this.warn(fault));
    }
    for (const holder of before) if (!there.has(holder.container as string)) await this.lose(holder);
    const first = !this.looked;
    this.looked = true;
    if (first) this.options.onLooked();
    await this.sweepAll();
  }

  private async sweepAll(): Promise<void> {
    if (!this.sweeps || !this.looked) return;
    for (const job of [...this.jobs.keys()]) this.watch(job);
    if (!this.soughtLeaks) await this.endLeaked();
    this.soughtLeaks = true;
  }

  private async notice({ action, id, name, labels }: NoticedEvent): Promise<void> {
    if (action === 'create') {
      await this.adopt({ kind: 'container', id, name, labels }, 'made');
      return this.endLate(labels[JOB_LABEL] ?? '');
    }
    const note = readSocketNote(labels[SOCKET_LABEL]);
    const holder = note === null ? undefined : this.holders.get(note.folder);
    if (holder === undefined) return;
    if (action === 'destroy') return this.lose(holder);
    if (action === 'start') await this.resume(holder);
    else if (action === 'die') holder.running = false;
    else return;
    this.watch(holder.note.job);
  }

  /** `state`: as the engine lists it, or `made` where that is being told. */
  private async adopt({ id, name, labels }: NamedThing, state: string): Promise<void> {
    const note = readSocketNote(labels[SOCKET_LABEL]);
    if (note === null || !isTrueNote(note, name, labels)) return;
    const known = this.holders.get(note.folder);
    const holder = known ?? this.hold(note);
    this.identify(holder, id);
    if (state !== 'made') holder.running = RUNS.has(state);
    if (known === undefined) {
      await this.options.folders.restore(note.folder);
      await this.serve(holder);
      // Whoever was killed before it could put the links there has told nobody of the container.
      if (state === 'created') await this.link(note, id);
    }
    this.watch(note.job);
  }

  private hold(note: SocketNote): SocketHolder {
    const holder: SocketHolder = { note, container: null, running: false, served: null };
    this.holders.set(note.folder, holder);
    let job = this.jobs.get(note.job);
    if (job === undefined) {
      job = new Job(note);
      this.jobs.set(note.job, job);
      this.options.tally.began++;
    }
    job.stay();
    job.add(holder);
    return holder;
  }

  private identify(holder: SocketHolder, container: string): void {
    holder.container = container;
    holder.served?.speakFor(container);
  }

  private async serve(holder: SocketHolder): Promise<void> {
    const { folders, serve } = this.options;
    const served = await serve(holder.note, folders.socketIn(holder.note.folder));
    if (holder.container !== null) served.speakFor(holder.container);
    holder.served = served;
  }

  private async resume(holder: SocketHolder): Promise<void> {
    holder.running = true;
    // It had been silent for so long that the job was ended.
    if (holder.served === null && this.jobs.get(holder.note.job)?.ending === null) await this.serve(holder);
  }

  /** @throws Refusal */
  private async link({ linked }: SocketNote, container: string): Promise<void> {
    for (const path of linked) {
      const { status, answer } = await this.options.desk.order('PutContainerArchive', {
        parameters: { id: container },
        query: { path: '/' },
        bytes: linkArchive(path, `${SOCKET_FOLDER}/${SOCKET_NAME}`),
      });
      if (status < 300) continue;
      throw new Refusal('engine-garbage', `the socket cannot be put at ${path}`, { cause: messageIn(answer) });
    }
  }

  private async lose(holder: SocketHolder): Promise<void> {
    await this.drop(holder);
    this.watch(holder.note.job);
  }

  private async drop(holder: SocketHolder): Promise<void> {
    const { folder, job } = holder.note;
    holder.served?.end();
    holder.served = null;
    this.holders.delete(folder);
    const of = this.jobs.get(job);
    of?.holders.delete(folder);
    if (of !== undefined && of.holders.size === 0 && holder.container === null && of.ending === null)
      this.jobs.delete(job);
    await this.options.folders.remove(folder);
  }

  /** Sees whether the job still has somebody to live for. */
  private watch(id: string): void {
    const job = this.jobs.get(id);
    if (job === undefined || job.ending !== null || !this.sweeps) return;
    if (!job.isHeld) this.end(job);
    else if (job.isInUse) job.stay();
    else {
      const lingerMs = this.options.lingerMs(job.note.listener) ?? 0;
      job.leaveAfter(lingerMs, () => this.next(() => this.endIfIdle(job)));
    }
  }

  private async endIfIdle(job: Job): Promise<void> {
    if (job.isInUse || job.ending !== null) return;
    // An engine that does not say is asked again; meanwhile another container of the group may have come.
    const runs = await this.groupRuns(job).catch(() => true);
    if (runs || job.isInUse) this.watch(job.id);
    else this.end(job);
  }

  /** Containers of the same CI job that have no socket may be at work between two stages. */
  private async groupRuns({ note: { group, parent } }: Job): Promise<boolean> {
    if (group === null) return false;
    const filters = { label: [`${NAMESPACE_LABEL}=${parent}`, `${group.label}=${group.value}`], status: ['running'] };
    return thingsIn('container', await this.options.desk.ask('ContainerList', { query: { filters } })).length > 0;
  }

  private end(job: Job): void {
    job.ending ??= this.removeAll(job).finally(() => {
      job.ending = null;
      this.settle(job);
    });
  }

  private async removeAll(job: Job): Promise<void> {
    job.silence();
    if (!job.note.temporary) return;
    const { tally, log, desk } = this.options;
    const startedAtMs = Date.now();
    const removed: Record<string, number> = {};
    const gone = await this.destroy(job.id, (kind) => {
      removed[kind] = (removed[kind] ?? 0) + 1;
      tally.remove(kind);
    });
    if (!gone) return;
    const durationMs = Date.now() - startedAtMs;
    tally.ended++;
    tally.sweepSeconds += durationMs / 1000;
    const { owner, listener, parent } = job.note;
    const facts = { engine: desk.name, job: job.id, owner: owner.user, listener, parent, removed, durationMs };
    log.info(facts, 'a job has ended');
  }

  /** Again and again until nothing is left. False where this process ends before. */
  private async destroy(namespace: string, onRemoved: (kind: string) => void): Promise<boolean> {
    const { signal } = this.stopping;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const left = await this.options.destroy(namespace, onRemoved, signal);
        if (left === 0) return true;
        this.options.log.warn({ job: namespace, left }, 'the engine does not remove all of a job; it is tried again');
      } catch (fault) {
        if (signal.aborted) return false;
        this.options.log.warn({ job: namespace, reason: (fault as Error).message }, 'the end of a job is tried again');
      }
      await pause(pauseMs, undefined, { signal }).catch(() => {});
    }
    return false;
  }

  /** After an end: whoever was started meanwhile begins anew. */
  private settle(job: Job): void {
    if (this.stopping.signal.aborted) return;
    this.next(async () => {
      for (const holder of [...job.holders.values()]) {
        if (holder.note.nested && job.note.temporary) await this.drop(holder);
        else if (holder.running && holder.served === null) await this.serve(holder);
      }
      if (job.holders.size === 0 && job.ending === null) this.jobs.delete(job.id);
    });
  }

  /** Jobs that nobody holds: their containers went while nobody looked. */
  private async endLeaked(): Promise<void> {
    const filters = { label: [`${INSTALLATION_LABEL}=${this.options.installation}`, JOB_LABEL] };
    const found = new Set<string>((await this.options.orphans()).filter((job) => !this.jobs.has(job)));
    for (const kind of KINDS) {
      const query = { ...(kind === 'container' ? { all: true } : {}), filters };
      for (const { labels } of thingsIn(kind, await this.options.desk.ask(listEndpoints[kind], { query }))) {
        const job = labels[JOB_LABEL] ?? '';
        if (isJobId(job) && !this.jobs.has(job)) found.add(job);
      }
    }
    for (const job of found) this.endLost(job);
  }

  /** An engine may end a create when the job that asked for it is long gone. */
  private endLate(job: string): void {
    if (this.sweeps && this.looked && isJobId(job) && !this.jobs.has(job)) this.endLost(job);
  }

  private endLost(job: string): void {
    const { desk, tally, log } = this.options;
    tally.leaks++;
    const startedAtMs = Date.now();
    const removed: Record<string, number> = {};
    const ending = this.destroy(job, (kind) => {
      removed[kind] = (removed[kind] ?? 0) + 1;
      tally.remove(kind);
    });
    void ending.then((gone) => {
      const facts = { engine: desk.name, job, removed, durationMs: Date.now() - startedAtMs };
      if (gone) log.info(facts, 'a job that had lost its containers has ended');
    });
  }
}
