/** The addresses of a network that a client makes: its own where the listener allows them, or out of the pools. */

import { saidSubnets, unsaidFamilies, withSubnets } from '../../docker/subnets.ts';
import { refuse } from '../../exchange/judge.ts';
import { liesWithin, readIpNetwork } from '../../ground/ip-network.ts';
import type { JsonObject } from '../../ground/json.ts';
import type { EngineSide, NetworkSettings } from './engine-side.ts';
import { RULE } from './references.ts';

/** How often other addresses are tried where somebody else has just taken them. */
export const ATTEMPTS = 10;

/** The create with its addresses, and whether they were chosen here. @throws Refusal for a subnet that may not be asked for */
export async function withOwnSubnets(
  body: JsonObject,
  { subnets }: EngineSide,
  settings: NetworkSettings,
): Promise<{ readonly body: JsonObject; readonly chosen: boolean }> {
  refuseForeignSubnets(body, settings.allowed);
  const families = unsaidFamilies(body);
  if (families.length === 0) return { body, chosen: false };
  return { body: withSubnets(body, await subnets.choose(families, settings)), chosen: true };
}

function refuseForeignSubnets(body: JsonObject, allowed: NetworkSettings['allowed']): void {
  if (allowed === null) return;
  for (const { subnet, place } of saidSubnets(body)) {
    const asked = readIpNetwork(subnet);
    if (asked !== null && allowed.some((network) => liesWithin(asked, network))) continue;
    throw refuse(RULE, 'subnets', 'must be within the subnets that this listener allows', {
      place,
      hint: 'leave it out: a free one is found',
    });
  }
}
