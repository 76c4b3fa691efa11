/** Addresses that are nobody's on the open internet: of this machine, of its networks, of clouds' own services. */

import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registries: all that is not globally reachable, and forms that hide an IPv4 address. */
const INNER: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // All but 2000::/3, where the internet is; so an IPv4 address in the clothes of IPv6 is refused, too.
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

export interface Network {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

/** Whether an address may be connected to: an outer one, or one in a network that is allowed. */
export function reachableAddresses(allowed: readonly Network[]): (address: string) => boolean {
  const inner = { ipv4: new BlockList(), ipv6: new BlockList() };
  const allow = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const [address, prefix] of INNER) {
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    inner[family].addSubnet(address, prefix, family);
  }
  for (const { address, prefix, family } of allowed) allow[family].addSubnet(address, prefix, family);
  return (address) => {
    const version = isIP(address);
    if (version === 0) return false;
    // A list of both families finds every IPv4 address in ::/3.
    const family = version === 4 ? 'ipv4' : 'ipv6';
    return allow[family].check(address, family) || !inner[family].check(address, family);
  };
}
