/** The sockets of containers in a running server: whose rules each is served by, over reloads, upgrades and ends. */

import type net from 'node:net';
import { join } from 'node:path';
import type { SocketNote } from '../../docker/socket-note.ts';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Call } from '../../exchange/call.ts';
import type { Engine } from '../../exchange/engine.ts';
import type { Identity } from '../../exchange/identity.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy } from '../../exchange/policy.ts';
import type { Recorder } from '../../exchange/recorder.ts';
import { Listener, type ListenerSetup } from '../../front/listeners/index.ts';
import { GiveSockets } from '../../jobs/give-sockets.ts';
import type { Job, ServedSocket } from '../../jobs/job.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { JobSockets } from '../../jobs/job-sockets.ts';
import { JobTally } from '../../jobs/job-tally.ts';
import { SocketFolders } from '../../jobs/socket-folders.ts';
import type { GivenSocket, SocketGiver } from '../../jobs/socket-giver.ts';
import type { ListenerConfig } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import {
  destroyNamespace,
  type EngineSide,
  type Holding,
  type Installation,
  type NamespaceSettings,
  OneNamespace,
  survey,
} from '../../rules/namespaces/index.ts';
import type { ReadBuffers } from '../../wire/read-buffers.ts';
import { KeptSockets } from './kept-sockets.ts';
import { openListener, setupOf } from './listener-setup.ts';
import { stopPolicies } from './policies.ts';

/** What holds for the sockets of the containers of one listener. */
export interface JobRules {
  readonly config: ListenerConfig;
  readonly jobSocket: NonNullable<ListenerConfig['jobSocket']>;
  readonly engine: Engine;
  readonly side: EngineSide;
  readonly policies: readonly Policy[];
  readonly settings: Omit<NamespaceSettings, 'sockets' | 'isOver'>;
  readonly help: string | null;
}

interface Served {
  readonly note: SocketNote;
  readonly side: EngineSide;
  listener: Listener;
  container: string | null;
  isRefused: boolean;
  isOver: boolean;
}

/** Whoever is in the container is the one that it was made for; it may have any user inside. */
const SOCKET_MODE = 0o666;
/** So long a process that takes over waits for an engine to say which containers have sockets. */
const LOOK_MS = 3000;
/** What `linger` is by default: for jobs of a listener that gives no sockets any more. */
const LINGER_MS = 300_000;

export class Jobs {
  readonly tally = new JobTally();
  private readonly recorder: Recorder;
  private readonly buffers: ReadBuffers;
  private readonly log: Log;
  private readonly kept: KeptSockets;
  private rules: ReadonlyMap<string, JobRules> = new Map();
  /** Of listeners that open: their clients come before everything is committed. */
  private expected: ReadonlyMap<string, JobRules> = new Map();
  private readonly sockets = new Map<EngineSide, JobSockets>();
  private readonly served = new Set<Served>();
  private readonly leaving = new Set<Listener>();
  private folders: SocketFolders | null = null;
  private installation: Installation | null = null;
  private started = false;
  private sweeps = false;
  private onLooked: (() => void)[] = [];

  constructor(recorder: Recorder, buffers: ReadBuffers, log: Log, kept = new KeptSockets(null, new Map())) {
    this.kept = kept;
    this.recorder = recorder;
    this.buffers = buffers;
    this.log = log;
  }

  /** Before anything is prepared. */
  live(state: string, installation: Installation): void {
    this.folders = new SocketFolders(join(state, 'jobs'));
    this.installation = installation;
  }

  /** What will hold where no rules do yet. Gives how to take it back. */
  expect(rules: ReadonlyMap<string, JobRules>): () => void {
    this.expected = rules;
    return () => {
      this.expected = new Map();
    };
  }

  giverFor(listener: string): SocketGiver {
    return { give: (call) => this.give(call, listener, null) };
  }

  /**
   * The rules from now on; sockets that are there follow them. `sides`: where jobs of before may still be, whether or not
   * somebody gives sockets there.
   */
  async commit(rules: ReadonlyMap<string, JobRules>, sides: readonly EngineSide[]): Promise<void> {
    const before = this.rules;
    this.rules = rules;
    this.expected = new Map();
    for (const served of this.served) {
      const now = rules.get(served.note.listener);
      if (now?.side === served.side) served.listener.prepare(this.setupFor(served, now)).commit();
    }
    for (const { policies } of before.values()) await stopPolicies(policies);
    for (const [side, sockets] of this.sockets) if (!sides.includes(side)) this.leaveEngine(side, sockets);
    // Of a process that is but for one command there are none.
    if (this.folders === null) return;
    for (const side of sides) {
      const sockets = this.socketsOf(side);
      sockets.serveAnew(({ listener }) => rules.get(listener)?.side === side);
      if (this.started) sockets.start();
      if (this.sweeps) sockets.sweep();
    }
  }

