/** The listeners of a running server: sockets that a reload leaves where they are, and what holds for their clients. */

import type net from 'node:net';
import type { RegistryGateway } from '../../cache/registry/index.ts';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Engine } from '../../exchange/engine.ts';
import { type EngineDesk, LiveEngineDesk } from '../../exchange/engine-desk.ts';
import type { Policy } from '../../exchange/policy.ts';
import type { Recorder } from '../../exchange/recorder.ts';
import { Listener, prepareAccess, type SocketAccess } from '../../front/listeners/index.ts';
import {
  ConfigRefused,
  defaultSocketMode,
  formatAddress,
  type ListenerConfig,
  type LoadedConfig,
  type Path,
} from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import { type EngineSide, engineSide, type Installation } from '../../rules/namespaces/index.ts';
import type { ReadBuffers } from '../../wire/read-buffers.ts';
import { loadKinds } from '../kinds.ts';
import { startAuthenticators, stopAuthenticators } from './authenticators.ts';
import type { JobRules, Jobs } from './jobs.ts';
import { openListener, setupOf } from './listener-setup.ts';
import { forJobs, namespacingOf, settingsOf } from './namespaces.ts';
import { startPolicies, stopPolicies } from './policies.ts';

interface Serving {
  readonly listener: Listener;
  readonly authenticators: readonly Authenticator[];
  readonly policies: readonly Policy[];
}

export interface DockerHost {
  readonly listener: string;
  readonly dockerHost: string;
  readonly tls: boolean;
}

interface Prepared {
  /** Of the engines whose containers are served from the cache. */
  readonly cached: readonly EngineDesk[];
  readonly commit: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export interface PrepareFrom {
  readonly engine: (name: string) => Engine | undefined;
  /** Where the images of namespaces on the engine come from; null where there is nothing. */
  readonly gateway: (engine: string) => RegistryGateway | null;
  readonly installation: Installation;
  /** What points containers to the cache. */
  readonly cache: (engine: Engine, desk: EngineDesk) => Policy;
  /** The one namespace of all listeners, where it is a temporary one. */
  readonly job?: string;
  /** Descriptors that listen already, by the key of a socket. */
  readonly ready: (key: string, config: ListenerConfig) => readonly number[];
}

export class Listening {
  private readonly recorder: Recorder;
  private readonly buffers: ReadBuffers;
  private readonly log: Log;
  private readonly jobs: Jobs;
  private serving: ReadonlyMap<string, Serving> = new Map();
  /** Listeners that are no more, as long as somebody is connected. */
  private readonly leaving = new Set<Listener>();
  /** What policies know of an engine outlives a reload. */
  private readonly desks = new WeakMap<Engine, EngineDesk>();
  private namespaced: ReadonlyMap<EngineSide, RegistryGateway | null> = new Map();

  constructor(recorder: Recorder, buffers: ReadBuffers, log: Log, jobs: Jobs) {
    this.recorder = recorder;
    this.buffers = buffers;
    this.log = log;
    this.jobs = jobs;
  }

