/** A create, made one of its namespace: named, labelled, with volumes and a network that belong to it from the start. */

import {
  imageOf,
  mainNetworkOf,
  mountedVolumes,
  removedByEngine,
  saysLegacyFields,
  unnamedVolumes,
  volumesFromOf,
  wishFor,
  withEndpoints,
  withNetworkNamed,
  withNetworkSaid,
  withVolumesAt,
} from '../../docker/container-create.ts';
import { joining } from '../../docker/joined-endpoint.ts';
import { claimOf, INSTALLATION_LABEL, PORTS_LABEL, VOLUMES_LABEL, withLabels } from '../../docker/reserved-labels.ts';
import type { Call } from '../../exchange/call.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { isObject, type Json, type JsonObject } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import { pickName } from './container-names.ts';
import type { EngineSide, NamespaceSettings } from './engine-side.ts';
import { clientName, DEFAULT_NETWORK } from './names.ts';
import type { OwnNetwork } from './own-network.ts';
import { labelsOf } from './ownership.ts';
import { publish } from './published.ts';
import type { Reference } from './references.ts';
import { type Awaiting, makeAwaiting, makeVolume } from './volumes.ts';

export class OwnCreate {
  private readonly namespace: string;
  private readonly side: EngineSide;
  private readonly settings: NamespaceSettings;
  private readonly network: OwnNetwork;

  constructor(namespace: string, side: EngineSide, settings: NamespaceSettings, network: OwnNetwork) {
    this.namespace = namespace;
    this.side = side;
    this.settings = settings;
    this.network = network;
  }

  /** In the client's names: everything is named that the engine would choose by itself. */
  async before(call: Call): Promise<Call> {
    const { body } = call;
    if (!isObject(body)) return call;
    if (saysLegacyFields(body)) {
      const message = 'fields of the host configuration must stand in HostConfig';
      throw new Refusal('unreadable-body', message, { place: 'HostConfig' });
    }
    const name = call.query.name;
    const named = typeof name === 'string' && name !== '' ? name : await this.newName();
    return { ...call, query: { ...call.query, name: named }, body: withNetworkNamed(body, DEFAULT_NETWORK) };
  }

  /** Volumes that the create names, each with its owner before anything can mount it. */
  async makeNamed(body: JsonObject, references: readonly Reference[]): Promise<void> {
    for (const { kind, text, made } of references) {
      if (kind !== 'volume' || !made) continue;
      const name = engineName(this.namespace, text);
      if (this.side.directory.knowsName(this.namespace, 'volume', text)) continue;
      await makeVolume(this.side, this.namespace, name, wishFor(body, text));
    }
  }

  /** In the engine's names, `defaults` among them: those of the default network. Gives the volumes that were made for this container alone. */
  async after(
    call: Call,
    defaults: ReadonlySet<string>,
  ): Promise<{ readonly call: Call; readonly volumes: Awaiting | null }> {
    if (!isObject(call.body)) return { call, volumes: null };
    const { body, leans } = await this.publish(call.body, call.version);
    const alias = clientName(this.namespace, String(call.query.name)) ?? '';
    const targets = await this.unnamed(body);
    const goes = removedByEngine(body);
    const volumes = await makeAwaiting(this.side, this.namespace, targets.length, goes, claimOf(body));
    const at = new Map(targets.map((target, index) => [target, volumes.names[index] as string]));
    const mounted = withEndpoints(withVolumesAt(body, at), (network, said) =>
      network === 'none' ? said : joining(said, alias, defaults.has(network)),
    );
    // By its name, which goes on meaning it when the network has been made again.
    const settled = withNetworkSaid(mounted, defaults, engineName(this.namespace, DEFAULT_NETWORK));
    const gone = goes ? volumes.names.map((name) => clientName(this.namespace, name)).join(' ') : '';
    const labels = {
      ...labelsOf(this.side, this.namespace),
      [INSTALLATION_LABEL]: this.side.ledger.installation.id,
      [VOLUMES_LABEL]: gone,
      [PORTS_LABEL]: leans ? 'default' : '',
    };
    return { call: { ...call, body: withLabels(settled, labels) }, volumes };
  }

  private newName(): Promise<string> {
    return pickName(async (name) => this.side.directory.knowsName(this.namespace, 'container', name));
  }

  /** `leans`: at an address of the default network, whatever networks it is on. */
  private async publish(
    body: JsonObject,
    version: number,
  ): Promise<{ readonly body: JsonObject; readonly leans: boolean }> {
    let leans = false;
    const published = await publish(body, this.settings.ports, {
      version,
      inspectImage: (name) => this.inspectImage(name),
      inspectDefaultBridge: async () => {
        leans = true;
        return this.side.desk.ask('NetworkInspect', { parameters: { id: (await this.network.need()).id } });
      },
      inspectOwnBridge: () => this.inspectOwnBridge(mainNetworkOf(body)),
    });
    return { body: published, leans };
  }

  private async inspectOwnBridge(network: string): Promise<Json> {
    const { desk, directory } = this.side;
    if (!directory.isOwn(this.namespace, network)) return null;
    return desk.ask('NetworkInspect', { parameters: { id: network } });
  }

  /** Where the engine would make volumes without a name. */
  private async unnamed(body: JsonObject): Promise<readonly string[]> {
    const image = await this.inspectImage(imageOf(body));
    // The engine says that the image is missing; the client pulls it, and comes again.
    if (image === null) return [];
    const lent: string[] = [];
    for (const id of volumesFromOf(body)) {
      const inspection = await this.side.desk.ask('ContainerInspect', { parameters: { id } });
      lent.push(...mountedVolumes(inspection).map(({ target }) => target));
    }
    return unnamedVolumes(body, image, lent);
  }

  private async inspectImage(name: string) {
    return name === '' ? null : this.side.desk.ask('ImageInspect', { parameters: { name } });
  }
}