  /** Nobody is served any more, and nothing is followed. */
  async end(): Promise<void> {
    for (const served of [...this.served]) this.endServed(served);
    for (const { policies } of this.rules.values()) await stopPolicies(policies);
    this.rules = new Map();
  }

  /** Serves what is there already, of an earlier process; resolves when that is so, or the engines keep silent. */
  async start(): Promise<void> {
    this.started = true;
    for (const sockets of this.sockets.values()) sockets.start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOK_MS).unref();
    });
    const looked = new Promise<void>((resolve) => {
      this.onLooked.push(resolve);
    });
    if (!this.allLooked()) await Promise.race([looked, late]);
    clearTimeout(timer);
  }

  /** From now on it is this process that ends jobs. */
  sweep(): void {
    this.sweeps = true;
    for (const sockets of this.sockets.values()) sockets.sweep();
  }

  /** Another process goes on, or nobody: no socket is given, and none is taken away. */
  stop(): void {
    this.started = false;
    this.sweeps = false;
    for (const sockets of this.sockets.values()) sockets.stop();
  }

  /** What is listened on, by key: for who takes over. */
  openSockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map([...this.served].map((served) => [this.kept.nameOf(served.note.folder), serversOf(served)]));
  }

  *listeners(): Iterable<Listener> {
    for (const { listener } of this.served) yield listener;
    yield* this.leaving;
  }

  /** How many jobs there are. */
  living(): number {
    let count = 0;
    for (const sockets of this.sockets.values()) count += sockets.living().length;
    return count;
  }

  on(side: EngineSide): readonly Job[] {
    return this.sockets.get(side)?.living() ?? [];
  }

  private socketsOf(side: EngineSide): JobSockets {
    const kept = this.sockets.get(side);
    if (kept !== undefined) return kept;
    if (this.folders === null || this.installation === null) throw new Error('jobs do not live yet');
    const made = new JobSockets({
      desk: side.desk,
      feed: side.feed,
      installation: this.installation.id,
      folders: this.folders,
      tally: this.tally,
      log: this.log,
      lingerMs: (listener) => this.rules.get(listener)?.jobSocket.linger ?? LINGER_MS,
      serve: (note, path) => this.serve(side, note, path),
      destroy: async (namespace, onRemoved, signal) => {
        const onStep: Parameters<typeof destroyNamespace>[2] = (step) => {
          if (step.step === 'removed') onRemoved(step.thing.kind);
        };
        return (await destroyNamespace(side, namespace, onStep, signal)).length;
      },
      orphans: () => namesOfJobs(side),
      jobOfImage: (name) => jobOfImage(side, name),
      onLooked: () => this.looked(),
    });
    this.sockets.set(side, made);
    return made;
  }

  private rulesOf(listener: string): JobRules | undefined {
    return this.rules.get(listener) ?? this.expected.get(listener);
  }

  private async give(call: Call, listener: string, within: SocketNote | null): Promise<GivenSocket> {
    const rules = this.rulesOf(listener);
    if (rules === undefined || this.folders === null) {
      throw refuse('job-sockets', 'none', 'the listener gives containers no sockets of their own any more');
    }
    const { groupBy, namespace } = rules.jobSocket;
    const { desk } = rules.side;
    const sockets = this.socketsOf(rules.side);
    return new GiveSockets({ desk, sockets, folders: this.folders, listener, groupBy, namespace, within }).give(call);
  }

  private async serve(side: EngineSide, note: SocketNote, path: string): Promise<ServedSocket | null> {
    const rules = this.rulesOf(note.listener);
    if (rules?.side !== side) {
      this.log.warn({ job: note.job, listener: note.listener }, 'no such listener has job sockets: one is not served');
      return null;
    }
    const served: Served = {
      note,
      side,
      listener: undefined as unknown as Listener,
      container: null,
      isRefused: false,
      isOver: false,
    };
    served.listener = new Listener(this.setupFor(served, rules), this.buffers, this.log);
    await openListener(served.listener, {
      url: { kind: 'unix', path },
      access: { mode: SOCKET_MODE, replaces: true },
      ready: this.kept.ready(note.folder),
      log: this.log,
    });
    this.served.add(served);
    this.kept.keep(note.folder, serversOf(served));
    return {
      speakFor: (container) => {
        served.container = container;
      },
      refuse: () => {
        const now = this.rules.get(note.listener);
        served.isRefused = true;
        if (now?.side === side) served.listener.prepare(this.setupFor(served, now)).commit();
        served.listener.destroy();
      },
      end: () => this.endServed(served),
    };
  }

  /** Nobody has a namespace there any more: what there is of jobs is ended when somebody has again. */
  private leaveEngine(side: EngineSide, sockets: JobSockets): void {
    sockets.stop();
    this.sockets.delete(side);
    for (const served of [...this.served]) if (served.side === side) this.endServed(served);
  }

  private endServed(served: Served): void {
    const { listener } = served;
    served.isOver = true;
    if (!this.served.delete(served)) return;
    // Where another process is to go on, it is kept.
    if (this.started) this.kept.drop(served.note.folder);
    listener.stopAccepting(false);
    listener.destroy();
    this.leaving.add(listener);
    void listener.empty().then(() => this.leaving.delete(listener));
  }

  private setupFor(served: Served, { config, engine, side, policies, settings, help }: JobRules): ListenerSetup {
    const { note } = served;
    const sockets: SocketGiver = { give: (call) => this.give(call, note.listener, note) };
    const isOver = (): boolean => served.isOver;
    return setupOf({
      name: `${note.listener}.job`,
      requests: config.requests,
      builds: config.builds,
      tls: undefined,
      authenticators: [isTheJob(note)],
      policies: served.isRefused ? [endedByAdministrator] : policies,
      engine,
      desk: side.desk,
      namespacing: new OneNamespace(note.job, side, { ...settings, builds: buildsOf(note, settings), sockets, isOver }),
      help,
      recorder: this.recorder,
      caller: () => served.container,
    });
  }

  private allLooked(): boolean {
    return [...this.sockets.values()].every(({ looked }) => looked);
  }

  private looked(): void {
    if (!this.allLooked()) return;
    // Never rejects.
    void this.kept.closeTaken();
    for (const tell of this.onLooked.splice(0)) tell();
    if (this.installation?.alone === true) void this.tidy();
  }

  /** Folders of containers that never came to be, or have gone while nobody looked. */
  private async tidy(): Promise<void> {
    try {
      for (const folder of (await this.folders?.unused()) ?? []) {
        if (![...this.sockets.values()].some((sockets) => sockets.mayHave(folder))) await this.folders?.remove(folder);
      }
      await this.kept.dropRest();
    } catch (fault) {
      this.log.warn({ reason: (fault as Error).message }, 'folders of sockets cannot be tidied up');
    }
  }
}

