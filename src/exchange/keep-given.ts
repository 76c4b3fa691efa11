/** Our labels on what a call makes: what its create said before the policies changed it, and what they want to know. */

import { type Given, printGiven } from '../docker/given.ts';
import { GIVEN_LABEL, withOwnLabels } from '../docker/reserved-labels.ts';
import { isObject } from '../ground/json.ts';
import type { Call } from './call.ts';
import type { Decision, Judgement } from './judge.ts';

/** The call that is carried. Containers always carry our labels: those that an image brings along would be inherited. */
export function keepGiven({ call, decisions }: Judgement): Call {
  if (decisions.length === 0 || !isObject(call.body)) return call;
  const labels: Record<string, string> = Object.assign({}, ...decisions.map(({ labels }) => labels));
  const given = givenBy(decisions);
  if (given.length > 0) labels[GIVEN_LABEL] = printGiven(given);
  const body = withOwnLabels(call.endpoint.id, call.body, labels);
  return body === call.body ? call : { ...call, body };
}

function givenBy(decisions: readonly Decision[]): readonly Given[] {
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
  return given;
}
