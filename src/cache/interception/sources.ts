/** Where a client comes from: the network of the bridge that its packets arrive on. One namespace's are never another's. */

import { BlockList, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { LRUCache } from 'lru-cache';

const MOST_CLIENTS = 10_000;
/** To ask the system takes milliseconds where hundreds of containers run. */
const KEPT_MS = 5000;

export class Sources {
  private readonly networks = new LRUCache<string, string>({ max: MOST_CLIENTS, ttl: KEPT_MS });
  private interfaces = networkInterfaces();
  private askedAtMs = performance.now();

  networkOf(address: string): string {
    const known = this.networks.get(address);
    if (known !== undefined) return known;
    const now = performance.now();
    if (now - this.askedAtMs > KEPT_MS) {
      this.interfaces = networkInterfaces();
      this.askedAtMs = now;
    }
    const found = networkOf(address, this.interfaces);
    this.networks.set(address, found);
    return found;
  }
}

/** The host's own network that holds the address, `10.128.0.1/26`; the address itself where none does. */
function networkOf(address: string, interfaces: ReturnType<typeof networkInterfaces>): string {
  const bare = plainAddress(address);
  const family = isIPv4(bare) ? 'ipv4' : 'ipv6';
  let found = bare;
  let longest = -1;
  for (const addresses of Object.values(interfaces)) {
    for (const { cidr, family: said } of addresses ?? []) {
      const [base, bits] = cidr?.split('/') ?? [];
      if (base === undefined || (said === 'IPv4') !== (family === 'ipv4') || Number(bits) <= longest) continue;
      const list = new BlockList();
      list.addSubnet(base, Number(bits), family);
      if (!list.check(bare, family)) continue;
      found = `${base}/${bits}`;
      longest = Number(bits);
    }
  }
  return found;
}

/** An IPv4 client of a socket of both families is said as `::ffff:1.2.3.4`. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}
