/** Where Berthgate itself asks an engine, and has it do things, outside the calls of clients. One for an engine, over reloads. */

import type { Endpoint } from '../docker/endpoint.ts';
import { printPath } from '../docker/match.ts';
import { messageIn } from '../docker/named-things.ts';
import { printQuery, type QueryValues } from '../docker/query.ts';
import { table } from '../docker/table.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import { eachLine, WholeLines } from '../ground/whole-lines.ts';
import type { RawHeaders } from '../wire/message.ts';
import { OutboundFault, type OutboundRequest } from '../wire/outbound.ts';
import type { Engine } from './engine.ts';
import { engineRefusal } from './engine-fault.ts';
import { SharedAnswers } from './shared-answers.ts';
import { offered } from './version.ts';

const ASKED_MS = 30_000;
const ORDERED_MS = 60_000;
const MAX_DEPTH = 64;
/** Lists of everything that an engine has. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Of one document that is followed: labels are the most of an event. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const endpoints = new Map(table.map((endpoint) => [endpoint.id, endpoint]));

export interface DeskQuestion {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: QueryValues;
  /** Beside those of every request. */
  readonly headers?: RawHeaders;
  /** Until the answer begins. Default: 30 s. */
  readonly deadlineMs?: number;
}

export interface DeskOrder extends DeskQuestion {
  readonly body?: Json;
  /** A body that is not JSON. */
  readonly bytes?: Buffer;
  /** The minor number of the API version that it means; default: the newest. */
  readonly version?: number;
}

export interface DeskAnswer {
  readonly status: number;
  /** Null where there is none, or it is not JSON. */
  readonly answer: Json;
  /** Absent where nobody was asked. */
  readonly headers?: RawHeaders;
}

/** What a stream of documents brings, in this order. */
export interface Followed {
  /** The engine has taken the call: everything from now on is told. With its clock, to the second, where it says it. */
  onBegin(clockMs: number | null): void;
  onDocument(document: Json): void;
  /** Once, also where nothing had begun. Null for a stream that the engine has ended by itself. */
  onEnd(fault: Error | null): void;
}

export interface EngineDesk {
  readonly name: string;
  /** What is to be there once for the engine, whatever listeners and reloads there are. */
  once<T>(name: string, make: () => T): T;
  /**
   * The JSON of an answer that was asked for after this was called; null for what is not there, and for an answer
   * without a body. Who asks the same meanwhile is told the same. @throws Refusal when the engine does not answer,
   * Error when it refuses
   */
  ask(endpointId: string, question?: DeskQuestion): Promise<Json>;
  /** Whatever the engine answered, also where it refuses; within 60 s. @throws Refusal when it does not answer */
  order(endpointId: string, order?: DeskOrder): Promise<DeskAnswer>;
  /** Tells all in a later turn. Gives how to end it, after which nothing is told any more. */
  follow(endpointId: string, question: DeskQuestion, followed: Followed): () => void;
}

