/** What Berthgate itself has an engine do for a call: one question with its answer, or a stream of lines. */

import { printPath } from '../docker/match.ts';
import { printQuery, type QueryValues } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import type { OutboundCall, OutboundRequest } from '../wire/outbound.ts';
import type { Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import { SharedAnswers } from './shared-answers.ts';
import { offered } from './version.ts';

const ANSWER_MS = 60_000;
const MAX_DEPTH = 64;
const MOST_BYTES = 256 * 1024 * 1024;
const LINE_FEED = 0x0a;
/** A line of an event: labels are the most of it. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const endpoints = new Map(table.map((endpoint) => [endpoint.id, endpoint]));

export interface Order {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: QueryValues;
  readonly body?: Json;
  /** Default: 60 s. */
  readonly deadlineMs?: number;
}

export interface Ordered {
  readonly status: number;
  /** Null where there is none. */
  readonly answer: Json;
}

export interface EngineOrders {
  /** Gives whatever the engine answered. @throws Refusal when it does not answer */
  order(endpointId: string, order?: Order): Promise<Ordered>;
  /** `onLine` for each document; `onBegin` when the engine has taken the call; `onEnd` once, last. Gives how to end it. */
  follow(endpointId: string, order: Order, events: FollowEvents): Promise<() => void>;
}

export interface FollowEvents {
  onBegin(): void;
  onLine(document: Json): void;
  onEnd(): void;
}

export class LiveEngineOrders implements EngineOrders {
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async order(endpointId: string, order: Order = {}): Promise<Ordered> {
    const request = await this.requestFor(endpointId, order);
    return new Promise((resolve, reject) => {
      new SharedAnswers(this.engine.pool, MOST_BYTES).ask('', request, {
        onAnswer: ({ status }, body) => {
          resolve({ status, answer: readAnswer(body) });
          return true;
        },
        onTooLarge: () => reject(new Error(`the answer of ${endpointId} is too large`)),
        onFault: (fault) => reject(engineRefusal(fault)),
      });
    });
  }

  async follow(endpointId: string, order: Order, events: FollowEvents): Promise<() => void> {
    const request = await this.requestFor(endpointId, order);
    let rest = Buffer.alloc(0);
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      events.onEnd();
    };
    const take = (chunk: Buffer): boolean => {
      let bytes = Buffer.concat([rest, chunk]);
      for (let cut = bytes.indexOf(LINE_FEED); cut >= 0; cut = bytes.indexOf(LINE_FEED)) {
        const document = readAnswer(bytes.subarray(0, cut));
        if (document !== null) events.onLine(document);
        bytes = bytes.subarray(cut + 1);
      }
      rest = Buffer.from(bytes);
      if (rest.length > MAX_LINE_BYTES) {
        call.abort();
        end();
      }
      return true;
    };
    const call: OutboundCall = this.engine.pool.send(request, {
      onHead(head, body, complete) {
        if (head.status === 200) events.onBegin();
        if (body !== null && head.status === 200) take(body);
        if (complete) end();
        return true;
      },
      onData: take,
      onEnd: end,
      onUpgrade(_head, tunnel) {
        tunnel.channel.reset();
        end();
      },
      onFault: end,
    });
    return () => {
      ended = true;
      call.abort();
    };
  }

  private async requestFor(endpointId: string, order: Order): Promise<OutboundRequest> {
    const { parameters = {}, query = {}, body = null, deadlineMs = ANSWER_MS } = order;
    const endpoint = endpoints.get(endpointId);
    if (endpoint === undefined) throw new Error(`${endpointId} is not in the table`);
    const { newest } = offered(await this.engine.api());
    const { contentType } = endpoint.body;
    return {
      method: endpoint.method,
      target: `/v1.${newest}${printPath(endpoint, parameters)}${printQuery(query, endpoint.query)}`,
      headers: ['Host', 'docker', ...(body === null || contentType === undefined ? [] : ['Content-Type', contentType])],
      body: body === null ? null : Buffer.from(printJson(body)),
      upgrade: null,
      headTimeoutMs: deadlineMs,
    };
  }
}

/** Null for what is empty, or not JSON. */
function readAnswer(bytes: Buffer): Json {
  if (bytes.length === 0) return null;
  try {
    return readJson(bytes, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
