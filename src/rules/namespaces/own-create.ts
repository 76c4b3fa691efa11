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
  withVolumesAt,
} from '../../docker/container-create.ts';
import { claimOf, VOLUMES_LABEL, withLabels } from '../../docker/reserved-labels.ts';
import { gatewaysOf } from '../../docker/subnets.ts';
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
import { makeUnnamed, makeVolume } from './volumes.ts';

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

  /** In the engine's names. Gives the volumes that were made for this container alone. */
  async after(call: Call): Promise<{ readonly call: Call; readonly volumes: readonly string[] }> {
    if (!isObject(call.body)) return { call, volumes: [] };
    const body = await this.publish(call.body);
    const alias = clientName(this.namespace, String(call.query.name)) ?? '';
    const volumes = await this.makeUnnamed(body);
    const names = [...volumes.values()];
    const mounted = withEndpoints(withVolumesAt(body, volumes), alias, (network) => network !== 'none');
    const gone = removedByEngine(body) ? names.map((name) => clientName(this.namespace, name)).join(' ') : '';
    return {
      call: { ...call, body: withLabels(mounted, { ...labelsOf(this.side, this.namespace), [VOLUMES_LABEL]: gone }) },
      volumes: names,
    };
  }

  private newName(): Promise<string> {
    return pickName(async (name) => this.side.directory.knowsName(this.namespace, 'container', name));
  }

  private publish(body: JsonObject): Promise<JsonObject> {
    return publish(body, this.settings.ports, {
      inspectImage: (name) => this.inspectImage(name),
      inspectBridge: () => this.inspectBridge(mainNetworkOf(body)),
    });
  }

  /** Of another driver, or of no network, there is no address at the host: the namespace's default bridge has one. */
  private async inspectBridge(network: string): Promise<Json> {
    const { desk, directory } = this.side;
    if (directory.isOwn(this.namespace, network)) {
      const inspection = await desk.ask('NetworkInspect', { parameters: { id: network } });
      if (gatewaysOf(inspection).ipv4 !== null) return inspection;
    }
    return desk.ask('NetworkInspect', { parameters: { id: (await this.network.need()).id } });
  }

  private async makeUnnamed(body: JsonObject): Promise<ReadonlyMap<string, string>> {
    const made = new Map<string, string>();
    const image = await this.inspectImage(imageOf(body));
    // The engine says that the image is missing; the client pulls it, and comes again.
    if (image === null) return made;
    const lent: string[] = [];
    for (const id of volumesFromOf(body)) {
      const inspection = await this.side.desk.ask('ContainerInspect', { parameters: { id } });
      lent.push(...mountedVolumes(inspection).map(({ target }) => target));
    }
    for (const target of unnamedVolumes(body, image, lent))
      made.set(target, await makeUnnamed(this.side, this.namespace, claimOf(body)));
    return made;
  }

  private async inspectImage(name: string) {
    return name === '' ? null : this.side.desk.ask('ImageInspect', { parameters: { name } });
  }
}