/** Where there is no engine: everything is absent. For checking a configuration and explaining a call. */
export function emptyDesk(name: string): EngineDesk {
  return {
    name,
    once: (_, make) => make(),
    ask: async () => null,
    order: async () => ({ status: 404, answer: null }),
    follow: () => () => {},
  };
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

  async ask(endpointId: string, question: DeskQuestion = {}): Promise<Json> {
    const request = await this.requestFor(endpointId, { deadlineMs: ASKED_MS, ...question });
    const { status, body } = await answerFrom(this.shared, `${request.method} ${request.target}`, request);
    if (status === 404) return null;
    if (status >= 400) throw new Error(`the engine answered ${status} for ${endpointId}`);
    return body.length === 0 ? null : readJson(body, MAX_DEPTH);
  }

  async order(endpointId: string, order: DeskOrder = {}): Promise<DeskAnswer> {
    const request = await this.requestFor(endpointId, { deadlineMs: ORDERED_MS, ...order });
    const { status, headers, body } = await answerFrom(new SharedAnswers(this.engine.pool, MOST_BYTES), '', request);
    return { status, headers, answer: readAnswer(body) };
  }

  follow(endpointId: string, question: DeskQuestion, followed: Followed): () => void {
    let ended = false;
    let stop = (): void => {};
    const end = (fault: Error | null): void => {
      if (ended) return;
      ended = true;
      followed.onEnd(fault);
    };
    this.requestFor(endpointId, { deadlineMs: ASKED_MS, ...question }).then((request) => {
      if (!ended) stop = this.stream(endpointId, request, { ...followed, onEnd: end });
    }, end);
    return () => {
      ended = true;
      stop();
    };
  }

  private stream(endpointId: string, request: OutboundRequest, { onBegin, onDocument, onEnd }: Followed): () => void {
    const lines = new WholeLines();
    let stopped = false;
    const tell = (whole: Buffer): void => {
      for (const line of eachLine(whole)) {
        const document = stopped ? null : readAnswer(line);
        if (document !== null) onDocument(document);
      }
    };
    const stop = (): void => {
      stopped = true;
      call.abort();
    };
    const take = (chunk: Buffer): boolean => {
      tell(lines.take(chunk));
      if (lines.heldBytes <= MAX_LINE_BYTES) return true;
      stop();
      onEnd(new OutboundFault('garbage', `a line of ${endpointId} is too long`));
      return true;
    };
    const finish = (): void => {
      tell(lines.rest());
      onEnd(null);
    };
    const call = this.engine.pool.send(request, {
      onHead({ status, headers }, body, complete) {
        if (status !== 200) {
          if (!complete) stop();
          const said = complete && body !== null ? messageIn(readAnswer(body)) : '';
          onEnd(new Error(said === '' ? `the engine answered ${status} for ${endpointId}` : said));
          return true;
        }
        onBegin(clockIn(headers));
        if (stopped) return true;
        if (body !== null) take(body);
        if (complete) finish();
        return true;
      },
      onData: take,
      onEnd: finish,
      onUpgrade(_head, tunnel) {
        tunnel.channel.reset();
        onEnd(new OutboundFault('garbage', 'an upgrade nobody asked for'));
      },
      onFault: (fault) => onEnd(engineRefusal(fault)),
    });
    return stop;
  }

  private async requestFor(
    endpointId: string,
    { parameters = {}, query = {}, headers = [], body = null, bytes, version, deadlineMs = ASKED_MS }: DeskOrder,
  ): Promise<OutboundRequest> {
    const endpoint = endpoints.get(endpointId);
    if (endpoint === undefined) throw new Error(`${endpointId} is not in the table`);
    const { newest } = offered(await this.engine.api());
    const content = bytes ?? (body === null ? null : Buffer.from(printJson(body)));
    return {
      method: endpoint.method,
      target: `/v1.${version ?? newest}${printPath(endpoint, parameters)}${printQuery(query, endpoint.query)}`,
      headers: ['Host', 'docker', ...headers, ...(content === null ? [] : contentType(endpoint))],
      body: content,
      upgrade: null,
      headTimeoutMs: deadlineMs,
    };
  }
}

interface Whole {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Buffer;
}

function answerFrom(answers: SharedAnswers, key: string, request: OutboundRequest): Promise<Whole> {
  return new Promise((resolve, reject) => {
    answers.ask(key, request, {
      onAnswer: ({ status, headers }, body) => {
        // It is read in a later turn, when the wire may have read over it.
        resolve({ status, headers, body: Buffer.from(body) });
        return true;
      },
      onTooLarge: () => reject(new Error(`the answer to ${request.method} ${request.target} is too large`)),
      onFault: (fault) => reject(engineRefusal(fault)),
    });
  });
}

function clockIn(headers: RawHeaders): number | null {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'date');
  const ms = at < 0 ? Number.NaN : Date.parse(headers[at + 1] as string);
  return Number.isNaN(ms) ? null : ms;
}

function contentType({ body }: Endpoint): readonly string[] {
  return body.contentType === undefined ? [] : ['Content-Type', body.contentType];
}

/** Null for what is empty, or not JSON. */
function readAnswer(bytes: Buffer): Json {
  try {
    return bytes.length === 0 ? null : readJson(bytes, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
