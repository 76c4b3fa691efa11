/** The listeners of a running server: sockets that a reload leaves where they are, and what holds for their clients. */

import type net from 'node:net';
import { renderFault } from '../../exchange/answer-refusal.ts';
import type { Authenticator } from '../../exchange/authenticator.ts';
import type { Engine } from '../../exchange/engine.ts';
import type { Recorder } from '../../exchange/recorder.ts';
import { Way } from '../../exchange/way.ts';
import { Listener, type ListenerSetup, openSockets } from '../../front/listeners/index.ts';
import {
  ConfigRefused,
  defaultSocketMode,
  formatAddress,
  type ListenerConfig,
  type LoadedConfig,
} from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { ReadBuffers } from '../../wire/read-buffers.ts';
import { startAuthenticators, stopAuthenticators } from './authenticators.ts';

interface Serving {
  readonly listener: Listener;
  readonly authenticators: readonly Authenticator[];
}

export interface Prepared {
  readonly commit: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export interface PrepareFrom {
  readonly engine: (name: string) => Engine | undefined;
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
    const started: Authenticator[] = [];
    const discard = async (): Promise<void> => {
      for (const undo of discards) undo();
      await stopAuthenticators(started);
    };
    try {
      for (const [index, config] of loaded.config.listeners.entries()) {
        const authenticators = await startAuthenticators(loaded, index, this.log);
        started.push(...authenticators);
        const [policy] = config.policies;
        // Whoever lets the reader of configurations know a policy must give it to the way here too.
        if (policy !== undefined) {
          throw new ConfigRefused([
            loaded.fault(['listeners', index, 'policies', 0], `${policy.use} is not there yet`),
          ]);
        }
        const setup = this.setupOf(config, authenticators, engineOf(loaded, index, from));
        const key = socketKey(config);
        const before = this.serving.get(key);
        if (before === undefined) {
          const listener = await this.open(config, setup, from.ready(key, config));
          discards.push(() => listener.discard());
          next.set(key, { listener, authenticators });
        } else {
          const change = before.listener.prepare(setup);
          discards.push(change.discard);
          commits.push(change.commit);
          next.set(key, { listener: before.listener, authenticators });
        }
      }
    } catch (fault) {
      await discard();
      throw fault;
    }
    return { discard, commit: () => this.commit(next, commits) };
  }

  /** What is listened on, by key: for who takes over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map(
      [...this.serving].map(([key, { listener }]) => [key, listener.openSockets.map(({ server }) => server)]),
    );
  }

  /** What a client of each listener puts into DOCKER_HOST. */
  dockerHosts(): readonly { readonly listener: string; readonly dockerHost: string }[] {
    return [...this.serving.values()].flatMap(({ listener }) =>
      listener.openSockets.map(({ dockerHost }) => ({ listener: listener.name, dockerHost })),
    );
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
    for (const { authenticators } of this.serving.values()) await stopAuthenticators(authenticators);
  }

  private *all(): Iterable<Listener> {
    for (const { listener } of this.serving.values()) yield listener;
    yield* this.leaving;
  }

  private async commit(next: ReadonlyMap<string, Serving>, commits: readonly (() => void)[]): Promise<void> {
    const before = this.serving;
    this.serving = next;
    for (const commit of commits) commit();
    for (const [key, { listener, authenticators }] of before) {
      if (!next.has(key)) this.leave(listener);
      await stopAuthenticators(authenticators);
    }
  }

  private leave(listener: Listener): void {
    listener.stopAccepting(false);
    listener.drain(false);
    this.leaving.add(listener);
    void listener.empty().then(() => this.leaving.delete(listener));
  }

  private setupOf(config: ListenerConfig, authenticators: readonly Authenticator[], engine: Engine): ListenerSetup {
    const { name, requests, tls } = config;
    const { head, headers, json, depth, connections, headTimeout, bodyTimeout } = requests;
    return {
      name,
      authenticators,
      connections,
      tls,
      renderFault,
      limits: { headBytes: head, headers, headTimeoutMs: headTimeout, bodyTimeoutMs: bodyTimeout },
      way: new Way({
        listener: name,
        authenticators,
        policies: [],
        engine,
        limits: { jsonBytes: json, jsonDepth: depth },
        recorder: this.recorder,
      }),
    };
  }

  private async open(config: ListenerConfig, setup: ListenerSetup, ready: readonly number[]): Promise<Listener> {
    const listener = new Listener(setup, this.buffers, this.log);
    try {
      const sockets = await openSockets(config.url, {
        access: { mode: config.mode ?? defaultSocketMode, owner: config.owner, group: config.group },
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
      return listener;
    } catch (fault) {
      listener.discard();
      throw fault;
    }
  }
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
