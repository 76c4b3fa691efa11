/** Requests for what may be large, over connections that are read into buffers of ours; each server has a few that stay. */

import { LRUCache } from 'lru-cache';
import { GatheredBody } from './gathered-body.ts';
import type { AnswerHead } from './message.ts';
import { type Dial, EnginePool, type OutboundCall, type OutboundFault, type OutboundLimits } from './outbound.ts';
import { printFields, printRequestLine } from './print-head.ts';
import { ReadBuffers } from './read-buffers.ts';

const MOST_SERVERS = 100;
const MOST_CONNECTIONS = 64;

export interface GatheredAnswer {
  readonly statusCode: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: GatheredBody;
}

export interface GatheredRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface GatheredOptions {
  /** To the server of the URL. */
  readonly dial: (url: URL) => Dial;
  readonly connectMs: number;
  readonly headMs: number;
  /** How long a server may send nothing in the middle of a body. */
  readonly silentMs: number;
  /** What is thrown in place of what happened. */
  readonly asFault: (url: URL, fault: unknown) => unknown;
}

export class GatheredCalls {
  readonly #options: GatheredOptions;
  readonly #limits: OutboundLimits;
  readonly #buffers = new ReadBuffers();
  /** By scheme, host and port. */
  readonly #servers = new LRUCache<string, EnginePool>({ max: MOST_SERVERS, dispose: (pool) => pool.close() });

  constructor(options: GatheredOptions) {
    this.#options = options;
    this.#limits = {
      headBytes: 32 * 1024,
      headers: 200,
      connectTimeoutMs: options.connectMs,
      idleConnections: 8,
      idleTimeoutMs: 4000,
    };
  }

  isBusy(url: URL): boolean {
    return (this.#servers.get(url.origin)?.busyConnections ?? 0) >= MOST_CONNECTIONS;
  }

  /** GET. @throws what `asFault` makes of it; the body breaks with the same */
  ask(url: URL, { headers, signal }: GatheredRequest): Promise<GatheredAnswer> {
    const { asFault, headMs, silentMs } = this.#options;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = {
        method: 'GET',
        target: `${url.pathname}${url.search}`,
        headers: Object.entries({ host: url.host, ...headers }).flat(),
        body: null,
        upgrade: null,
        headTimeoutMs: headMs,
      };
      // What cannot be printed is nobody's connection.
      printFields(request.headers);
      printRequestLine(request.method, request.target);
      let body: GatheredBody | null = null;
      let call: OutboundCall | null = null;
      const onAbort = (): void => fail(signal.reason);
      let silence: NodeJS.Timeout | null = null;
      const onSilence = (): void => {
        if (body?.waits === true) silence?.refresh();
        else fail(Object.assign(new Error('it sends nothing more'), { code: 'ETIMEDOUT' }));
      };
      const end = (): void => {
        if (silence !== null) clearTimeout(silence);
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (fault: unknown): void => {
        end();
        call?.abort();
        const told = asFault(url, fault);
        if (body === null) reject(told);
        else body.fail(told as Error);
      };
      signal.addEventListener('abort', onAbort);
      call = this.#poolOf(url).send(request, {
        onHead: (head, bytes, complete) => {
          const from = {
            resume: () => call?.resume(),
            abort: () => {
              end();
              call?.abort();
            },
          };
          body = new GatheredBody(from, this.#buffers);
          if (bytes !== null) body.add(bytes);
          if (complete) {
            end();
            body.complete();
          } else silence = setTimeout(onSilence, silentMs);
          resolve({ statusCode: head.status, headers: fieldsOf(head), body });
          return true;
        },
        onData: (chunk) => {
          silence?.refresh();
          return body?.add(chunk) ?? true;
        },
        onEnd: () => {
          end();
          body?.complete();
        },
        onUpgrade: (_, { channel }) => {
          channel.destroy();
          fail(new Error('it changed the protocol'));
        },
        onFault: (fault) => fail(causeOf(fault)),
      });
    });
  }

  /** What runs runs to its end. */
  async close(): Promise<void> {
    this.#servers.clear();
  }

  #poolOf(url: URL): EnginePool {
    const known = this.#servers.get(url.origin);
    if (known !== undefined) return known;
    const pool = new EnginePool(this.#options.dial(url), this.#limits, this.#buffers);
    this.#servers.set(url.origin, pool);
    return pool;
  }
}

/** What the socket said, where it said something. */
function causeOf(fault: OutboundFault): unknown {
  if (fault.kind === 'timeout') return Object.assign(fault, { code: 'ETIMEDOUT' });
  return fault.cause ?? fault;
}

function fieldsOf({ headers }: AnswerHead): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [(headers[i] as string).toLowerCase(), headers[i + 1] as string];
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}
