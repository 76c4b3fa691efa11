/** Registries by their own names, as a running server offers them: the CONNECT proxy, and the listener for names of DNS. */

import { join } from 'node:path';
import { Authority } from '../../cache/interception/index.ts';
import { RegistryProxy } from '../../cache/registry/index.ts';
import { compileGlob } from '../../ground/glob.ts';
import { ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { WayOut } from '../../wire/way-out.ts';
import type { PreparedRegistries, RegistryCache } from './registry-cache.ts';

const DAY_MS = 86_400_000;
/**
 * Hosts are given this CA by hand, and engines read it at their start only; it can sign for the registries alone, and the
 * key of its root is gone.
 */
const LIFE_MS = 365 * DAY_MS;
const ROTATE_MS = 180 * DAY_MS;

interface Offered {
  readonly authority: Authority;
  readonly prepared: PreparedRegistries;
  readonly wayOut: WayOut;
  readonly tunnels: readonly ((target: string) => boolean)[];
  readonly mirrorPort: number | null;
}

export class RegistryNames {
  readonly proxy: RegistryProxy;
  private readonly log: Log;
  private offered: Offered | null = null;

  constructor(cache: RegistryCache, log: Log) {
    this.log = log;
    const offered = (): Offered => {
      if (this.offered === null) throw new Error('no registry is offered by its own name');
      return this.offered;
    };
    this.proxy = new RegistryProxy({
      upstream: () => cache.upstream,
      onFault: cache.onFault,
      onHost: (registry, kind, host) => offered().prepared.onHost(registry, kind, host),
      onStrayName: (host) =>
        log.warn({ host }, 'DNS sends a name here that is no registry of the configuration: it is not served'),
      registryAt: (host, port) => offered().prepared.registries.onWire(host, port),
      tunnels: (host, port) =>
        offered().prepared.registries.isRealm(host, port) || offered().tunnels.some((may) => may(`${host}:${port}`)),
      tunnel: (host, port) => offered().wayOut.tunnel(host, port),
      contextFor: (host) => offered().authority.contextFor(host),
      roots: () =>
        offered()
          .authority.roots.map(({ pem }) => pem)
          .join(''),
      mirrorPort: () => offered().mirrorPort,
    });
  }

  /** @throws ConfigRefused. Nothing changes before `commit`. */
  prepare(
    loaded: LoadedConfig,
    prepared: PreparedRegistries & { readonly wayOut: WayOut },
  ): { readonly commit: () => void; readonly discard: () => void } {
    const { registry, state } = loaded.config;
    const { proxy, impersonate, tunnel, mirror } = registry;
    const next =
      proxy === null && impersonate === null
        ? null
        : {
            authority: this.authority(loaded, join(state, 'registry-ca'), prepared.registries.wireHosts()),
            prepared,
            wayOut: prepared.wayOut,
            tunnels: tunnel.map((pattern) => compileGlob(pattern)),
            mirrorPort: mirror?.port ?? null,
          };
    return {
      discard: () => next?.authority.end(),
      commit: () => {
        this.offered?.authority.end();
        this.offered = next;
      },
    };
  }

  close(): void {
    this.proxy.close();
    this.offered?.authority.end();
    this.offered = null;
  }

  private authority(loaded: LoadedConfig, folder: string, hosts: readonly string[]): Authority {
    try {
      return new Authority({ folder, lifeMs: LIFE_MS, rotateMs: ROTATE_MS, hosts }, (fault) =>
        this.log.error({ err: fault }, 'the CA of the registry proxy'),
      );
    } catch (fault) {
      throw new ConfigRefused([loaded.fault(['state'], (fault as Error).message)]);
    }
  }
}
