/** How a container takes part in a network that strangers are on too: what would give it a name or an address of its choice. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import { isEmpty } from './neutral.ts';
import { withoutReserved } from './reserved-labels.ts';

/** Addresses of the client's choice. */
const chosenAddresses = ['IPAMConfig', 'MacAddress', 'LinkLocalIPs'];
/** What the embedded DNS would answer to everybody on the network. */
const names = ['Aliases', 'DNSNames'];

export interface JoinedNetwork {
  /** Where the settings stand in the body. */
  readonly place: string;
  readonly settings: JsonObject;
}

/** What a create, or a connect to `network`, says of each network that is shared. An id in the settings wins over their key. */
export function sharedEndpoints(
  body: JsonObject,
  network: string | null,
  isShared: (network: string) => boolean,
): readonly JoinedNetwork[] {
  if (network !== null) {
    const settings = objectOf(body.EndpointConfig);
    return isShared(network) || isShared(idIn(settings)) ? [{ place: 'EndpointConfig', settings }] : [];
  }
  const said = Object.entries(endpointsOf(body)).map(([name, value]): readonly [string, JsonObject] => [
    name,
    objectOf(value),
  ]);
  const joined = said.filter(([name, settings]) => isShared(name) || isShared(idIn(settings)));
  const main = objectOf(body.HostConfig).NetworkMode;
  const beside = typeof main === 'string' && isShared(main) && !joined.some(([name]) => name === main);
  return [
    ...joined.map(([name, settings]) => ({
      place: `NetworkingConfig.EndpointsConfig[${JSON.stringify(name)}]`,
      settings,
    })),
    ...(beside ? [{ place: 'HostConfig.NetworkMode', settings: {} }] : []),
  ];
}

/** The first setting that chooses an address; null where none does. */
export function chosenAddress({ settings }: JoinedNetwork): string | null {
  return chosenAddresses.find((key) => !saysNothing(settings[key] ?? null)) ?? null;
}

/** Without names on the networks that are shared; the container goes on having them on the others. */
export function withoutSharedNames(
  body: JsonObject,
  network: string | null,
  isShared: (network: string) => boolean,
): JsonObject {
  if (network !== null) {
    const settings = objectOf(body.EndpointConfig);
    const shared = isShared(network) || isShared(idIn(settings));
    return shared ? { ...body, EndpointConfig: withoutNames(settings) } : body;
  }
  const endpoints: Record<string, Json> = Object.create(null);
  for (const [name, value] of Object.entries(endpointsOf(body))) {
    const settings = objectOf(value);
    endpoints[name] = isShared(name) || isShared(idIn(settings)) ? withoutNames(settings) : value;
  }
  const config = objectOf(body.NetworkingConfig);
  return { ...body, NetworkingConfig: { ...config, EndpointsConfig: endpoints } };
}

/** On a user's network an engine answers to the host name too, where it is not the beginning of the id. */
export function hostnameOf(body: JsonObject): string {
  return typeof body.Hostname === 'string' ? body.Hostname : '';
}

/** The host name of a container that is there; empty where nobody chose it. */
export function chosenHostname(inspection: Json): string {
  if (!isObject(inspection)) return '';
  const hostname = hostnameOf(objectOf(inspection.Config));
  return typeof inspection.Id === 'string' && inspection.Id.startsWith(hostname) ? '' : hostname;
}

/** Of the container as a whole, as clients before 1.44 say it. */
export function saysHardwareAddress(body: JsonObject): boolean {
  return typeof body.MacAddress === 'string' && body.MacAddress !== '';
}

/** Neither are names kept there to be used at a later start. */
function withoutNames(settings: JsonObject): JsonObject {
  const kept: Record<string, Json> = Object.fromEntries(
    Object.entries(settings).filter(([key]) => !names.includes(key)),
  );
  return isObject(kept.DriverOpts ?? null)
    ? { ...kept, DriverOpts: withoutReserved(kept.DriverOpts as JsonObject) }
    : kept;
}

function saysNothing(value: Json): boolean {
  return isEmpty(value) || (isObject(value) && Object.values(value).every(isEmpty));
}

function endpointsOf(body: JsonObject): JsonObject {
  return objectOf(objectOf(body.NetworkingConfig).EndpointsConfig);
}

function idIn({ NetworkID: id = '' }: JsonObject): string {
  return typeof id === 'string' ? id : '';
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value ?? null) ? (value as JsonObject) : {};
}
