/** Namespaces of the listeners on one engine: who calls sees names of their own alone. */

import { LRUCache } from 'lru-cache';
import { INSTALLATION_LABEL, VOLUMES_LABEL } from '../../docker/reserved-labels.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { eventsOf } from '../../exchange/event-feed.ts';
import { engineName, type Namespace, type Namespacing } from '../../exchange/namespacing.ts';
import { Directory } from './directory.ts';
import type { EngineSide, NamespaceSettings } from './engine-side.ts';
import { EngineTraffic } from './firewall/engine-traffic.ts';
import { ImageActs } from './image-acts.ts';
import { JoinedContainers } from './joined-containers.ts';
import { LastUses } from './last-uses.ts';
import { type Installation, Ledger } from './ledger.ts';
import { Ongoing } from './ongoing.ts';
import { OwnNamespace } from './own-namespace.ts';
import { removeIdleNetworks } from './own-network.ts';
import { ownerOf } from './ownership.ts';
import { Removals } from './removals.ts';
import { Subnets } from './subnets.ts';
import { type NamespaceOf, readTemplate } from './template.ts';
import { isUnnamed, removeVolumes } from './volumes.ts';

export { destroyNamespace } from './destroy.ts';
export type { EngineSide, NamespaceSettings, PortSettings } from './engine-side.ts';
export { EngineTraffic } from './firewall/engine-traffic.ts';
export { Firewall, type FirewallOptions } from './firewall/firewall.ts';
export { firewallScript, removeScript, TABLE } from './firewall/table.ts';
export { type Collected, collectGarbage } from './garbage.ts';
export { hostRoutes } from './host-routes.ts';
export type { ImageGateway } from './image-gateway.ts';
export { LabelNamespaces } from './label-namespaces.ts';
export type { Installation } from './ledger.ts';
export { isNamespace } from './names.ts';
export { OneNamespace } from './one-namespace.ts';
export { type Holding, holdingsOf, survey } from './survey.ts';
export { choosesByLabel, readCacheScope } from './template.ts';

const NAMESPACES_KEPT = 5000;
const SWEEP_MS = 30_000;

/** One for an engine, however many listeners and reloads there are. */
export function engineSide(desk: EngineDesk, installation: Installation): EngineSide {
  return desk.once('namespaces', () => {
    const feed = eventsOf(desk);
    const directory: Directory = new Directory(desk, feed, (event) => {
      const ours = event.kind === 'container' && event.labels[INSTALLATION_LABEL] === installation.id;
      const owner = ours ? ownerOf(event) : null;
      const volumes = (event.labels[VOLUMES_LABEL] ?? '').split(' ').map((name) => engineName(owner ?? '', name));
      const gone = owner === null ? [] : volumes.filter((name) => isUnnamed(owner, name));
      // The engine has removed the container by itself; the ledger sweeps what is left where this fails.
      if (gone.length > 0) void removeVolumes(side, gone).catch(() => {});
    });
    let sweeping: NodeJS.Timeout | null = null;
    const side: EngineSide = {
      desk,
      feed,
      directory,
      imageActs: new ImageActs(feed),
      joined: new JoinedContainers(desk, feed),
      subnets: new Subnets(desk),
      scopes: new Map(),
      traffic: new EngineTraffic(desk),
      ledger: new Ledger(desk, installation),
      networkNeededAtMs: new Map(),
      networkGoing: new Map(),
      uses: new LastUses(),
      gateway: null,
      keepsPulled: false,
      addresses: new Set(),
      closing: new Ongoing(),
      changing: new Ongoing(),
      removals: new Removals(),
      start() {
        directory.start();
        side.imageActs.start();
        side.joined.start();
        if (sweeping !== null) return;
        // What cannot be removed now is tried again; an engine that is gone says so to its callers.
        const sweep = async (): Promise<void> => {
          await side.ledger.sweep().catch(() => {});
          await removeIdleNetworks(side).catch(() => {});
        };
        sweeping = setInterval(() => void sweep(), SWEEP_MS).unref();
        void side.ledger.sweep().catch(() => {});
      },
      end() {
        directory.end();
        side.imageActs.end();
        side.joined.end();
        side.ledger.end();
        if (sweeping !== null) clearInterval(sweeping);
        sweeping = null;
      },
    };
    return side;
  });
}

export class Namespaces implements Namespacing {
  private readonly side: EngineSide;
  private readonly settings: NamespaceSettings;
  private readonly namespaceOf: NamespaceOf;
  private readonly kept = new LRUCache<string, Namespace>({ max: NAMESPACES_KEPT });

  constructor(template: string, listener: string, side: EngineSide, settings: NamespaceSettings) {
    this.namespaceOf = readTemplate(template, listener);
    this.side = side;
    this.settings = settings;
  }

  of({ identity }: Call): Namespace {
    const name = this.namespaceOf(identity);
    const kept = this.kept.get(name) ?? new OwnNamespace(name, this.side, this.settings);
    this.kept.set(name, kept);
    this.side.uses.note(name);
    return kept;
  }
}
