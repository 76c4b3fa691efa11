/**
 * Networks of the engine that an administrator shares with every namespace, under their own name: they can be joined, left
 * and looked at. Strangers meet there, so nobody takes a name or an address of its choice.
 */

import { connectedContainer } from '../../docker/container-create.ts';
import { listIn, type NamedThing, thingIn } from '../../docker/named-things.ts';
import type { FilterValues } from '../../docker/query.ts';
import { NAMESPACE_LABEL } from '../../docker/reserved-labels.ts';
import {
  chosenAddress,
  chosenHostname,
  hostnameOf,
  saysHardwareAddress,
  sharedEndpoints,
  withoutSharedNames,
} from '../../docker/shared-endpoints.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import { isObject, type Json } from '../../ground/json.ts';
import type { Found } from './directory.ts';
import { RULE } from './references.ts';

/** Of a list: `dangling` would tell whether others use it. */
const UNANSWERED = 'dangling';

export class SharedNetworks {
  private readonly names: ReadonlySet<string>;
  private readonly desk: EngineDesk;
  private readonly nameById = new Map<string, string>();

  constructor(names: readonly string[], desk: EngineDesk) {
    this.names = new Set(names);
    this.desk = desk;
  }

  hasName(name: string): boolean {
    return this.names.has(name);
  }

  /** Null for what is not known to be shared. */
  nameOf(id: string): string | null {
    return this.nameById.get(id) ?? null;
  }

  readonly isShared = (id: string): boolean => this.nameById.has(id);

  /** By its name, its id or the beginning of it; null for what is not shared, or not there. */
  async find(reference: string): Promise<Found | null> {
    if (this.names.size === 0) return null;
    const shared = (await this.list({})).map(({ thing }) => thing);
    const named = shared.filter(({ name }) => name === reference);
    const found = named.length > 0 ? named : shared.filter(({ id }) => reference !== '' && id.startsWith(reference));
    const [one] = found;
    return one === undefined || found.length > 1 ? null : { kind: 'network', id: one.id, name: one.name };
  }

  /** Those that a list of networks asks for, as the engine tells them. */
  async listedFor({ query }: Call): Promise<readonly Json[]> {
    const said = (query.filters ?? {}) as FilterValues;
    if (this.names.size === 0 || said[UNANSWERED] !== undefined) return [];
    return (await this.list(said)).map(({ item }) => item);
  }

  /** Knows afterwards which ids are shared. */
  async settle(): Promise<void> {
    if (this.names.size > 0 && this.nameById.size === 0) await this.list({});
  }

  /** Of a create, or a connect, in the engine's names. @throws Refusal for an address or a host name of its choice there */
  async refuseChoices(call: Call): Promise<void> {
    const { body } = call;
    if (this.nameById.size === 0 || !isObject(body)) return;
    const network = connectedNetwork(call);
    const joined = sharedEndpoints(body, network, this.isShared);
    if (joined.length === 0) return;
    for (const one of joined) {
      const chosen = chosenAddress(one);
      if (chosen !== null) throw this.objection(`${one.place}.${chosen}`, 'an address of its own choice');
    }
    if (saysHardwareAddress(body)) throw this.objection('MacAddress', 'an address of its own choice');
    if (network === null ? hostnameOf(body) !== '' : (await this.hostnameOf(connectedContainer(body))) !== '') {
      throw this.objection(network === null ? 'Hostname' : 'Container', 'a host name, which others would find it by');
    }
  }

  /** The same call with no name of the client's on what is shared. */
  withoutNames(call: Call): Call {
    const { body } = call;
    if (this.nameById.size === 0 || !isObject(body)) return call;
    return { ...call, body: withoutSharedNames(body, connectedNetwork(call), this.isShared) };
  }

  private objection(place: string, what: string) {
    return refuse(RULE, 'shared', `must not be set: nobody has ${what} in a network that is shared`, { place });
  }

  private async hostnameOf(id: string): Promise<string> {
    return chosenHostname(await this.desk.ask('ContainerInspect', { parameters: { id } }));
  }

  private async list(said: FilterValues): Promise<readonly { readonly thing: NamedThing; readonly item: Json }[]> {
    const filters = said.name === undefined ? { ...said, name: [...this.names] } : said;
    const answer = await this.desk.ask('NetworkList', { query: { filters } });
    return listIn('network', answer).flatMap((item) => {
      const thing = thingIn('network', item);
      if (thing === null || !this.names.has(thing.name) || NAMESPACE_LABEL in thing.labels) return [];
      this.nameById.set(thing.id, thing.name);
      return [{ thing, item }];
    });
  }
}

function connectedNetwork({ endpoint, parameters }: Call): string | null {
  return endpoint.id === 'NetworkConnect' ? (parameters.id as string) : null;
}
