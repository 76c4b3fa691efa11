/** The namespaces of a listener, made of what its configuration says. */

import { BuildAddresses } from '../../exchange/build-addresses.ts';
import type { Namespacing } from '../../exchange/namespacing.ts';
import type { NamespacedListener } from '../../exchange/policy.ts';
import { type IpNetwork, readIpNetwork } from '../../ground/ip-network.ts';
import type { SocketGiver } from '../../jobs/socket-giver.ts';
import type { Cidr, Config, ListenerConfig, LoadedConfig } from '../../operate/config/index.ts';
import {
  choosesByLabel,
  type EngineSide,
  hostRoutes,
  type ImageGateway,
  LabelNamespaces,
  type NamespaceSettings,
  Namespaces,
  OneNamespace,
  type PortSettings,
  readCacheScope,
} from '../../rules/namespaces/index.ts';
import { gatewayAddresses } from './gateways.ts';

/** What holds where a listener with a namespace says nothing about its ports and networks. */
const PORTS: PortSettings = { address: '127.0.0.1', range: { first: 1024, last: 65_535 } };
const POOLS = [readIpNetwork('10.128.0.0/9') as IpNetwork];
const SIZE = 26;

export interface NamespacesFrom {
  readonly side: () => EngineSide;
  readonly gatewayOf: (engine: string) => ImageGateway | null;
  /** Who gives the listener's containers sockets of their own. */
  readonly sockets: SocketGiver | null;
  /** Whose all clients are, whatever they are called; null where the listener's `namespace` says. */
  readonly job: string | null;
}

/** Null for a listener that shows the engine as it is. */
export function namespacingOf(
  loaded: LoadedConfig,
  index: number,
  { side, gatewayOf, sockets, job }: NamespacesFrom,
): Namespacing | null {
  const config = loaded.config.listeners[index];
  if (config === undefined || config.namespace === null) return null;
  const settings = { ...settingsOf(loaded, config, gatewayOf), sockets };
  if (job !== null) return new OneNamespace(job, side(), { ...settings, builds: ofCommand(settings.builds, config) });
  const Kind = choosesByLabel(config.namespace) ? LabelNamespaces : Namespaces;
  return new Kind(config.namespace, config.name, side(), settings);
}

/** What one's commands build is in BuildKit's cache for the next one. Of images nothing stays. */
function ofCommand(settings: NamespaceSettings['builds'], { builds }: ListenerConfig): NamespaceSettings['builds'] {
  const shared = { ...settings, keepsSteps: false };
  // No template gives a word of this kind.
  return (builds?.cacheScope ?? null) === null ? { ...shared, cacheScopeOf: () => 'of commands' } : shared;
}

/** The listener as the sockets of its containers are: published ports stand at bridges of the job. */
export function forJobs(listener: ListenerConfig): ListenerConfig {
  const { ports, jobSocket } = listener;
  if (jobSocket?.namespace !== 'job') return listener;
  return { ...listener, ports: { address: 'gateway', range: (ports ?? PORTS).range } };
}

export function settingsOf(
  { config: { engines, images } }: LoadedConfig,
  { name: listener, builds, engine, networks, ports }: ListenerConfig,
  gatewayOf: (engine: string) => ImageGateway | null,
): Omit<NamespaceSettings, 'sockets'> {
  const { name, url } = engines.find((one) => engine === undefined || one.name === engine) ?? {};
  return {
    builds: {
      cacheScopeOf: readCacheScope(builds?.cacheScope ?? null, listener),
      keepsSteps: true,
      addresses: new BuildAddresses(builds?.urls ?? []),
    },
    ports: ports ?? PORTS,
    images: { gateway: name === undefined ? null : gatewayOf(name), shared: images.shared },
    networks: {
      pools: networks?.pools.map(networkOf) ?? POOLS,
      size: networks?.size ?? SIZE,
      allowed: networks?.allowed.map(networkOf) ?? null,
      shared: networks?.shared ?? [],
      // Of another host nobody here knows the routes.
      routes: url?.kind === 'unix' ? hostRoutes : async () => [],
    },
  };
}

function networkOf({ address, prefix }: Cidr): IpNetwork {
  return readIpNetwork(`${address}/${prefix}`) as IpNetwork;
}

/** What policies know of it: null for the engine as it is. */
export function namespacedListener(config: Config, listener: ListenerConfig): NamespacedListener | null {
  const { namespace, networks, ports, engine: named } = listener;
  if (namespace === null) return null;
  const engine = config.engines.find(({ name }) => named === undefined || named === name);
  const addresses = engine === undefined ? null : gatewayAddresses(config, engine.name);
  return {
    ports: ports ?? PORTS,
    subnets: networks?.allowed.map(networkOf) ?? null,
    images: addresses === null ? null : (owner) => `${addresses.names}/${owner}/`,
  };
}
