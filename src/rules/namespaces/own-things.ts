/** What of a namespace a client's references mean: containers, networks, volumes and the commands in containers. */

import { LRUCache } from 'lru-cache';
import { absence } from '../../docker/lends.ts';
import type { NamedKind } from '../../docker/named-things.ts';
import { containerOfExec } from '../../docker/own-requests.ts';
import type { Call } from '../../exchange/call.ts';
import type { Found } from './directory.ts';
import type { EngineSide } from './engine-side.ts';
import { DEFAULT_NETWORK } from './names.ts';
import type { OwnNetwork } from './own-network.ts';
import { keyOf, type Reference, type Resolved } from './references.ts';
import type { SharedNetworks } from './shared-networks.ts';

const EXECS_KEPT = 10_000;

export class OwnThings {
  private readonly name: string;
  private readonly side: EngineSide;
  private readonly shared: SharedNetworks;
  private readonly network: OwnNetwork;
  /** The containers of commands: an exec never moves to another one. */
  private readonly execs = new LRUCache<string, string>({ max: EXECS_KEPT });

  constructor(name: string, side: EngineSide, shared: SharedNetworks, network: OwnNetwork) {
    this.name = name;
    this.side = side;
    this.shared = shared;
    this.network = network;
  }

  /** Null where it is not there, and need not be: `force` of a volume. */
  async resolve(references: readonly Reference[], call: Call): Promise<Resolved | null> {
    const resolved = new Map<string, Found>();
    for (const reference of references) {
      const { kind, text, made, filter } = reference;
      if (kind === 'exec') {
        await this.ownExec(text);
        continue;
      }
      const found = await this.findOne(reference, call);
      if (found !== null) resolved.set(keyOf(kind, text), found);
      else if (call.endpoint.id === 'VolumeDelete' && call.query.force === true) return null;
      else if (!made && !(filter && kind !== 'container')) throw absence(kind, text, call.endpoint);
    }
    return resolved;
  }

  private findOne({ kind, text, filter }: Reference, call: Call): Promise<Found | null> {
    // Looking at the default network must not be told from having it.
    const needed = kind === 'network' && text === DEFAULT_NETWORK && !filter && call.endpoint.id !== 'NetworkDelete';
    return needed ? this.network.need() : this.findThing(kind as NamedKind, text);
  }

  private async findThing(kind: NamedKind, text: string): Promise<Found | null> {
    if (kind === 'network' && this.shared.hasName(text)) return this.shared.find(text);
    const own = await this.side.directory.find(this.name, kind, text);
    return own ?? (kind === 'network' ? this.shared.find(text) : null);
  }

  /** What the engine is to be told. @throws Refusal where it is not there */
  async engineReference(reference: Reference): Promise<string> {
    if (reference.kind === 'exec') {
      await this.ownExec(reference.text);
      return reference.text;
    }
    const found =
      reference.kind === 'network' && reference.text === DEFAULT_NETWORK
        ? await this.network.need()
        : await this.findThing(reference.kind, reference.text);
    if (found === null) throw absence(reference.kind, reference.text);
    return found.id;
  }

  /** @throws Refusal in dockerd's words, at the same cost for what is another's and for what is not there */
  private async ownExec(id: string): Promise<void> {
    const known = this.execs.get(id);
    if (known !== undefined && this.side.directory.isOwn(this.name, known)) return;
    const container = containerOfExec(await this.side.desk.ask('ExecInspect', { parameters: { id } }));
    const found = await this.side.directory.find(this.name, 'container', container ?? id);
    if (container === null || found?.id !== container) throw absence('exec', id);
    this.execs.set(id, container);
  }
}
