/** The registry gateways of a running server, one for each address that engines find the images of namespaces at. */

import type net from 'node:net';
import { type GatewayAddresses, type GatewayTally, RegistryGateway } from '../../cache/registry/index.ts';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import type { GatewayReadiness } from '../../operate/admin/admin-server.ts';
import {
  type Config,
  formatAddress,
  type ListenAddress,
  type LoadedConfig,
  type TcpAddress,
} from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import { OutFault } from '../../wire/way-out.ts';
import type { PreparedRegistries } from './registry-cache.ts';

/** An address that somebody else has is tried again. */
const RETRY_MS = 2000;

interface Kept {
  readonly gateway: RegistryGateway;
  /** Where it listens, or is to: the address of names, and the one of builds. */
  readonly places: readonly TcpAddress[];
  /** By address. */
  readonly open: Map<string, readonly OpenSocket[]>;
  /** For the process after us, or before us: open as long as there may be calls of ours. */
  inner: readonly OpenSocket[] | null;
  /** Why it does not listen. */
  fault: Error | null;
}

export class Gateways {
  private readonly log: Log;
  private kept: ReadonlyMap<string, Kept> = new Map();
  private retry: NodeJS.Timeout | null = null;
  private state: string | null = null;

  constructor(log: Log) {
    this.log = log;
  }

  /** By key, as in the hand-over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    const all = [...this.kept.values()].flatMap(({ open }) => [...open]);
    return new Map(all.map(([address, sockets]) => [keyOf(address), sockets.map(({ server }) => server)]));
  }

  readiness(): readonly GatewayReadiness[] {
    return [...this.kept].map(([address, { fault }]) => ({
      address,
      up: fault === null,
      reason: fault === null ? null : fault.message,
    }));
  }

  tallies(): readonly GatewayTally[] {
    return [...this.kept.values()].map(({ gateway }) => gateway.tally);
  }

  /** Nothing changes before `commit`. */
  prepare(
    loaded: LoadedConfig,
    prepared: PreparedRegistries,
    ready: (key: string) => readonly number[],
  ): {
    /** Of the engine of a listener with a namespace; null where the configuration wants none. */
    readonly of: (engine: string) => RegistryGateway | null;
    readonly commit: () => Promise<void>;
  } {
    const wanted = wantedBy(loaded.config);
    // What must outlive the process stays where it is until the next start.
    const state = this.state ?? loaded.config.state;
    const next = new Map<string, Kept>();
    const given = new Map<string, readonly number[]>();
    for (const at of wanted.values()) {
      const address = textOf(at);
      if (next.has(address)) continue;
      const places = [at, buildsOf(at)];
      for (const place of places) given.set(textOf(place), ready(keyOf(textOf(place))));
      next.set(address, this.kept.get(address) ?? this.make(places, state, prepared));
    }
    return {
      of: (engine) => {
        const at = wanted.get(engine);
        return at === undefined ? null : (next.get(textOf(at))?.gateway ?? null);
      },
      commit: async () => {
        const before = this.kept;
        this.state = state;
        this.kept = next;
        for (const { gateway } of next.values()) gateway.use(prepared.registries, prepared.upstream);
        for (const [address, one] of before) {
          if (!next.has(address)) closeOne(one);
        }
        await this.listen(given);
      },
    };
  }

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    for (const { open } of this.kept.values())
      for (const sockets of open.values()) for (const one of sockets) one.close();
  }

  close(): void {
    this.stopAccepting();
    for (const one of this.kept.values()) closeOne(one);
    this.kept = new Map();
  }

  private make(places: readonly TcpAddress[], state: string, { registries, upstream }: PreparedRegistries): Kept {
    const [names, builds] = places as readonly [TcpAddress, TcpAddress];
    const addresses: GatewayAddresses = { names: textOf(names), builds: textOf(builds) };
    const gateway = new RegistryGateway({
      addresses,
      state,
      registries,
      upstream,
      onFault: (registry, fault) => {
        if (fault instanceof OutFault) this.log.warn({ registry, reason: fault.reason }, 'registry');
        else this.log.error({ registry, err: fault }, 'gateway');
      },
    });
    return { gateway, places, open: new Map(), inner: null, fault: null };
  }

  /** What cannot be listened on does not keep the engine's other calls: images wait for it, and `/readyz` says so. */
  private async listen(given: ReadonlyMap<string, readonly number[]>): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    let failed = false;
    for (const [address, one] of this.kept) {
      const before = one.fault;
      one.fault = null;
      // First: from the moment on that both accept, the engine may find either of the two.
      one.inner ??= await this.openInner(one.gateway);
      for (const place of one.places) {
        const key = textOf(place);
        if (one.open.has(key)) continue;
        try {
          one.open.set(key, await this.open(place, given.get(key) ?? [], one.gateway));
        } catch (fault) {
          one.fault = fault as Error;
        }
      }
      failed ||= one.fault !== null;
      one.gateway.isServed = one.fault === null;
      const now: Error | null = one.fault;
      if (now !== null && now.message !== before?.message)
        this.log.error({ gateway: address, reason: now.message }, 'gateway');
      if (now === null && before !== null) this.log.info({ gateway: address }, 'the gateway is up');
    }
    if (failed) this.retry = setTimeout(() => void this.listen(new Map()), RETRY_MS).unref();
  }

  private open(
    place: ListenAddress,
    ready: readonly number[],
    gateway: RegistryGateway,
  ): Promise<readonly OpenSocket[]> {
    return openSockets(place, {
      access: { mode: 0o600 },
      ready,
      server: { allowHalfOpen: true, noDelay: true },
      onConnection: (socket) => gateway.accept(socket),
      onFault: (fault) => this.log.warn({ gateway: formatAddress(place), reason: fault.message }, 'gateway socket'),
    });
  }

  /** Null where it cannot be: then pulls and builds that are under way do not outlast an upgrade. */
  private async openInner(gateway: RegistryGateway): Promise<readonly OpenSocket[] | null> {
    try {
      const sockets = await this.open({ kind: 'unix', path: gateway.innerPath }, [], gateway);
      await gateway.tidy();
      return sockets;
    } catch (fault) {
      this.log.warn({ reason: (fault as Error).message }, 'pulls will not outlast an upgrade');
      return null;
    }
  }
}

