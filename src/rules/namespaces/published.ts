/** Published ports of a namespace: at the one address that the listener says, within its range, whatever a client asks for. */

import {
  type PortPlace,
  placePorts,
  publishEach,
  publishesAll,
  publishesPorts,
  readHostPorts,
} from '../../docker/published-ports.ts';
import { gatewaysOf } from '../../docker/subnets.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Json, JsonObject } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { PortSettings } from './engine-side.ts';
import { RULE } from './references.ts';

/** As the listener writes it for the bridge addresses of the namespace. */
const GATEWAY = 'gateway';

/** Where the engine's own choice of a port is within the range anyway: the kernel's ephemeral ports. */
const ANY = { first: 1024, last: 65_535 };
/** Engines since then, by the minor number of the API, choose one port for all addresses of a published one. */
const ONE_PORT_SINCE = 48;

export interface PublishingFrom {
  /** The minor number of the API version that the client speaks. */
  readonly version: number;
  readonly inspectImage: (name: string) => Promise<Json>;
  readonly inspectDefaultBridge: () => Promise<Json>;
  /** The bridge of the namespace that the container is on first; null for the default one, and for none. */
  readonly inspectOwnBridge: () => Promise<Json>;
}

/** The create with its ports where they may stand. @throws Refusal for a port out of range */
export async function publish(body: JsonObject, settings: PortSettings, from: PublishingFrom): Promise<JsonObject> {
  const image = publishesAll(body);
  const named = image === null ? body : publishEach(body, await from.inspectImage(image));
  if (!publishesPorts(named)) return named;
  const { address, range } = settings;
  if (address !== GATEWAY) {
    return placePorts(named, (said, place) => [{ address, port: portWithin(said.port, range, place) }]);
  }
  // In a container clients look for a port at the gateway of `bridge`, or at that of the container that has it.
  const bridges = [await from.inspectDefaultBridge(), await from.inspectOwnBridge()];
  const [first, ...others] = bridges.flatMap((bridge) => {
    const { ipv4, ipv6 } = gatewaysOf(bridge);
    return ipv4 === null ? [] : [{ ipv4, ipv6 }];
  });
  if (first === undefined) {
    throw new Refusal('own-fault', 'the address of the namespace at the host is not known', { place: 'HostConfig' });
  }
  return placePorts(named, (said, place) => {
    const port = portWithin(said.port, range, place);
    const isOne = from.version >= ONE_PORT_SINCE || /^[0-9]+$/.test(port);
    return (isOne ? [first, ...others] : [first]).map((gateways) => ({ address: gatewayFor(said, gateways), port }));
  });
}

interface Bridged {
  readonly ipv4: string;
  readonly ipv6: string | null;
}

/** Who asks for an address of IPv6 gets one, where the network has it. */
function gatewayFor({ address }: PortPlace, { ipv4, ipv6 }: Bridged): string {
  return (address.includes(':') ? ipv6 : null) ?? ipv4;
}

function portWithin(said: string, range: PortSettings['range'], place: string): string {
  const ports = readHostPorts(said);
  if (ports === null) {
    const any = range.first <= ANY.first && range.last >= ANY.last;
    return any ? '' : `${range.first}-${range.last}`;
  }
  if (ports === undefined || ports.first < range.first || ports.last > range.last) {
    throw refuse(RULE, 'published-ports', `must be a port from ${range.first} to ${range.last}`, {
      place: `${place}.HostPort`,
      hint: 'or 0 for any free one',
    });
  }
  return said;
}
