/** Objects of the API whose parts bound each other: what they become when one of them is too much. */

import { isObject, type Json } from '../ground/json.ts';

/** A policy of restarts that gives up after `most`; itself where it does. */
export function restartsAtMost(policy: Json, most: number): Json {
  if (!isObject(policy)) return policy;
  const { Name: name = '', MaximumRetryCount: count = 0 } = policy;
  if (name === '' || name === 'no' || name === null) return policy;
  // moby, restartmanager: 0 never gives up.
  const givesUp = name === 'on-failure' && typeof count === 'number' && count > 0 && count <= most;
  return givesUp ? policy : { ...policy, Name: 'on-failure', MaximumRetryCount: most };
}

/** A limit of the kernel within what is allowed for its name; itself where it is. -1 means without limit. */
export function ulimitWithin(limit: Json, maxima: Readonly<Record<string, number>>): Json {
  if (!isObject(limit)) return limit;
  const { Name: name } = limit;
  const most = typeof name === 'string' && Object.hasOwn(maxima, name) ? maxima[name] : undefined;
  if (most === undefined) return limit;
  const soft = within(limit.Soft ?? 0, most);
  const hard = within(limit.Hard ?? 0, most);
  return soft === (limit.Soft ?? 0) && hard === (limit.Hard ?? 0) ? limit : { ...limit, Soft: soft, Hard: hard };
}

function within(value: Json, most: number): Json {
  if (value === null) return 0;
  return typeof value === 'number' && value >= 0 && value <= most ? value : most;
}