function closeOne({ gateway, open, inner }: Kept): void {
  for (const one of inner ?? []) one.remove();
  for (const sockets of open.values()) for (const one of sockets) one.remove();
  gateway.close();
}

/** The address for each engine that has a namespace on it. */
function wantedBy({ engines, listeners }: Config): ReadonlyMap<string, TcpAddress> {
  const wanted = new Map<string, TcpAddress>();
  for (const { namespace, engine: name } of listeners) {
    const engine = namespace === null ? undefined : engines.find((one) => name === undefined || one.name === name);
    if (engine !== undefined && engine.gateway !== null) wanted.set(engine.name, engine.gateway);
  }
  return wanted;
}

/** How the images of namespaces on the engine begin; null where there are none. */
export function gatewayAddresses(config: Config, engine: string): GatewayAddresses | null {
  const at = wantedBy(config).get(engine);
  return at === undefined ? null : { names: textOf(at), builds: textOf(buildsOf(at)) };
}

/** An engine keeps in mind by address how it was asked for credentials, and builds are never asked. */
function buildsOf({ kind, host, port }: TcpAddress): TcpAddress {
  const [, network, last] = /^(127\.\d+\.\d+)\.(\d+)$/.exec(host) ?? [];
  if (network === undefined) return { kind, host, port: port + 1 };
  return { kind, host: `${network}.${(Number(last) % 254) + 1}`, port };
}

function textOf({ host, port }: TcpAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function keyOf(address: string): string {
  return `gateway ${address}`;
}
