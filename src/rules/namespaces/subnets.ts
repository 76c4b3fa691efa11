/** Addresses for the networks of namespaces: one after the other out of pools, since an engine's own soon end. */

import { type ChosenSubnet, subnetsOf } from '../../docker/subnets.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import { formatAddress, type IpNetwork, liesWithin, overlaps, readIpNetwork } from '../../ground/ip-network.ts';
import type { NetworkSettings } from './engine-side.ts';
import { RULE } from './references.ts';

/** Between the choice and the network that has it, nobody else gets the same. */
const CHOSEN_MS = 60_000;

/** Of a network of IPv6: what hosts can give addresses in by themselves (RFC 4291, 2.5.1). */
const PREFIX_6 = 64;

export class Subnets {
  private readonly desk: EngineDesk;
  private readonly chosen = new Map<string, number>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(desk: EngineDesk) {
    this.desk = desk;
  }

  /** One of each family that there is a pool of. @throws Refusal when the pools are used up */
  choose(families: readonly (4 | 6)[], settings: NetworkSettings): Promise<readonly ChosenSubnet[]> {
    const turn = this.turn.then(() => this.chooseNext(families, settings));
    this.turn = turn.catch(() => {});
    return turn;
  }

  private async chooseNext(
    families: readonly (4 | 6)[],
    { pools, size, routes }: NetworkSettings,
  ): Promise<readonly ChosenSubnet[]> {
    const wanted = families.filter((family) => pools.some((pool) => pool.family === family));
    if (wanted.length === 0) return [];
    const now = Date.now();
    for (const [subnet, at] of this.chosen) if (now - at > CHOSEN_MS) this.chosen.delete(subnet);
    const said = [...subnetsOf(await this.desk.ask('NetworkList')), ...this.chosen.keys()];
    const taken = said.flatMap((text) => readIpNetwork(text) ?? []);
    const routed = await routes();
    const chosen = wanted.map((family) => {
      for (const pool of pools) {
        if (pool.family !== family) continue;
        // A pool is often a part of what the host sends somewhere else as a whole; who names the pool knows that.
        const inTheWay = [...taken, ...routed.filter((route) => !liesWithin(pool, route))];
        const first = firstFree(pool, family === 4 ? size : PREFIX_6, inTheWay);
        if (first !== null) return chosenAt(first, family, family === 4 ? size : PREFIX_6);
      }
      throw refuse(RULE, 'pools', 'no addresses are left for another network', {
        hint: 'remove networks that are not needed, or ask for larger pools',
      });
    });
    for (const { subnet } of chosen) this.chosen.set(subnet, now);
    return chosen;
  }
}

function chosenAt(first: bigint, family: 4 | 6, prefix: number): ChosenSubnet {
  const gateway = formatAddress(first + 1n, family);
  return { family, subnet: `${formatAddress(first, family)}/${prefix}`, gateway };
}

function firstFree(pool: IpNetwork, prefix: number, taken: readonly IpNetwork[]): bigint | null {
  const step = 1n << BigInt((pool.family === 4 ? 32 : 128) - prefix);
  const inTheWay = taken
    .filter((one) => overlaps(one, pool))
    .sort((one, other) => (one.first < other.first ? -1 : one.first > other.first ? 1 : 0));
  let first = pool.first;
  for (const one of inTheWay) {
    if (one.first > first + step - 1n) break;
    // The next place behind it that such a network can begin at.
    if (one.last >= first) first = ((one.last + step) / step) * step;
  }
  return first + step - 1n > pool.last ? null : first;
}