function serversOf({ listener }: Served): readonly net.Server[] {
  return listener.openSockets.map(({ server }) => server);
}

/** Jobs of which nothing but names of images is left. */
async function namesOfJobs(side: EngineSide): Promise<readonly string[]> {
  const isName = ({ kind, id }: Holding): boolean => kind === 'image' && jobOfImage(side, id) !== null;
  return [...(await survey(side))].flatMap(([name, things]) => (isJobId(name) && things.every(isName) ? name : []));
}

/** Null where another server may have names like it. */
function jobOfImage({ gateway }: EngineSide, name: string): string | null {
  const [address, job = ''] = name.split('/', 2);
  return gateway?.isServed === true && address === gateway.names.addresses.names && isJobId(job) ? job : null;
}

const endedByAdministrator: Policy = {
  name: 'job-sockets',
  judge: () => {
    const hint = 'start the container again for a new, empty job';
    throw refuse('job-sockets', 'ended', 'an administrator has ended the job of this container', { hint });
  },
};

/** What a job builds is in the cache of its owner's next one. */
function buildsOf({ home, owner }: SocketNote, { builds }: JobRules['settings']): NamespaceSettings['builds'] {
  const scope = (): string => builds.cacheScopeOf(owner, home);
  return { ...builds, cacheScopeOf: scope };
}

/** Whoever reaches the socket is the job. */
function isTheJob({ job, temporary, owner, group }: SocketNote): Authenticator {
  const claims = group === null ? owner.claims : { ...owner.claims, [`label.${group.label}`]: group.value };
  const identity: Identity = temporary
    ? { user: job, groups: [], claims, by: 'job-socket', owner }
    : { ...owner, by: 'job-socket' };
  return { name: 'job-socket', challenge: null, identify: () => identity };
}
