/** What is said of a call before its names are looked at, and kept for when its answer is told. */

import type { Endpoint } from '../../docker/endpoint.ts';
import { isEmpty, withoutUnknown } from '../../docker/neutral.ts';
import { table } from '../../docker/table.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Names, Passage } from '../../exchange/namespacing.ts';
import type { Spoken } from './prose.ts';
import { keyOf, type Reference, type Resolved, RULE } from './references.ts';

/** Where nothing of the engine's is told. */
export const PLAIN: Names = { told: (document) => document, toldText: (text) => text };

/** In dockerd's own words. */
export function alreadyThere(call: Call, network: string): Passage {
  return {
    call,
    names: PLAIN,
    answer: { status: 409, body: { message: `network with name ${network} already exists` } },
  };
}

/** What is not known may name anything. @throws Refusal */
export function withoutStrangers(call: Call): Call {
  if (call.unknown.length === 0) return call;
  for (const { place, value } of call.unknown) {
    if (isEmpty(value)) continue;
    throw refuse(RULE, 'unknown', 'is not known here', { place, hint: 'what is not known may name anything' });
  }
  const { shape } = call.endpoint.body;
  return { ...call, unknown: [], body: shape === undefined ? call.body : withoutUnknown(shape, call.body) };
}

/** The engine's spellings of what the client has named, longest first. */
export function spokenIn(references: readonly Reference[], resolved: Resolved): readonly Spoken[] {
  return references
    .flatMap(({ kind, text }): readonly Spoken[] => {
      const found = resolved.get(keyOf(kind, text));
      if (found === undefined) return [];
      return [
        { engine: found.id, client: text },
        { engine: found.name, client: text },
      ];
    })
    .sort((one, other) => other.engine.length - one.engine.length);
}

export function endpointOf(id: string): Endpoint {
  return table.find((endpoint) => endpoint.id === id) as Endpoint;
}
