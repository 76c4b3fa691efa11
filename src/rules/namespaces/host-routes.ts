/** What the host sends somewhere already: no network of containers may take it away. Of Linux, where the engine is at this host. */

import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { type IpNetwork, readIpNetwork } from '../../ground/ip-network.ts';

/** Routes to everywhere are left out. Empty where the system tells none. */
export async function hostRoutes(): Promise<readonly IpNetwork[]> {
  const [ipv4, ipv6] = await Promise.all([read('/proc/net/route'), read('/proc/net/ipv6_route')]);
  return [...routesIn(ipv4, readIpv4Route), ...routesIn(ipv6, readIpv6Route)];
}

function routesIn(table: string, readRoute: (fields: readonly string[]) => string | null): readonly IpNetwork[] {
  return table.split('\n').flatMap((line) => {
    const route = readRoute(line.trim().split(/\s+/));
    return route === null || route.endsWith('/0') ? [] : (readIpNetwork(route) ?? []);
  });
}

/** Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses are 32 bits as the host stores them, in hexadecimal. */
export function readIpv4Route(fields: readonly string[]): string | null {
  const [, destination = '', , , , , , mask = ''] = fields;
  const address = bytesOf(destination);
  const bits = bytesOf(mask);
  if (address === null || bits === null) return null;
  const prefix = [...bits].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  return `${address.join('.')}/${prefix}`;
}

function bytesOf(hex: string): Uint8Array | null {
  if (!/^[0-9A-F]{8}$/i.test(hex)) return null;
  const bytes = Buffer.from(hex, 'hex');
  return endianness() === 'LE' ? bytes.reverse() : bytes;
}

/** Destination, the length of its prefix in hexadecimal, … */
export function readIpv6Route(fields: readonly string[]): string | null {
  const [destination = '', prefix = ''] = fields;
  if (!/^[0-9a-f]{32}$/i.test(destination) || !/^[0-9a-f]{2}$/i.test(prefix)) return null;
  return `${destination.match(/.{4}/g)?.join(':')}/${Number.parseInt(prefix, 16)}`;
}

/** Not there: another system, or a host without the family. */
async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}
