/** Published ports of a namespace: at the one address that the listener says, within its range, whatever a client asks for. */

import {
  type PortPlace,
  placePorts,
  publishEach,
  publishesAll,
  publishesPorts,
  readHostPorts,
} from '../../docker/published-ports.ts';
import { type Gateways, gatewaysOf } from '../../docker/subnets.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Json, JsonObject } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { PortSettings } from './engine-side.ts';
import { RULE } from './references.ts';

/** As the listener writes it for the bridge address of the container's own network. */
const GATEWAY = 'gateway';

/** Where the engine's own choice of a port is within the range anyway: the kernel's ephemeral ports. */
const ANY = { first: 1024, last: 65_535 };

export interface PublishingFrom {
  readonly inspectImage: (name: string) => Promise<Json>;
  /** The bridge of the namespace that the container is on, or its default one. */
  readonly inspectBridge: () => Promise<Json>;
}

/** The create with its ports where they may stand. @throws Refusal for a port out of range */
export async function publish(body: JsonObject, settings: PortSettings, from: PublishingFrom): Promise<JsonObject> {
  const image = publishesAll(body);
  const named = image === null ? body : publishEach(body, await from.inspectImage(image));
  if (!publishesPorts(named)) return named;
  const { address, range } = settings;
  const gateways = address === GATEWAY ? gatewaysOf(await from.inspectBridge()) : null;
  if (gateways !== null && gateways.ipv4 === null) {
    throw new Refusal('own-fault', 'the address of the namespace at the host is not known', { place: 'HostConfig' });
  }
  return placePorts(named, (said, place) => ({
    address: gateways === null ? address : gatewayFor(said, gateways),
    port: portWithin(said.port, range, place),
  }));
}

/** Who asks for an address of IPv6 gets one, where the network has it. */
function gatewayFor({ address }: PortPlace, { ipv4, ipv6 }: Gateways): string {
  return (address.includes(':') ? ipv6 : null) ?? (ipv4 as string);
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
