/**
 * Containers with sockets of their own on one engine: each leads to a job, a temporary namespace that ends with the last
 * container that holds it. The labels of these containers are all that is kept: who is killed reads them again.
 */

import { listedState } from '../docker/inspected-container.ts';
import { listEndpoints, listIn, type NamedThing, thingIn, thingsIn } from '../docker/named-things.ts';
import { imageNoticeOf, type NoticedEvent, noticeOf } from '../docker/noticed-events.ts';
import { INSTALLATION_LABEL, JOB_LABEL, NAMESPACE_LABEL, SOCKET_LABEL } from '../docker/reserved-labels.ts';
import { readSocketNote, type SocketNote } from '../docker/socket-note.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import type { EventFeed } from '../exchange/event-feed.ts';
import { Refusal } from '../ground/refusal.ts';
import { Job, type ServedSocket, type SocketHolder } from './job.ts';
import { isJobId } from './job-id.ts';
import { JobRemoval, type JobRemovalOptions } from './job-removal.ts';
import { linkSocket } from './link-socket.ts';
import type { SocketFolders } from './socket-folders.ts';
import { isTrueNote } from './true-note.ts';

export interface JobSocketsOptions extends Pick<JobRemovalOptions, 'tally' | 'log' | 'destroy'> {
  readonly desk: EngineDesk;
  readonly feed: EventFeed;
  /** Whose containers are looked after: those of other installations are theirs. */
  readonly installation: string;
  readonly folders: SocketFolders;
  /** How long a job waits while none of its containers runs. */
  lingerMs(listener: string): number;
  /** Listens there, in place of whoever does; null where nobody may. @throws Error */
  serve(note: SocketNote, path: string): Promise<ServedSocket | null>;
  /** Jobs of which there is something that carries no labels. */
  orphans(): Promise<readonly string[]>;
  /** The job that has the engine's name of an image; null for what is no job's of this server. */
  jobOfImage(name: string): string | null;
  /** What is there is known from now on. */
  onLooked(): void;
}

const AGAIN_MS = 1000;
const KNOWN_MS = 30_000;
/** Sockets that are served anew at once. */
const TOGETHER = 8;
const RUNS: ReadonlySet<string> = new Set(['running', 'paused', 'restarting']);
const KINDS = ['container', 'network', 'volume'] as const;

export class JobSockets {
  private readonly options: JobSocketsOptions;
  /** By the namespace that they are. */
  private readonly jobs = new Map<string, Job>();
  private readonly holders = new Map<string, SocketHolder>();
  /** Containers with what another version has written: whose the jobs are that nobody here knows, they alone could say. */
  private readonly unread = new Set<string>();
  private readonly removal: JobRemoval;
  private leave: (() => void) | null = null;
  private turn: Promise<void> = Promise.resolve();
  /** Whether everything that was there is known. */
  looked = false;
  private readonly onKnown: (() => void)[] = [];
  private sweeps = false;
  /** Once, but until the engine has answered. */
  private soughtLeaks = false;

  constructor(options: JobSocketsOptions) {
    this.options = options;
    const { desk, tally, log, destroy } = options;
    this.removal = new JobRemoval({ name: desk.name, tally, log, destroy });
  }

  /** Looks after what is there, and after all that happens from now on. */
  start(): void {
    this.leave ??= this.options.feed.keep({
      onBegin: () => this.look(),
      onEvent: (event) => {
        const noticed = noticeOf(event);
        const ours = noticed?.labels[INSTALLATION_LABEL] === this.options.installation;
        if (noticed?.kind === 'container' && ours) this.next(() => this.notice(noticed));
        const named = this.options.jobOfImage(imageNoticeOf(event)?.name ?? '');
        if (named !== null) this.next(() => this.noticeImage(named));
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
    this.removal.stop();
    for (const job of this.jobs.values()) job.stay();
  }

  /** True as long as it is not known whose it is. */
  mayHave(folder: string): boolean {
    return this.holders.has(folder) || this.unread.size > 0 || !this.looked;
  }

  /** The rules have changed: serves what is not served, and ends what may not be any more. */
  serveAnew(isServed: (note: SocketNote) => boolean): void {
    this.next(async () => {
      for (const holder of [...this.holders.values()]) {
        const job = this.jobs.get(holder.note.job);
        if (!isServed(holder.note)) {
          holder.served?.end();
          holder.served = null;
        } else if (holder.served === null && job?.isLiving === true && job.ending === null) {
          await this.serve(holder).catch((fault: Error) => this.warn(fault));
        }
      }
    });
  }

  /** Resolves when everything that was there is known. @throws Refusal where the engine does not say */
  known(): Promise<void> {
    if (this.looked) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Refusal('engine-timeout', 'the engine does not say which jobs there are'));
      const timer = setTimeout(late, KNOWN_MS);
      this.onKnown.push(() => resolve(clearTimeout(timer)));
    });
  }

