/** The subnets that the networks of an engine have. */

import { isList, isObject, type Json } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';

/** Of the answer to a list of networks. */
export function subnetsOf(networks: Json): readonly string[] {
  if (!isList(networks)) return [];
  return networks.flatMap((network) => {
    const configs = valueAt(network, ['IPAM', 'Config']);
    if (!isList(configs)) return [];
    return configs.flatMap((config) => (isObject(config) && typeof config.Subnet === 'string' ? [config.Subnet] : []));
  });
}
