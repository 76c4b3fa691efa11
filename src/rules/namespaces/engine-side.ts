/** What the namespaces of one engine have in common. */

import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { IpNetwork } from '../../ground/ip-network.ts';
import type { Directory } from './directory.ts';
import type { Subnets } from './subnets.ts';

export interface EngineSide {
  readonly desk: EngineDesk;
  readonly directory: Directory;
  readonly subnets: Subnets;
  /** When the default network of a namespace was last asked for. */
  readonly networkNeededAtMs: Map<string, number>;
  /** Listens to the engine, so that what is there need not be asked for. */
  start(): void;
  end(): void;
}

/** Of one listener. */
export interface NamespaceSettings {
  /** Where published ports go. */
  readonly address: string;
  readonly ports: { readonly first: number; readonly last: number };
  readonly pools: readonly IpNetwork[];
  /** The prefix length of one network. */
  readonly size: number;
}
