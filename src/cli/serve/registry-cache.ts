/** The registries of a running server, behind the store where there is one: what gateways and mirrors ask. */

import { join } from 'node:path';
import {
  CachedRegistries,
  DirectRegistries,
  MirrorTally,
  type OnHost,
  Registries,
  RegistryHosts,
  TagRules,
  type Upstream,
} from '../../cache/registry/index.ts';
import type { Store } from '../../cache/store.ts';
import { ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import { OutFault, WayOut } from '../../wire/way-out.ts';
import { siteOf } from './site.ts';

export interface PreparedRegistries {
  readonly registries: Registries;
  readonly upstream: Upstream;
  readonly onHost: OnHost;
}

export class RegistryCache {
  readonly tally: MirrorTally;
  private readonly log: Log;
  private wayOut: WayOut | null = null;
  private prepared: PreparedRegistries | null = null;

  constructor(log: Log) {
    this.log = log;
    this.tally = new MirrorTally(({ registry, account, source, limit, remaining, windowSeconds }) => {
      this.log.warn({ registry, account, source, limit, remaining, windowSeconds }, 'the registry has few pulls left');
    });
  }

  /** Of the configuration that serves now. */
  get upstream(): Upstream {
    if (this.prepared === null) throw new Error('no configuration is served yet');
    return this.prepared.upstream;
  }

  get registries(): Registries {
    if (this.prepared === null) throw new Error('no configuration is served yet');
    return this.prepared.registries;
  }

  readonly onFault = (registry: string, fault: Error): void => {
    if (fault instanceof OutFault) this.log.warn({ registry, reason: fault.reason }, 'registry');
    else this.log.error({ registry, err: fault }, 'registry cache');
  };

  /** @throws ConfigRefused. Nothing changes before `commit`. */
  prepare(
    loaded: LoadedConfig,
    store: Store | null,
  ): PreparedRegistries & { readonly wayOut: WayOut; readonly commit: () => void; readonly discard: () => void } {
    const wayOut = new WayOut(siteOf(loaded));
    const registries = registriesOf(loaded, wayOut);
    const { tags, stale } = loaded.config.registry;
    const { tally, onFault } = this;
    const onHost = this.hostsOf(loaded, registries);
    const tagRules = new TagRules(tags);
    const upstream =
      store === null
        ? new DirectRegistries(registries, tally, onHost)
        : new CachedRegistries({ store, registries, tagRules, staleMs: stale, tally, onFault, onHost });
    return {
      registries,
      upstream,
      onHost,
      wayOut,
      discard: () => void wayOut.close(),
      commit: () => {
        const before = this.wayOut;
        this.wayOut = wayOut;
        this.prepared = { registries, upstream, onHost };
        void before?.close();
      },
    };
  }

  /** Where names of registries lead here by DNS, their other hosts are for whoever keeps that DNS. */
  private hostsOf({ config: { registry, state } }: LoadedConfig, registries: Registries): OnHost {
    if (registry.impersonate === null) return () => {};
    const hosts = new RegistryHosts(join(state, 'registry-hosts.json'), (name, kind, host, before) => {
      const what =
        kind === 'auth'
          ? 'the registry asks for credentials at another host: the DNS of those who pull must let them reach it'
          : 'the registry sends its blobs from another host: it must be reached from here';
      this.log.warn({ registry: name, host, before }, what);
    });
    return (name, kind, host) => {
      if (!registries.isNamed(name)) return;
      try {
        hosts.saw(name, kind, host);
      } catch (fault) {
        this.onFault(name, fault as Error);
      }
    };
  }

  close(): void {
    void this.wayOut?.close();
    this.wayOut = null;
  }
}

function registriesOf(loaded: LoadedConfig, wayOut: WayOut): Registries {
  try {
    return new Registries(loaded.config.registry, wayOut);
  } catch (fault) {
    void wayOut.close();
    throw new ConfigRefused([loaded.fault(['registry', 'upstreams'], (fault as Error).message)]);
  }
}
