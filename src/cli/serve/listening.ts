/** The listeners of a running server: sockets that a reload leaves where they are, and what holds for their clients. */

import type net from 'node:net';
import { BuildkitMediation } from '../../builds/buildkit/mediation.ts';
import { buildReading } from '../../builds/judged-build.ts';
import type { RegistryGateway } from '../../cache/registry/index.ts';
import { asRefusal, renderFault } from '../../exchange/answer-refusal.ts';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Engine } from '../../exchange/engine.ts';
import { type EngineDesk, LiveEngineDesk } from '../../exchange/engine-desk.ts';
import type { Namespacing } from '../../exchange/namespacing.ts';
import type { Policy } from '../../exchange/policy.ts';
import type { Recorder } from '../../exchange/recorder.ts';
import { Way } from '../../exchange/way.ts';
import {
  Listener,
  type ListenerSetup,
  openSockets,
  prepareAccess,
  type SocketAccess,
} from '../../front/listeners/index.ts';
import type { Refusal } from '../../ground/refusal.ts';
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
import { namespacingOf } from './namespaces.ts';
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
  readonly commit: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export interface PrepareFrom {
  readonly engine: (name: string) => Engine | undefined;
  /** Where the images of namespaces on the engine come from; null where there is nothing. */
  readonly gateway: (engine: string) => RegistryGateway | null;
  readonly installation: Installation;
  /** Descriptors that listen already, by the key of a socket. */
  readonly ready: (key: string, config: ListenerConfig) => readonly number[];
}

export class Listening {
  private readonly recorder: Recorder;
  private readonly buffers: ReadBuffers;
  private readonly log: Log;
  private serving: ReadonlyMap<string, Serving> = new Map();
  /** Listeners that are no more, as long as somebody is connected. */
  private readonly leaving = new Set<Listener>();
  /** What policies know of an engine outlives a reload. */
  private readonly desks = new WeakMap<Engine, EngineDesk>();
  private namespaced: ReadonlyMap<EngineSide, RegistryGateway | null> = new Map();

  constructor(recorder: Recorder, buffers: ReadBuffers, log: Log) {
    this.recorder = recorder;
    this.buffers = buffers;
    this.log = log;
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
        const policies = await startPolicies(loaded, index, {
          kinds: kinds.policies,
          engine: this.deskOf(engine),
          log: this.log,
        });
        startedPolicies.push(...policies);
        const side = (): EngineSide => {
          const made = engineSide(this.deskOf(engine), from.installation);
          namespaced.set(made, from.gateway(engine.name));
          return made;
        };
        const namespacing = namespacingOf(loaded, index, side, from.gateway);
        const setup = this.setupOf(config, authenticators, policies, engine, namespacing, loaded.config.help);
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
        const open = (): Promise<void> => locate(loaded, [...place, 'url'], () => this.open(listener, config, ready));
        opens.push({ ready, open });
      }
      // Those that are open already come last: clients come in on them at once, and must not find that all was in vain.
      opens.sort((one, other) => one.ready.length - other.ready.length);
      for (const { open } of opens) await open();
    } catch (fault) {
      await discard();
      throw fault;
    }
    return {
      discard,
      commit: async () => {
        this.listenFor(namespaced);
        await this.commit(next, commits);
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
    for (const { authenticators, policies } of this.serving.values()) {
      await stopAuthenticators(authenticators);
      await stopPolicies(policies);
    }
  }

  private *all(): Iterable<Listener> {
    for (const { listener } of this.serving.values()) yield listener;
    yield* this.leaving;
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

  private setupOf(
    config: ListenerConfig,
    authenticators: readonly Authenticator[],
    policies: readonly Policy[],
    engine: Engine,
    namespacing: Namespacing | null,
    help: string | null,
  ): ListenerSetup {
    const { name, builds, requests, tls } = config;
    const { head, headers, json, depth, connections, headTimeout, bodyTimeout } = requests;
    return {
      name,
      authenticators,
      connections,
      tls,
      onTurnedAway: (refusal) => this.recordUnread(name, refusal),
      renderFault: (fault, unread) => {
        // A request whose head was read is recorded by its way.
        if (unread === null) this.recordUnread(name, asRefusal(fault));
        return renderFault(fault);
      },
      limits: { headBytes: head, headers, headTimeoutMs: headTimeout, bodyTimeoutMs: bodyTimeout },
      way: new Way({
        listener: name,
        authenticators,
        policies,
        engine,
        namespacing,
        builds: buildReading(this.deskOf(engine)),
        mediation: new BuildkitMediation({ buildTimeMs: builds?.maxTime ?? null }),
        ...(builds === null ? {} : { buildTimeMs: builds.maxTime }),
        limits: { jsonBytes: json, jsonDepth: depth },
        recorder: this.recorder,
        help,
      }),
    };
  }

  /** What no call came of. */
  private recordUnread(listener: string, refusal: Refusal): void {
    this.recorder.callEnded({
      listener,
      method: '',
      target: '',
      endpoint: null,
      identity: null,
      call: null,
      status: refusal.status,
      refusal,
      decisions: [],
      durationMs: 0,
      bytesIn: 0,
      bytesOut: 0,
    });
  }

  private async open(listener: Listener, config: ListenerConfig, ready: readonly number[]): Promise<void> {
    const sockets = await openSockets(config.url, {
      access: accessOf(config),
      ready,
      server: {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 30_000,
      },
      onConnection: (socket, kind) => listener.accept(socket, kind),
      onFault: (fault) => this.log.warn({ listener: config.name, reason: fault.message }, 'listening socket'),
    });
    listener.listensOn(sockets);
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
