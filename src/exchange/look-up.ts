/** Asks the engine about an object, for those who judge: the GET endpoints of the table, by id. */

import { table } from '../docker/table.ts';
import type { Json } from '../ground/json.ts';
import type { EngineDesk } from './engine-desk.ts';

const readable: ReadonlySet<string> = new Set(table.filter(({ method }) => method === 'GET').map(({ id }) => id));

export type LookUp = (endpointId: string, parameters: Readonly<Record<string, string>>) => Promise<Json>;

/** Null for what the engine does not know. @throws Refusal when the engine does not answer */
export function lookUpOf(desk: EngineDesk): LookUp {
  return async (endpointId, parameters) => {
    if (!readable.has(endpointId)) throw new Error(`${endpointId} is no GET endpoint of the table`);
    return desk.ask(endpointId, { parameters });
  };
}
