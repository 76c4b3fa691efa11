/** How a container takes part in a network: in create and connect requests, and in what is told of it. */

import { link } from '../grammars/link.ts';
import { address, borrows, labels, own, privilege, repeatedProse, uses } from '../marks.ts';
import { int, language, list, map, object, since, text } from '../shape.ts';

const hardwareAddress = privilege('link-layer', 'chooses its address on a network that others share');
// Whatever it says: the engine does not look whether it is of a network at all.
const linkLocal = privilege('link-layer', 'answers for any address there is, that of metadata services too');

const settings = {
  IPAMConfig: object({
    IPv4Address: text(address),
    IPv6Address: text(address),
    LinkLocalIPs: list(text(address, linkLocal)),
  }),
  Links: list(language(link)),
  Aliases: list(text(address)),
  DriverOpts: since(
    '1.30',
    // Those of ours are among them, and reserved as labels are.
    map(
      text(own),
      text(privilege('kernel', 'options of the network driver, among them sysctls of the interface')),
      labels,
    ),
  ),
  GwPriority: since('1.48', int(own)),
  MacAddress: text(hardwareAddress),
  // Wins over the name under which these settings stand: the container joins the network of this id.
  NetworkID: text(uses('network'), borrows),
  // What follows is told by the engine; of requests it takes these off, though not everywhere.
  EndpointID: text(privilege('link-layer', 'an endpoint as the engine numbers them')),
  Gateway: text(address),
  IPAddress: text(address),
  IPPrefixLen: int(address),
  IPv6Gateway: text(address),
  GlobalIPv6Address: text(address),
  GlobalIPv6PrefixLen: int(address),
  DNSNames: since('1.44', list(text(address))),
};

/** As requests say it. */
export const endpointSettings = object(settings);

/** As the engine tells it: among the names are the container's own, and its short id. */
const endpointState = object({
  ...settings,
  Aliases: list(text(repeatedProse)),
  DNSNames: since('1.44', list(text(repeatedProse))),
  EndpointID: text(),
});

export const networkingConfig = object({
  EndpointsConfig: map(endpointSettings, text(uses('network'), borrows)),
});

export const attachedNetworks = map(endpointState, text(uses('network', 'name')));
