/** The default network of a namespace: a bridge of its own that clients see as `bridge`, made when it is first needed. */

import { messageIn } from '../../docker/named-things.ts';
import { bridgeRequest, madeId } from '../../docker/own-requests.ts';
import { DEFAULT_NETWORK_LABEL } from '../../docker/reserved-labels.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { Found } from './directory.ts';
import type { EngineSide, NamespaceSettings } from './engine-side.ts';
import { DEFAULT_NETWORK } from './names.ts';
import { ATTEMPTS } from './own-subnets.ts';
import { labelsOf } from './ownership.ts';

/** How long a namespace without containers keeps its network. */
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
    const found = await this.find();
    if (found !== null) return found;
    this.making ??= this.make().finally(() => {
      this.making = null;
    });
    return this.making;
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
 * Removes those of namespaces that have had no container for a while: a row of `docker run --rm` needs one bridge, not
 * many. The engine itself refuses where somebody is attached.
 */
export async function removeIdleNetworks(side: EngineSide): Promise<void> {
  const { directory, desk, networkNeededAtMs } = side;
  for (const namespace of directory.namespacesWith('network', DEFAULT_NETWORK)) {
    if (Date.now() - (networkNeededAtMs.get(namespace) ?? 0) < IDLE_MS) continue;
    const found = await directory.find(namespace, 'network', DEFAULT_NETWORK);
    if (found === null || (await directory.all(namespace, 'container')).length > 0) continue;
    // Somebody may have begun to need it while we asked.
    if (Date.now() - (networkNeededAtMs.get(namespace) ?? 0) < IDLE_MS) continue;
    const { status } = await desk.order('NetworkDelete', { parameters: { id: found.id } });
    if (status >= 300) continue;
    directory.lose('network', found.id);
    networkNeededAtMs.delete(namespace);
  }
}
