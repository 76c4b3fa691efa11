/** Where the cache is reached: addresses of the configuration, or those of the engines' own bridges. */

import { gatewaysOf } from '../../docker/subnets.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { Config } from '../../operate/config/index.ts';

const PORTS = [80, 443] as const;

export interface CacheAddresses {
  readonly address: readonly string[];
  readonly passAddress: readonly string[];
}

/** As the configuration alone tells it. */
export function saidAddresses({ cache }: Config): CacheAddresses {
  return { address: cache?.address ?? [], passAddress: cache?.passAddress ?? [] };
}

/** @throws Error or Refusal where an engine does not tell */
export async function findAddresses(config: Config, desks: readonly EngineDesk[]): Promise<CacheAddresses> {
  const said = saidAddresses(config);
  if (said.address.length > 0) return said;
  if (desks.length === 0)
    throw new Error('no listener has `cache: true`, so that it is not opened at the bridges of engines');
  const bridges = await Promise.all(desks.map((desk) => desk.ask('NetworkInspect', { parameters: { id: 'bridge' } })));
  const found = bridges.map(gatewaysOf).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((one) => one !== null));
  if (found.length === 0) throw new Error('no engine has a bridge of its own: say cache.address');
  return { ...said, address: [...new Set(found)] };
}

/** What the firewall lets containers of namespaces reach. */
export function openingsOf({ address, passAddress }: CacheAddresses) {
  return [...address, ...passAddress].flatMap((one) => PORTS.map((port) => ({ address: one, port })));
}
