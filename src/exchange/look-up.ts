/** Asks the engine about an object, for those who judge: the GET endpoints of the table, by id. */

import type { Endpoint } from '../docker/endpoint.ts';
import { printPath } from '../docker/match.ts';
import { table } from '../docker/table.ts';
import { type Json, readJson } from '../ground/json.ts';
import type { Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import type { SharedAnswers } from './shared-answers.ts';
import { offered } from './version.ts';

const ANSWER_MS = 30_000;
const MAX_DEPTH = 64;

const endpoints: ReadonlyMap<string, Endpoint> = new Map(
  table.filter(({ method }) => method === 'GET').map((endpoint) => [endpoint.id, endpoint]),
);

export type LookUp = (endpointId: string, parameters: Readonly<Record<string, string>>) => Promise<Json>;

/** Null for what the engine does not know. @throws Refusal when the engine does not answer */
export function lookUpOf(engine: Engine, shared: SharedAnswers): LookUp {
  return async (endpointId, parameters) => {
    const endpoint = endpoints.get(endpointId);
    if (endpoint === undefined) throw new Error(`${endpointId} is no GET endpoint of the table`);
    const { newest } = offered(await engine.api());
    const target = `/v1.${newest}${printPath(endpoint, parameters)}`;
    const request = {
      method: endpoint.method,
      target,
      headers: ['Host', 'docker'],
      body: null,
      upgrade: null,
      headTimeoutMs: ANSWER_MS,
    };
    return new Promise((resolve, reject) => {
      shared.ask(`${endpoint.method} ${target}`, request, {
        onAnswer: ({ status }, body) => {
          if (status === 404) return resolve(null);
          if (status !== 200) return reject(new Error(`the engine answered ${status} for ${endpointId}`));
          try {
            resolve(readJson(body, MAX_DEPTH));
          } catch (fault) {
            reject(fault);
          }
        },
        onTooLarge: () => reject(new Error(`the answer of ${endpointId} is too large`)),
        onFault: (fault) => reject(engineRefusal(fault)),
      });
    });
  };
}
