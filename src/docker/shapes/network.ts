/** Networks: how they are made and how they show themselves. */

import { address, own, privilege, publishes, reveals, uses } from '../marks.ts';
import { any, bool, emptyMeans, int, known, list, map, neutral, object, since, text, until } from '../shape.ts';
import { labelMap } from './labels.ts';

const driver = 'a network driver is a program on the host, or a link of the host itself';
const option = emptyMeans(
  'is an option all the same',
  text(privilege('driver', 'an option of the driver that reaches links and addresses of the host')),
);
const gateway = text(privilege('link-layer', 'opens the network to the links around the host'));
const hostAddress = text(privilege('link-layer', 'chooses the address under which it speaks outside the host'));

/** Options of the bridge driver that stay within the network; an option that is not here is a privilege. */
const bridgeOptions = {
  'com.docker.network.driver.mtu': text(own),
  'com.docker.network.container_iface_prefix': text(own),
  'com.docker.network.enable_ipv4': text(own),
  'com.docker.network.enable_ipv6': text(own),
  'com.docker.network.bridge.enable_icc': text(own),
  'com.docker.network.bridge.enable_ip_masquerade': neutral(
    text(privilege('link-layer', "shows the containers' own addresses outside the host")),
    'true',
  ),
  'com.docker.network.bridge.gateway_mode_ipv4': neutral(gateway, 'nat', 'isolated'),
  'com.docker.network.bridge.gateway_mode_ipv6': neutral(gateway, 'nat', 'isolated'),
  'com.docker.network.bridge.host_binding_ipv4': text(publishes('address')),
  'com.docker.network.host_ipv4': hostAddress,
  'com.docker.network.host_ipv6': hostAddress,
  // Takes over whatever bridge of the host has the name, docker0 too; it goes when the network is removed.
  'com.docker.network.bridge.name': text(privilege('driver', 'takes over a bridge of the host, and destroys it later')),
  'com.docker.network.bridge.trusted_host_interfaces': gateway,
  'com.docker.network.bridge.inhibit_ipv4': text(own),
};

const subnet = privilege('routes', 'the host sends everything for this subnet into the network');

/** What a client says of the addresses of a network. */
export const ipamRequest = object({
  Driver: neutral(text(privilege('driver', driver)), 'default'),
  Options: map(option, text(own)),
  Config: list(
    object({
      Subnet: text(address, subnet),
      IPRange: text(address),
      Gateway: text(address),
      AuxiliaryAddresses: map(text(address), text(own)),
    }),
  ),
});

export const networkDriver = neutral(text(privilege('driver', driver)), 'bridge');
export const networkOptions = known(map(option, text(own)), bridgeOptions);

const ipam = object({
  Driver: text(),
  Options: map(text()),
  Config: list(
    object({
      Subnet: text(address),
      IPRange: text(address),
      Gateway: text(address),
      AuxiliaryAddresses: map(text(address)),
    }),
  ),
});

const attached = object({
  Name: since('1.30', text(uses('container', 'name'))),
  EndpointID: text(),
  MacAddress: text(address),
  IPv4Address: text(address),
  IPv6Address: text(address),
});

/** Who is attached, by the full id of the container. */
const containers = map(attached, text(uses('container', 'id')));

const common = {
  Name: text(uses('network', 'name')),
  Id: text(uses('network', 'id')),
  Created: text(),
  Scope: text(),
  Driver: text(),
  EnableIPv4: since('1.47', bool()),
  EnableIPv6: bool(),
  IPAM: ipam,
  Internal: bool(),
  Attachable: since('1.27', bool()),
  Ingress: since('1.29', bool()),
  ConfigFrom: object({ Network: text(uses('network', 'name')) }),
  ConfigOnly: bool(),
  Options: known(map(text()), { 'com.docker.network.bridge.name': text(reveals('host')) }),
  Labels: labelMap,
  Peers: list(object({ Name: text(reveals('host')), IP: text(reveals('host')) })),
};

export const networkSummary = object({ ...common, Containers: until('1.51', containers) });

export const networkInspect = object({
  ...common,
  Containers: containers,
  Services: any(reveals('others')),
  Status: since(
    '1.52',
    object({ IPAM: object({ Subnets: map(object({ IPsInUse: int(), DynamicIPsAvailable: int() }), text(address)) }) }),
  ),
});
