/** What the namespaces of one engine have in common. */

import type { BuildAddresses } from '../../exchange/build-addresses.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { EventFeed } from '../../exchange/event-feed.ts';
import type { Identity } from '../../exchange/identity.ts';
import type { IpNetwork } from '../../ground/ip-network.ts';
import type { SocketGiver } from '../../jobs/socket-giver.ts';
import type { Directory } from './directory.ts';
import type { EngineTraffic } from './firewall/engine-traffic.ts';
import type { ImageActs } from './image-acts.ts';
import type { ImageGateway, ImageSettings } from './image-gateway.ts';
import type { JoinedContainers } from './joined-containers.ts';
import type { LastUses } from './last-uses.ts';
import type { Ledger } from './ledger.ts';
import type { Ongoing } from './ongoing.ts';
import type { Removals } from './removals.ts';
import type { Subnets } from './subnets.ts';

export interface EngineSide {
  readonly desk: EngineDesk;
  readonly feed: EventFeed;
  readonly directory: Directory;
  readonly imageActs: ImageActs;
  readonly joined: JoinedContainers;
  readonly subnets: Subnets;
  /** Of namespaces that labels have chosen: whose they are. */
  readonly scopes: Map<string, string>;
  readonly traffic: EngineTraffic;
  readonly ledger: Ledger;
  /** When the default network of a namespace was last asked for. */
  readonly networkNeededAtMs: Map<string, number>;
  /** The default networks that the engine is being told to remove: until it has answered. */
  readonly networkGoing: Map<string, Promise<void>>;
  readonly uses: LastUses;
  /** Where its images of namespaces come from now; null where there is nothing. */
  gateway: ImageGateway | null;
  /** What names of such images begin with, those of former gateways too: `127.0.0.1:5350`. */
  readonly addresses: Set<string>;
  /** Whether what jobs have pulled stays for the next one. */
  keepsPulled: boolean;
  /** The namespaces that are being removed. */
  readonly closing: Ongoing;
  /** Those in which a call changes something, which an end waits for. */
  readonly changing: Ongoing;
  readonly removals: Removals;
  /** Listens to the engine, so that what is there need not be asked for. */
  start(): void;
  end(): void;
}

/** Where published ports go. */
export interface PortSettings {
  /** An address of the host, or `gateway`: the bridge addresses of the namespace's default network and of the container's own. */
  readonly address: string;
  readonly range: { readonly first: number; readonly last: number };
}

export interface NetworkSettings {
  readonly pools: readonly IpNetwork[];
  /** The prefix length of one network of IPv4. */
  readonly size: number;
  /** What a client may ask for by itself; null where only the policies say. */
  readonly allowed: readonly IpNetwork[] | null;
  /** Networks of the engine that every namespace may join. */
  readonly shared: readonly string[];
  /** What the engine's host sends elsewhere already. */
  readonly routes: () => Promise<readonly IpNetwork[]>;
}

/** Whose images the containers of a namespace are made of. */
export interface ImageHolder {
  readonly namespace: string;
  /** The label of all containers that may be made of them, as of a filter. */
  readonly label: string;
}

/** What builds have in common. */
export interface BuildSettings {
  /**
   * Whose cache a build of the identity uses: builds of the same word share one. A namespace that is nobody's for long has
   * that of its owner. @throws Refusal where the identity has none
   */
  readonly cacheScopeOf: (identity: Identity, namespace: string) => string;
  /** Whether images of what the classic builder builds are kept for the scope. */
  readonly keepsSteps: boolean;
  readonly addresses: BuildAddresses;
}

/** Of one listener. */
export interface NamespaceSettings {
  readonly builds: BuildSettings;
  readonly images: ImageSettings;
  readonly ports: PortSettings;
  readonly networks: NetworkSettings;
  /** Who gives containers sockets of their own; absent where nobody does. */
  readonly sockets?: SocketGiver | null;
  /** Whether whoever has called is served no more: what was on its way then changes nothing. */
  readonly isOver?: () => boolean;
}
