/** Networks may bring their own subnet where the site says so and nobody has it. */

import { subnetsOf } from '../../../docker/subnets.ts';
import type { Leaf } from '../../../docker/visit.ts';
import type { PolicyContext } from '../../../exchange/policy.ts';
import { type IpNetwork, liesWithin, overlaps, readIpNetwork } from '../../../ground/ip-network.ts';
import type { Finding } from './finding.ts';

/** The first subnet that is not free to be used; null where all are. */
export async function objectionToSubnets(
  subnets: readonly Leaf[],
  allowed: readonly IpNetwork[],
  context: PolicyContext,
): Promise<Finding | null> {
  if (subnets.length === 0) return null;
  const wanted: IpNetwork[] = [];
  for (const { place, value } of subnets) {
    const subnet = readIpNetwork(String(value));
    if (subnet === null) return finding(place, 'must be the address of a network, such as 172.20.0.0/16');
    if (!allowed.some((network) => liesWithin(subnet, network))) {
      return finding(
        place,
        'must be within the subnets that this listener allows',
        'leave it out: the engine finds a free one',
      );
    }
    wanted.push(subnet);
  }
  const taken = subnetsOf(await context.lookUp('NetworkList', {})).flatMap((text) => readIpNetwork(text) ?? []);
  for (const [index, subnet] of wanted.entries()) {
    const others = [...taken, ...wanted.slice(0, index)];
    if (others.some((other) => overlaps(subnet, other))) {
      return finding(subnets[index]?.place ?? '', 'must not overlap a network that is there already');
    }
  }
  return null;
}

function finding(place: string, message: string, hint = 'choose another one, or leave it out'): Finding {
  return { rule: 'subnets', place, message, hint };
}
