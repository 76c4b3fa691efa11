/** The default network of a namespace: a bridge of its own that clients see as `bridge`, made when it is first needed. */

import { networksOf } from '../../docker/inspected-container.ts';
import { listIn, messageIn, thingIn } from '../../docker/named-things.ts';
import { bridgeRequest, madeId } from '../../docker/own-requests.ts';
import { DEFAULT_NETWORK_LABEL, PORTS_LABEL } from '../../docker/reserved-labels.ts';
import { engineName } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { Found } from './directory.ts';
import type { EngineSide, NamespaceSettings } from './engine-side.ts';
import { DEFAULT_NETWORK } from './names.ts';
import { ATTEMPTS } from './own-subnets.ts';
import { labelled, labelsOf } from './ownership.ts';

/** How long a network that no container refers to is kept. */
const IDLE_MS = 60_000;

export class OwnNetwork {
  private readonly namespace: string;
  private readonly side: EngineSide;
  private readonly settings: NamespaceSettings;
  private making: Promise<Found> | null = null;

  constructor(namespace: string, side: EngineSide, settings: NamespaceSettings) {
    this.namespace = namespace;
    this.side = side;
    this.settings = settings;
  }

  find(): Promise<Found | null> {
    return this.side.directory.find(this.namespace, 'network', DEFAULT_NETWORK);
  }

  /** Somebody will be attached to it again. */
  keep(): void {
    this.side.networkNeededAtMs.set(this.namespace, Date.now());
  }

  async need(): Promise<Found> {
    this.keep();
    await this.side.networkGoing.get(this.namespace);
    const found = await this.find();
    if (found !== null) return found;
    this.making ??= this.make().finally(() => {
      this.making = null;
    });
    return this.making;
  }

  /** What is known of it has turned out not to be so. */
  forget(): void {
    const { directory } = this.side;
    directory.loseNamed(this.namespace, 'network', DEFAULT_NETWORK);
  }

  private async make(): Promise<Found> {
    const { desk, directory, subnets, traffic } = this.side;
    const name = engineName(this.namespace, DEFAULT_NETWORK);
    let said = '';
    traffic.beforeNetwork();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const labels = { ...labelsOf(this.side, this.namespace), [DEFAULT_NETWORK_LABEL]: 'true' };
      const body = bridgeRequest(name, await subnets.choose([4, 6], this.settings.networks), labels);
      const { status, answer } = await desk.order('NetworkCreate', { body });
      if (status < 300) {
        const found: Found = { kind: 'network', id: madeId(answer), name };
        directory.learn(this.namespace, found);
        await traffic.made(found.id);
        return found;
      }
      said = messageIn(answer);
      // Another Berthgate has made it meanwhile; or somebody has taken the addresses, and others are tried.
      const other = await this.find();
      if (other !== null) return other;
    }
    throw new Refusal('own-fault', 'the default network of the namespace cannot be made', { cause: said });
  }
}

/**
 * Removes those that no container refers to, stopped ones included, and that nobody has needed for a while: a row of
 * `docker run --rm` needs one bridge, not many. The engine itself refuses where somebody is attached; whoever has begun
 * to need it meanwhile makes it anew.
 */
export async function removeIdleNetworks(side: EngineSide, idleMs: number = IDLE_MS): Promise<void> {
  const { directory, desk, networkNeededAtMs, networkGoing } = side;
  // Of jobs that are gone nothing is kept.
  for (const [namespace, atMs] of networkNeededAtMs) {
    if (Date.now() - atMs >= idleMs) networkNeededAtMs.delete(namespace);
  }
  const isNeeded = (namespace: string): boolean => Date.now() - (networkNeededAtMs.get(namespace) ?? 0) < idleMs;
  for (const namespace of directory.namespacesWith('network', DEFAULT_NETWORK)) {
    if (isNeeded(namespace)) continue;
    const found = await directory.find(namespace, 'network', DEFAULT_NETWORK);
    if (found === null) continue;
    const query = { all: true, filters: { label: [labelled(namespace)] } };
    const containers = listIn('container', await desk.ask('ContainerList', { query }));
    const refers = (container: Json): boolean =>
      thingIn('container', container)?.labels[PORTS_LABEL] === 'default' ||
      networksOf(container).some((network) => network === found.id || network === found.name);
    // Somebody may have begun to need it while we asked.
    if (containers.some(refers) || isNeeded(namespace)) continue;
    const going = desk.order('NetworkDelete', { parameters: { id: found.id } }).then(({ status }) => {
      if (status < 300) directory.lose('network', found.id);
    });
    // Whoever needs it from now on waits for what becomes of it.
    networkGoing.set(namespace, going.then(noted, noted));
    try {
      await going;
    } finally {
      networkGoing.delete(namespace);
    }
  }
}

function noted(): void {}