  /** Opens, reads and starts all that is new. Nothing of what serves changes before `commit`; throws where it cannot be. */
  async prepare(loaded: LoadedConfig, from: PrepareFrom): Promise<Prepared> {
    const next = new Map<string, Serving>();
    const commits: (() => void)[] = [];
    const discards: (() => void)[] = [];
    const opens: { readonly ready: readonly number[]; readonly open: () => Promise<void> }[] = [];
    const started: Authenticator[] = [];
    const startedPolicies: Policy[] = [];
    const namespaced = new Map<EngineSide, RegistryGateway | null>();
    const jobRules = new Map<string, JobRules>();
    const cached = new Set<EngineDesk>();
    const discard = async (): Promise<void> => {
      for (const undo of discards) undo();
      await stopAuthenticators(started);
      await stopPolicies(startedPolicies);
    };
    const kinds = await loadKinds(loaded);
    if (kinds.faults.length > 0) throw new ConfigRefused(kinds.faults);
    try {
      for (const [index, config] of loaded.config.listeners.entries()) {
        const place = ['listeners', index];
        const authenticators = await startAuthenticators(loaded, index, this.log, kinds.auth);
        started.push(...authenticators);
        const engine = engineOf(loaded, index, from);
        const desk = this.deskOf(engine);
        const policiesFrom = { kinds: kinds.policies, engine: desk, log: this.log };
        const said = await startPolicies(loaded, index, policiesFrom);
        startedPolicies.push(...said);
        const withCache = (ruling: readonly Policy[]): readonly Policy[] =>
          config.cache ? [...ruling, from.cache(engine, desk)] : ruling;
        const policies = withCache(said);
        if (config.cache) cached.add(desk);
        const side = (): EngineSide => {
          const made = engineSide(this.deskOf(engine), from.installation);
          namespaced.set(made, from.gateway(engine.name));
          return made;
        };
        const { jobSocket } = config;
        if (jobSocket !== null) {
          const saidOfJobs = await startPolicies(loaded, index, { ...policiesFrom, ofJobs: true });
          startedPolicies.push(...saidOfJobs);
          const settings = settingsOf(loaded, forJobs(config), from.gateway);
          const { help } = loaded.config;
          jobRules.set(config.name, {
            config,
            jobSocket,
            engine,
            side: side(),
            policies: withCache(saidOfJobs),
            settings,
            help,
          });
        }
        const sockets = jobSocket === null ? null : this.jobs.giverFor(config.name);
        const namespacing = namespacingOf(loaded, index, {
          side,
          gatewayOf: from.gateway,
          sockets,
          job: from.job ?? null,
        });
        const setup = setupOf({
          name: config.name,
          requests: config.requests,
          builds: config.builds,
          tls: config.tls,
          authenticators,
          policies,
          engine,
          desk: this.deskOf(engine),
          namespacing,
          help: loaded.config.help,
          recorder: this.recorder,
        });
        const key = socketKey(config);
        const before = this.serving.get(key)?.listener;
        if (before !== undefined) {
          const change = locate(loaded, [...place, 'tls'], () => before.prepare(setup));
          discards.push(change.discard);
          const access = locate(loaded, [...place, 'url'], () => prepareAccess(config.url, accessOf(config)));
          commits.push(change.commit, await access);
          next.set(key, { listener: before, authenticators, policies });
          continue;
        }
        const listener = locate(loaded, [...place, 'tls'], () => new Listener(setup, this.buffers, this.log));
        discards.push(() => listener.discard());
        next.set(key, { listener, authenticators, policies });
        const ready = from.ready(key, config);
        const open = (): Promise<void> =>
          locate(loaded, [...place, 'url'], () =>
            openListener(listener, { url: config.url, access: accessOf(config), ready, log: this.log }),
          );
        opens.push({ ready, open });
      }
      // Those that are open already come last: clients come in on them at once, and must not find that all was in vain.
      opens.sort((one, other) => one.ready.length - other.ready.length);
      discards.push(this.jobs.expect(jobRules));
      for (const { open } of opens) await open();
    } catch (fault) {
      await discard();
      throw fault;
    }
    return {
      cached: [...cached],
      discard,
      commit: async () => {
        this.listenFor(namespaced);
        await this.commit(next, commits);
        await this.jobs.commit(jobRules, this.sides());
      },
    };
  }

  /** What is listened on, by key: for who takes over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map(
      [...this.serving].map(([key, { listener }]) => [key, listener.openSockets.map(({ server }) => server)]),
    );
  }

  /** What a client of each listener puts into DOCKER_HOST. */
  dockerHosts(): readonly DockerHost[] {
    return [...this.serving.values()].flatMap(({ listener }) =>
      listener.openSockets.map(({ dockerHost, kind }) => ({
        listener: listener.name,
        dockerHost,
        tls: listener.speaksTls && kind === 'tcp',
      })),
    );
  }

  /** The engines on which listeners have namespaces. */
  sides(): readonly EngineSide[] {
    return [...this.namespaced.keys()];
  }

  connections(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const listener of this.all()) {
      counts.set(listener.name, (counts.get(listener.name) ?? 0) + listener.connections);
    }
    return counts;
  }

