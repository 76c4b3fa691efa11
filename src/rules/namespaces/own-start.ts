/**
 * A container before it starts: the networks know it by its name of now, and the default network that it is on is there.
 * While it runs, leaving a network to join it again would cut its connections.
 */

import { endpointsOf, type InspectedEndpoint, isAutoRemoved, isRunning } from '../../docker/inspected-container.ts';
import { isNamedOtherwise, isOfDefaultNetwork, joiningAgain, saysNoNetwork } from '../../docker/joined-endpoint.ts';
import { messageIn, thingIn } from '../../docker/named-things.ts';
import type { QueryValues } from '../../docker/query.ts';
import type { Call } from '../../exchange/call.ts';
import type { DeskAnswer } from '../../exchange/engine-desk.ts';
import { engineName } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import type { EngineSide } from './engine-side.ts';
import { clientName, DEFAULT_NETWORK } from './names.ts';
import type { OwnNetwork } from './own-network.ts';
import type { SharedNetworks } from './shared-networks.ts';

/** Each time, somebody has removed the default network between the look at it and the call. */
const ATTEMPTS = 5;
/** What an engine prepares for a start, and what a container does before it stops, can take long. */
const START_MS = 3_600_000;

interface Change {
  readonly endpoint: InspectedEndpoint;
  /** The network to be on. */
  readonly network: string;
}

export class OwnStart {
  private readonly namespace: string;
  private readonly side: EngineSide;
  private readonly network: OwnNetwork;
  private readonly shared: SharedNetworks;

  constructor(namespace: string, side: EngineSide, network: OwnNetwork, shared: SharedNetworks) {
    this.namespace = namespace;
    this.side = side;
    this.network = network;
    this.shared = shared;
  }

  /** Starts or restarts the container of the call. */
  async start(call: Call, id: string): Promise<DeskAnswer> {
    await this.side.ledger.ready();
    for (let attempt = 1; ; attempt++) {
      const inspection = await this.side.desk.ask('ContainerInspect', { parameters: { id } });
      const name = this.nameOf(inspection);
      const changes = await this.changes(inspection, name);
      const rests = !isRunning(inspection);
      const stopped = !rests && changes.length > 0 && (await this.stopFor(call, id, inspection));
      if (rests || stopped) for (const change of changes) await this.joinAgain(id, change, name);
      const done = await this.order(stopped ? 'ContainerStart' : call.endpoint.id, id, stopped ? {} : call.query);
      const again = saysNoNetwork(done.status, messageIn(done.answer)) && attempt < ATTEMPTS;
      // One that goes with its end is gone when its start has failed.
      if (
        !again ||
        isAutoRemoved(inspection) ||
        !endpointsOf(inspection).some(({ settings }) => isOfDefaultNetwork(settings))
      )
        return done;
      this.network.forget();
    }
  }

  /** Connects a container to the default network, whoever removes that meanwhile. */
  async connect({ body }: Pick<Call, 'body'>): Promise<DeskAnswer> {
    let { id } = await this.network.need();
    for (let attempt = 1; ; attempt++) {
      const done = await this.side.desk.order('NetworkConnect', { parameters: { id }, body });
      if (!saysNoNetwork(done.status, messageIn(done.answer)) || attempt >= ATTEMPTS) return done;
      this.network.forget();
      ({ id } = await this.network.need());
    }
  }

  /** A container that runs, and is to come back under another name, is restarted in two steps. */
  private async stopFor({ endpoint, query }: Call, id: string, inspection: Json): Promise<boolean> {
    // To one that is removed when it ends, a stop would be the end.
    if (endpoint.id !== 'ContainerRestart' || isAutoRemoved(inspection)) return false;
    return (await this.order('ContainerStop', id, query)).status < 400;
  }

  private async changes(inspection: Json, name: string): Promise<readonly Change[]> {
    const found: Change[] = [];
    for (const endpoint of endpointsOf(inspection)) {
      const { key, id, settings } = endpoint;
      // Nobody has a name there.
      if (this.shared.isShared(id) || this.shared.hasName(key)) continue;
      const before = id === '' ? key : id;
      const network = isOfDefaultNetwork(settings) ? (await this.network.need()).id : before;
      const stays = network === before || (id === '' && key === engineName(this.namespace, DEFAULT_NETWORK));
      if (!stays || isNamedOtherwise(settings, name)) found.push({ endpoint, network });
    }
    return found;
  }

  private async joinAgain(container: string, { endpoint, network }: Change, name: string): Promise<void> {
    const { desk, ledger } = this.side;
    const settings = joiningAgain(endpoint.settings, name, container);
    const entry = await ledger.write({ do: 'join', container, network, settings });
    try {
      const leave = { Container: container, Force: true };
      const left = await desk.order('NetworkDisconnect', { parameters: { id: endpoint.key }, body: leave });
      if (left.status < 400) {
        const body = { Container: container, EndpointConfig: settings };
        if (isOfDefaultNetwork(settings)) await this.connect({ body });
        else await desk.order('NetworkConnect', { parameters: { id: network }, body });
      }
      // Whatever the engine has refused, it says again when the container starts.
      await ledger.crossOut(entry);
    } finally {
      ledger.leave([entry]);
    }
  }

  private order(endpoint: string, id: string, query: QueryValues): Promise<DeskAnswer> {
    return this.side.desk.order(endpoint, { parameters: { id }, query, deadlineMs: START_MS });
  }

  /** Without a slash. */
  private nameOf(inspection: Json): string {
    return clientName(this.namespace, thingIn('container', inspection)?.name ?? '') ?? '';
  }
}
