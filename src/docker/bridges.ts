/** What packets meet on an engine's host: the bridges of networks, and the ports that containers have published there. */

import { isList, isObject, type Json } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';
import { type NamedThing, thingIn } from './named-things.ts';

/** What makes bridges come and go, and ports open and close. */
export const trafficEvents = {
  type: ['container', 'network'],
  event: ['start', 'die', 'create', 'destroy', 'connect', 'disconnect'],
};

export interface NetworkBridge extends NamedThing {
  /** The name of the host's link. */
  readonly link: string;
  /** Of the network that containers are on whose create names none, and where steps of builds run. */
  readonly isDefault: boolean;
}

export interface PublishedPort {
  /** As the engine says it: `0.0.0.0` and `::` for all of the host's. */
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

/** Null for networks that have no bridge of their own. */
export function bridgeIn(network: Json): NetworkBridge | null {
  const thing = thingIn('network', network);
  if (thing === null || !isObject(network) || network.Driver !== 'bridge') return null;
  // A network of which others take their settings has none itself.
  if (network.ConfigOnly === true) return null;
  const named = valueAt(network, ['Options', 'com.docker.network.bridge.name']);
  const link = typeof named === 'string' && named !== '' ? named : `br-${thing.id.slice(0, 12)}`;
  const isDefault = valueAt(network, ['Options', 'com.docker.network.bridge.default_bridge']) === 'true';
  return { ...thing, link, isDefault };
}

/** Of one entry in a list of containers; those that do not run have none. */
export function portsIn(container: Json): readonly PublishedPort[] {
  const ports = isObject(container) ? (container.Ports ?? null) : null;
  if (!isList(ports)) return [];
  return ports.flatMap((one) => {
    if (!isObject(one) || typeof one.Type !== 'string') return [];
    const port = Number(one.PublicPort ?? 0);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return [];
    return [{ address: typeof one.IP === 'string' ? one.IP : '', protocol: one.Type, port }];
  });
}

/** Of a network event: the container that was connected or taken off, whose ports may be others now. */
export function memberIn(event: Json): string | null {
  const member = valueAt(event, ['Actor', 'Attributes', 'container']);
  return typeof member === 'string' && member !== '' ? member : null;
}
