/** Networks of addresses (`10.5.0.0/16`): which lies within which, and which overlap. */

import { isIP, isIPv4 } from 'node:net';

export interface IpNetwork {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** Null for what is none, and for an address inside a network, which some read as the one and some as the other. */
export function readIpNetwork(text: string): IpNetwork | null {
  const found = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(text);
  const address = found?.[1] ?? '';
  const family = isIP(address);
  const prefix = Number(found?.[2]);
  const width = family === 4 ? 32 : 128;
  if (family === 0 || prefix > width) return null;
  const first = bitsOf(address);
  const rest = (1n << BigInt(width - prefix)) - 1n;
  return (first & rest) === 0n ? { family: family as 4 | 6, first, last: first | rest } : null;
}

export function liesWithin(inner: IpNetwork, outer: IpNetwork): boolean {
  return inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last;
}

export function overlaps(one: IpNetwork, other: IpNetwork): boolean {
  return one.family === other.family && one.first <= other.last && other.first <= one.last;
}

/** As engines write them: IPv6 with its longest run of zeros left out. */
export function formatAddress(bits: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - i * 16)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function bitsOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  // The URL parser writes every form of an IPv6 address (also ::ffff:1.2.3.4) as groups of hexadecimal digits.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
