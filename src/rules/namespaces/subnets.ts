/** Addresses for the networks of namespaces: one after the other out of pools, since an engine's own soon end. */

import { subnetsOf } from '../../docker/subnets.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import { type IpNetwork, overlaps, readIpNetwork } from '../../ground/ip-network.ts';
import { RULE } from './references.ts';

/** Between the choice and the network that has it, nobody else gets the same. */
const CHOSEN_MS = 60_000;

export class Subnets {
  private readonly desk: EngineDesk;
  private readonly chosen = new Map<string, number>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(desk: EngineDesk) {
    this.desk = desk;
  }

  /** `10.128.0.64/26`. @throws Refusal when the pools are used up */
  choose(pools: readonly IpNetwork[], size: number): Promise<string> {
    const turn = this.turn.then(() => this.chooseNext(pools, size));
    this.turn = turn.catch(() => {});
    return turn;
  }

  private async chooseNext(pools: readonly IpNetwork[], size: number): Promise<string> {
    const now = Date.now();
    for (const [subnet, at] of this.chosen) if (now - at > CHOSEN_MS) this.chosen.delete(subnet);
    const said = [...subnetsOf(await this.desk.ask('NetworkList')), ...this.chosen.keys()];
    const taken = said.flatMap((text) => readIpNetwork(text) ?? []);
    for (const pool of pools) {
      const subnet = firstFree(pool, size, taken);
      if (subnet === null) continue;
      this.chosen.set(subnet, now);
      return subnet;
    }
    throw refuse(RULE, 'pools', 'no addresses are left for another network', {
      hint: 'remove networks that are not needed, or ask for larger pools',
    });
  }
}

function firstFree(pool: IpNetwork, size: number, taken: readonly IpNetwork[]): string | null {
  const width = pool.family === 4 ? 32 : 128;
  const step = 1n << BigInt(width - size);
  const inTheWay = taken
    .filter((one) => overlaps(one, pool))
    .sort((one, other) => (one.first < other.first ? -1 : one.first > other.first ? 1 : 0));
  let first = pool.first;
  for (const one of inTheWay) {
    if (one.first > first + step - 1n) break;
    // The next place behind it that such a network can begin at.
    if (one.last >= first) first = ((one.last + step) / step) * step;
  }
  if (first + step - 1n > pool.last) return null;
  return `${spell(first, pool.family)}/${size}`;
}

function spell(address: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - i * 16)) & 0xffffn).toString(16));
  return groups.join(':');
}
