/** The subnets that networks have, and that a create of one says. */

import { formatAddress, readIpNetwork } from '../ground/ip-network.ts';
import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';

/** Addresses for one network. */
export interface ChosenSubnet {
  readonly family: 4 | 6;
  readonly subnet: string;
  /** The bridge's own address. */
  readonly gateway: string;
}

/** Null where a network has none of the family, or nobody can say. */
export interface Gateways {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** Of the answer to a list of networks. */
export function subnetsOf(networks: Json): readonly string[] {
  if (!isList(networks)) return [];
  return networks.flatMap((network) => saidSubnets(network).map(({ subnet }) => subnet));
}

/** Of a network, or of the request that makes one; with its place there. */
export function saidSubnets(network: Json): readonly { readonly subnet: string; readonly place: string }[] {
  return configsOf(network).flatMap(({ Subnet: subnet }, index) =>
    typeof subnet === 'string' && subnet !== '' ? [{ subnet, place: `IPAM.Config[${index}].Subnet` }] : [],
  );
}

/** The families of which the engine would choose a subnet: of a bridge that says none of its own. */
export function unsaidFamilies(body: JsonObject): readonly (4 | 6)[] {
  const { Driver: driver = null, IPAM: ipam = null, ConfigOnly: configOnly = null, ConfigFrom: from = null } = body;
  if (configOnly === true || (isObject(from) && typeof from.Network === 'string' && from.Network !== '')) return [];
  if (driver !== null && driver !== '' && driver !== 'bridge') return [];
  const ipamDriver = isObject(ipam) ? (ipam.Driver ?? '') : '';
  if (ipamDriver !== '' && ipamDriver !== 'default') return [];
  const said = configsOf(body).filter((config) => !saysNothing(config));
  // A gateway of no subnet: the engine says what is wrong with it.
  if (said.some(({ Subnet: subnet = '' }) => subnet === '')) return [];
  const has = (mark: string): boolean => said.some(({ Subnet: subnet }) => String(subnet).includes(mark));
  const ipv4: readonly (4 | 6)[] = has('.') || body.EnableIPv4 === false ? [] : [4];
  return body.EnableIPv6 === true && !has(':') ? [...ipv4, 6] : ipv4;
}

/** The create with these subnets beside those that it says. Networks that are closed to the outside get no gateway from us. */
export function withSubnets(body: JsonObject, chosen: readonly ChosenSubnet[]): JsonObject {
  const ipam = isObject(body.IPAM ?? null) ? (body.IPAM as JsonObject) : {};
  const said = configsOf(body).filter((config) => !saysNothing(config));
  const added = chosen.map(({ subnet, gateway }) =>
    body.Internal === true ? { Subnet: subnet } : { Subnet: subnet, Gateway: gateway },
  );
  return { ...body, IPAM: { ...ipam, Config: [...said, ...added] } };
}

/** Whether the engine has refused a create since somebody has the addresses already. */
export function saysOverlap(message: string): boolean {
  return /Pool overlaps|overlapping IPv[46]|conflicts with network/.test(message);
}

/** Some engines name the network that is in the way by its id and its bridge. */
export function withoutOtherNetwork(message: string): string {
  return message.replace(/(conflicts with network) [0-9a-f]+( \(br-[0-9a-f]+\))?/, '$1');
}

/** The addresses of a bridge at the host, by its inspection: the engine takes the first of a subnet where none is said. */
export function gatewaysOf(inspection: Json): Gateways {
  const none = { ipv4: null, ipv6: null };
  if (!isObject(inspection) || inspection.Driver !== 'bridge' || inspection.Internal === true) return none;
  const gateways = configsOf(inspection).flatMap((config) => gatewayOf(config) ?? []);
  return {
    ipv4: gateways.find((gateway) => !gateway.includes(':')) ?? null,
    ipv6: gateways.find((gateway) => gateway.includes(':')) ?? null,
  };
}

function gatewayOf(config: JsonObject): string | null {
  const { Subnet: subnet = '', Gateway: gateway = '', IPRange: range = '', AuxiliaryAddresses: others = null } = config;
  // Engines tell it with the length of the prefix, where they tell it of the other family.
  if (typeof gateway === 'string' && gateway !== '') return gateway.split('/')[0] as string;
  const reserved = isObject(others) ? Object.keys(others) : [];
  const network = typeof subnet === 'string' ? readIpNetwork(subnet) : null;
  if (network === null || (range !== '' && range !== null) || reserved.length > 0) return null;
  return formatAddress(network.first + 1n, network.family);
}

function configsOf(network: Json): readonly JsonObject[] {
  const configs = isObject(network) ? valueAt(network, ['IPAM', 'Config']) : null;
  return isList(configs) ? configs.map((config) => (isObject(config) ? config : {})) : [];
}

/** Compose says an empty one. */
function saysNothing(config: JsonObject): boolean {
  return Object.values(config).every(
    (value) => value === '' || value === null || (isObject(value) && Object.keys(value).length === 0),
  );
}