  living(): readonly Job[] {
    return [...this.jobs.values()].filter((job) => job.isLiving);
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
      await this.lose(holder);
      throw new Refusal('own-fault', 'the socket of the container cannot be served', { cause });
    }
  }

  /** @throws Refusal where the container cannot have it */
  async made(note: SocketNote, container: string): Promise<void> {
    const holder = this.holders.get(note.folder);
    if (holder === undefined) throw new Refusal('own-fault', 'the job has ended');
    this.identify(holder, container);
    await linkSocket(this.options.desk, note, container);
    this.watch(note.job);
  }

  /** There is no container after all. */
  async failed(note: SocketNote): Promise<void> {
    const holder = this.holders.get(note.folder);
    if (holder !== undefined) await this.lose(holder);
  }

  private next(act: () => Promise<void>): void {
    this.turn = this.turn.then(act).catch((fault: Error) => this.warn(fault));
  }

  private warn({ message: reason }: Error): void {
    this.options.log.warn({ engine: this.options.desk.name, reason }, 'job sockets');
  }

  /** Again where the engine does not say what is there. */
  private look(): void {
    const again = (fault: unknown): never => {
      setTimeout(() => this.look(), AGAIN_MS).unref();
      throw fault;
    };
    this.next(async () => {
      if (this.leave !== null) await this.reconcile().catch(again);
    });
  }

  private async reconcile(): Promise<void> {
    const { desk, installation } = this.options;
    const before = [...this.holders.values()].filter(({ container }) => container !== null);
    const filters = { label: [`${INSTALLATION_LABEL}=${installation}`, SOCKET_LABEL] };
    const listed = listIn('container', await desk.ask('ContainerList', { query: { all: true, filters } }));
    this.unread.clear();
    const found = listed.flatMap((item) => {
      const thing = thingIn('container', item);
      return thing === null ? [] : [{ thing, state: listedState(item) }];
    });
    const there = new Set(found.map(({ thing }) => thing.id));
    const work = async (): Promise<void> => {
      for (let one = found.shift(); one !== undefined; one = found.shift()) {
        // One that cannot be served keeps no other waiting.
        await this.adopt(one.thing, one.state).catch((fault: Error) => this.warn(fault));
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, work));
    for (const holder of before) if (!there.has(holder.container as string)) await this.lose(holder);
    const first = !this.looked;
    this.looked = true;
    if (first) this.options.onLooked();
    for (const tell of this.onKnown.splice(0)) tell();
    await this.sweepAll();
  }

  private async sweepAll(): Promise<void> {
    if (!this.sweeps || !this.looked) return;
    for (const job of [...this.jobs.keys()]) this.watch(job);
    if (this.soughtLeaks || this.unread.size > 0) return;
    await this.endLeaked();
    this.soughtLeaks = true;
  }

  private async notice({ action, id, name, labels }: NoticedEvent): Promise<void> {
    if (action === 'create') {
      await this.adopt({ kind: 'container', id, name, labels }, 'made');
      this.watch(readSocketNote(labels[SOCKET_LABEL])?.job ?? '');
      return this.endLate(labels[JOB_LABEL] ?? '');
    }
    const note = readSocketNote(labels[SOCKET_LABEL]);
    if (action === 'destroy' && this.unread.delete(id)) return this.sweepAll();
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
    if (note === null && (labels[SOCKET_LABEL] ?? '') !== '') return this.leaveAlone(id, name);
    if (note === null || !isTrueNote(note, name, labels)) return;
    const known = this.holders.get(note.folder);
    const holder = known ?? this.hold(note);
    this.identify(holder, id);
    if (state !== 'made') holder.running = RUNS.has(state);
    if (known === undefined) {
      await this.options.folders.restore(note.folder);
      await this.serve(holder);
      // Whoever was killed before it could put the links there has told nobody of the container.
      if (state === 'created') await linkSocket(this.options.desk, note, id);
    }
  }

  /** Another version's: it is not served, and no job ends of which nobody knows whether it holds it. */
  private leaveAlone(container: string, name: string): void {
    if (this.unread.has(container)) return;
    this.unread.add(container);
    const facts = { engine: this.options.desk.name, container: name, id: container };
    this.options.log.warn(facts, 'what a container says of its socket is of another version: it is left as it is');
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
    const job = this.jobs.get(holder.note.job);
    if (job !== undefined) job.over = false;
    holder.served?.end();
    const served = await serve(holder.note, folders.socketIn(holder.note.folder));
    if (served !== null && holder.container !== null) served.speakFor(holder.container);
    holder.served = served;
  }

  private async resume(holder: SocketHolder): Promise<void> {
    holder.running = true;
    const job = this.jobs.get(holder.note.job);
    // The job was ended while it did not run, or by somebody who did not want what it did.
    if ((holder.served === null || job?.over === true) && job?.ending === null) await this.serve(holder);
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

  /** Sees whether the job still has somebody to live for, as soon as all are known who may hold it. */
  private watch(id: string): void {
    const job = this.jobs.get(id);
    if (job === undefined || job.ending !== null || !this.sweeps || !this.looked) return;
    if (!job.isHeld) this.end(job);
    else if (job.isInUse) job.stay();
    else {
      job.leaveAfter(this.options.lingerMs(job.note.listener), () => this.next(() => this.endIfIdle(job)));
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
    const { owner, listener, parent } = job.note;
    await this.removal.end(job.id, { owner: owner.user, listener, parent });
  }

  /** After an end: whoever was started meanwhile begins anew. */
  private settle(job: Job): void {
    if (this.removal.stopped) return;
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
    for (const job of found) void this.removal.endLost(job);
  }

  /** An engine may end a create when the job that asked for it is long gone. */
  private endLate(job: string): void {
    const known = this.jobs.has(job) || this.unread.size > 0;
    if (this.sweeps && this.looked && isJobId(job) && !known) void this.removal.endLost(job);
  }

  /** The same of a pull or a commit. */
  private async noticeImage(job: string): Promise<void> {
    const known = this.jobs.get(job);
    // It may have come behind the last look.
    if (known !== undefined) return void known.ending?.then(() => this.next(() => this.noticeImage(job)));
    // Where they are still to be sought, this is among them.
    if (this.soughtLeaks) this.look();
    this.soughtLeaks = false;
  }
}
