/** Keeps, with the container, what its create said before the policies changed it. */

import { type Given, printGiven } from '../docker/given.ts';
import { GIVEN_LABEL, withLabels } from '../docker/reserved-labels.ts';
import { isObject } from '../ground/json.ts';
import type { Call } from './call.ts';
import type { Judgement } from './judge.ts';

/** The call that is carried. Always prints the label: one that an image brings along would be inherited. */
export function keepGiven({ call, decisions }: Judgement): Call {
  if (decisions.length === 0 || call.endpoint.id !== 'ContainerCreate' || !isObject(call.body)) return call;
  const given: Given[] = [];
  const seen = new Set<string>();
  for (const { changes } of decisions) {
    for (const { given: place, from } of changes) {
      // Where two policies changed one place, the client gave what the first one found.
      if (place === null || seen.has(place.join('\0'))) continue;
      seen.add(place.join('\0'));
      given.push({ place, from });
    }
  }
  return { ...call, body: withLabels(call.body, { [GIVEN_LABEL]: printGiven(given) }) };
}
