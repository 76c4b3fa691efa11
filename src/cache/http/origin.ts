/** The servers that files come from: only those that are configured, through the site's way out. */

import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import type { RawHeaders } from '../../wire/message.ts';
import { type Out, OutFault, type WayOut } from '../../wire/way-out.ts';
import { fieldValue, has } from './fields.ts';
import { printDate } from './http-date.ts';
import { meansHost } from './site-rules.ts';

/** A host that does not let us in keeps nobody waiting twice. */
const DOWN_MS = 10_000;
const CONNECT_MS = 3000;
/** Below a pattern clients can name hosts without end. */
const MOST_DOWN = 1000;

export interface OriginHost {
  /** Lower case; `*.NAME` for all below it. */
  readonly host: string;
  /** Where it is asked instead, as the administrator says. Null: where its name leads. */
  readonly origin: URL | null;
}

export interface OriginRequest {
  readonly method: string;
  readonly headers: RawHeaders;
  readonly body: Readable | null;
  /** Interim answers but 100 and 101. */
  readonly onInform?: (status: number, headers: RawHeaders) => void;
}

export interface OriginAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
  readonly body: Dispatcher.ResponseData['body'];
  readonly requestedMs: number;
  readonly answeredMs: number;
  /** Of the body; null where the origin does not say. */
  readonly length: number | null;
  /** The end of the body can be told from a broken connection. */
  readonly isDelimited: boolean;
}

export class Origins {
  private readonly hosts: readonly (OriginHost & { readonly out: Out })[];
  /** By scheme, host and port. */
  private readonly down = new LRUCache<string, true>({ max: MOST_DOWN, ttl: DOWN_MS });

  constructor(hosts: readonly OriginHost[], wayOut: WayOut) {
    const free = wayOut.to({ connectMs: CONNECT_MS });
    this.hosts = hosts.map((one) => ({
      ...one,
      out: one.origin === null ? free : wayOut.to({ named: one.origin, connectMs: CONNECT_MS }),
    }));
  }

  /** Null: it is nobody's business to ask it. */
  find(hostname: string): OriginHost | null {
    return this.entry(hostname);
  }

  /** @throws OutFault */
  async ask(url: URL, { onInform, ...request }: OriginRequest): Promise<OriginAnswer> {
    const entry = this.entry(url.hostname);
    if (entry === null) throw new OutFault('unknown-host', `${url.hostname} is not served here`);
    const at =
      entry.origin === null ? url : new URL(`${entry.origin.href.replace(/\/$/, '')}${url.pathname}${url.search}`);
    if (this.down.has(at.origin)) throw new OutFault('unreachable', `${url.host} cannot be reached`);
    const requestedMs = Date.now();
    try {
      const send = () =>
        entry.out.send(at, {
          ...request,
          method: request.method as 'GET',
          headers: [...request.headers],
          responseHeaders: 'raw',
          onInfo: ({ statusCode, headers }) => {
            if (statusCode !== 100) onInform?.(statusCode, headers as unknown as RawHeaders);
          },
        });
      const answer = await send().catch((fault: unknown) => {
        // RFC 9112 §9.3.1: servers close connections that were idle just when they are used again.
        if (!mayComeAgain(request) || !(fault instanceof OutFault) || fault.reason !== 'broken') throw fault;
        return send();
      });
      this.down.delete(at.origin);
      return read(request.method, answer, requestedMs);
    } catch (fault) {
      if (isDown(fault)) this.down.set(at.origin, true);
      throw fault;
    }
  }

  private entry(hostname: string): (OriginHost & { readonly out: Out }) | null {
    return this.hosts.find((one) => meansHost(one.host, hostname)) ?? null;
  }
}

function mayComeAgain({ method, body }: Pick<OriginRequest, 'method' | 'body'>): boolean {
  return (method === 'GET' || method === 'HEAD') && body === null;
}

function isDown(fault: unknown): boolean {
  return fault instanceof OutFault && (fault.reason === 'timeout' || fault.reason === 'unreachable');
}

function read(method: string, answer: Dispatcher.ResponseData, requestedMs: number): OriginAnswer {
  const headers = answer.headers as unknown as RawHeaders;
  const answeredMs = Date.now();
  const said = fieldValue(headers, 'content-length');
  const empty = method === 'HEAD' || answer.statusCode === 204 || answer.statusCode === 304;
  const length = said !== null && /^\d{1,15}$/.test(said) ? Number(said) : null;
  return {
    status: answer.statusCode,
    reason: answer.statusText,
    // RFC 9110 §6.6.1: who has a clock says when it came.
    headers: has(headers, 'date') ? headers : [...headers, 'Date', printDate(answeredMs)],
    body: answer.body,
    requestedMs,
    answeredMs,
    length: answer.statusCode === 204 ? 0 : length,
    isDelimited: empty || length !== null || /(^|,)\s*chunked$/i.test(fieldValue(headers, 'transfer-encoding') ?? ''),
  };
}
