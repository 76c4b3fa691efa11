/** Where policies ask an engine, and have it do things, outside the calls of clients. One for an engine, over reloads. */

import { printPath } from '../docker/match.ts';
import { printQuery, type QueryValues } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import { type Json, readJson } from '../ground/json.ts';
import type { Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import { SharedAnswers } from './shared-answers.ts';
import { offered } from './version.ts';

const ANSWER_MS = 30_000;
const MAX_DEPTH = 64;
/** Lists of everything that an engine has. */
const MOST_BYTES = 256 * 1024 * 1024;

const endpoints = new Map(table.map((endpoint) => [endpoint.id, endpoint]));

export interface DeskQuestion {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: QueryValues;
  /** Default: 30 s. */
  readonly deadlineMs?: number;
}

export interface EngineDesk {
  readonly name: string;
  /** What is to be there once for the engine, whatever listeners and reloads there are. */
  once<T>(name: string, make: () => T): T;
  /**
   * The JSON of an answer that was asked for after this was called; null for what is not there, and for an answer
   * without a body. @throws Refusal when the engine does not answer, Error when it refuses
   */
  ask(endpointId: string, question?: DeskQuestion): Promise<Json>;
}

/** Where there is no engine: everything is absent. For checking a configuration and explaining a call. */
export function emptyDesk(name: string): EngineDesk {
  return { name, once: (_, make) => make(), ask: async () => null };
}

export class LiveEngineDesk implements EngineDesk {
  readonly name: string;
  private readonly engine: Engine;
  private readonly shared: SharedAnswers;
  private readonly kept = new Map<string, unknown>();

  constructor(engine: Engine, shared: SharedAnswers = new SharedAnswers(engine.pool, MOST_BYTES)) {
    this.name = engine.name;
    this.engine = engine;
    this.shared = shared;
  }

  once<T>(name: string, make: () => T): T {
    if (!this.kept.has(name)) this.kept.set(name, make());
    return this.kept.get(name) as T;
  }

  async ask(
    endpointId: string,
    { parameters = {}, query = {}, deadlineMs = ANSWER_MS }: DeskQuestion = {},
  ): Promise<Json> {
    const endpoint = endpoints.get(endpointId);
    if (endpoint === undefined) throw new Error(`${endpointId} is not in the table`);
    const { newest } = offered(await this.engine.api());
    const target = `/v1.${newest}${printPath(endpoint, parameters)}${printQuery(query, endpoint.query)}`;
    const request = {
      method: endpoint.method,
      target,
      headers: ['Host', 'docker'],
      body: null,
      upgrade: null,
      headTimeoutMs: deadlineMs,
    };
    return new Promise((resolve, reject) => {
      this.shared.ask(`${endpoint.method} ${target}`, request, {
        onAnswer: ({ status }, body) => {
          try {
            if (status === 404) resolve(null);
            else if (status >= 400) reject(new Error(`the engine answered ${status} for ${endpointId}`));
            else resolve(body.length === 0 ? null : readJson(body, MAX_DEPTH));
          } catch (fault) {
            reject(fault);
          }
          return true;
        },
        onTooLarge: () => reject(new Error(`the answer of ${endpointId} is too large`)),
        onFault: (fault) => reject(engineRefusal(fault)),
      });
    });
  }
}