  /** `takenOver`: another process goes on with the sockets, and clients are given time to come to it by themselves. */
  stopAccepting(takenOver: boolean): void {
    for (const { listener } of this.serving.values()) {
      listener.stopAccepting(takenOver);
      listener.drain(takenOver);
    }
    this.jobs.stop();
    for (const listener of this.jobs.listeners()) {
      // Whoever comes after us has put another socket in its place, or finds the file.
      listener.stopAccepting(true);
      listener.drain(takenOver);
    }
  }

  /** Resolves when the last connection is gone. */
  async empty(): Promise<void> {
    await Promise.all([...this.all()].map((listener) => listener.empty()));
  }

  /** Cuts what is left; gives how many connections. */
  cut(): number {
    let count = 0;
    for (const listener of this.all()) {
      count += listener.connections;
      listener.destroy();
    }
    return count;
  }

  async stop(): Promise<void> {
    this.listenFor(new Map());
    await this.jobs.end();
    for (const { authenticators, policies } of this.serving.values()) {
      await stopAuthenticators(authenticators);
      await stopPolicies(policies);
    }
  }

  private *all(): Iterable<Listener> {
    for (const { listener } of this.serving.values()) yield listener;
    yield* this.leaving;
    yield* this.jobs.listeners();
  }

  private async commit(next: ReadonlyMap<string, Serving>, commits: readonly (() => void)[]): Promise<void> {
    const before = this.serving;
    this.serving = next;
    for (const commit of commits) commit();
    for (const [key, { listener, authenticators, policies }] of before) {
      if (!next.has(key)) this.leave(listener);
      await stopAuthenticators(authenticators);
      await stopPolicies(policies);
    }
  }

  private leave(listener: Listener): void {
    listener.stopAccepting(false);
    listener.drain(false);
    this.leaving.add(listener);
    void listener.empty().then(() => this.leaving.delete(listener));
  }

  /** Engines that no listener with a namespace needs any more are not listened to. */
  private listenFor(needed: ReadonlyMap<EngineSide, RegistryGateway | null>): void {
    for (const side of this.namespaced.keys()) if (!needed.has(side)) side.end();
    for (const [side, gateway] of needed) {
      side.gateway = gateway;
      if (gateway !== null) side.addresses.add(gateway.names.addresses.names);
      side.start();
    }
    this.namespaced = needed;
  }

  private deskOf(engine: Engine): EngineDesk {
    const desk = this.desks.get(engine) ?? new LiveEngineDesk(engine);
    this.desks.set(engine, desk);
    return desk;
  }
}

/** What only the system could find fault with is told with its place in the configuration, as all else. */
function locate<T>(loaded: LoadedConfig, path: Path, make: () => T): T {
  const refuse = (fault: unknown): never => {
    throw new ConfigRefused([loaded.fault(path, (fault as Error).message)]);
  };
  try {
    const made = make();
    return made instanceof Promise ? (made.catch(refuse) as T) : made;
  } catch (fault) {
    return refuse(fault);
  }
}

function accessOf({ mode, owner, group }: ListenerConfig): SocketAccess {
  return { mode: mode ?? defaultSocketMode, owner, group };
}

/** What two configurations, or two processes, know the same socket by. Port 0 is another one for each listener. */
function socketKey({ name, url }: ListenerConfig): string {
  return url.kind === 'tcp' && url.port === 0 ? `${formatAddress(url)} ${name}` : formatAddress(url);
}

function engineOf({ config, fault }: LoadedConfig, index: number, { engine }: PrepareFrom): Engine {
  const named = config.listeners[index]?.engine;
  const [first, second] = config.engines;
  if (named === undefined && second !== undefined) {
    const what = 'several engines, and it says not which: choosing among them is not there yet (engine: NAME)';
    throw new ConfigRefused([fault(['listeners', index], what)]);
  }
  const found = engine(named ?? (first?.name as string));
  if (found === undefined) throw new ConfigRefused([fault(['listeners', index, 'engine'], 'there is no such engine')]);
  return found;
}
