/** The servers that files come from: only those that are configured, through the site's way out. */

import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import type { RawHeaders } from '../../wire/message.ts';
import { type Out, OutFault, type OutFaultReason, type WayOut } from '../../wire/way-out.ts';
import { fieldValue, has } from './fields.ts';
import { printDate } from './http-date.ts';
import { meansHost } from './site-rules.ts';

const CONNECT_MS = 3000;
/** Between attempts to reach a host, as long as they are begun within `TRY_MS`: one that is started again fails nobody. */
const PAUSES_MS = [250, 500, 1000, 1000];
const TRY_MS = 3000;
/**
 * RFC 9112 §9.3.1: servers close connections that were idle just when they are used again. They close them all at a time, so
 * that another one may be no better, until we have heard of it.
 */
const BROKEN_PAUSES_MS = [0, 100];
/** So long a host that could not be reached keeps nobody waiting for whom something stale would do… */
const DOWN_MS = 10_000;
/**
 * …and so long nobody at all, where it has been tried to the end. Whoever has been told so waits for it no more for `DOWN_MS`:
 * one that says at once that it is not there is asked once, so that who comes again finds it when it is started again.
 */
const GIVEN_UP_MS = 3000;
/** Below a pattern clients can name hosts without end. */
const MOST_DOWN = 1000;
const MOST_TOLD = 10_000;

export interface OriginHost {
  /** Lower case; `*.NAME` for all below it. */
  readonly host: string;
  /** Where it is asked instead, as the administrator says. Null: where its name leads. */
  readonly origin: URL | null;
}

/** `short`: something stale would do. `once`: who asks tries again by itself. */
export type Effort = 'long' | 'short' | 'once';

export interface OriginRequest {
  readonly method: string;
  readonly headers: RawHeaders;
  readonly body: Readable | null;
  /** How long a host is tried that cannot be reached. Absent: `long`. */
  readonly effort?: Effort;
  /** The address of who asks. A program that asks for a hundred files of a host that is down is not kept waiting for each. */
  readonly client: string;
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
  /** By scheme, host and port: what was the matter last. */
  private readonly down = new LRUCache<string, OutFaultReason>({ max: MOST_DOWN, ttl: DOWN_MS });
  private readonly givenUp = new LRUCache<string, true>({ max: MOST_DOWN, ttl: GIVEN_UP_MS });
  /** Who knows it: by the server, and the address of the client. */
  private readonly told = new LRUCache<string, true>({ max: MOST_TOLD, ttl: DOWN_MS });
  private readonly pausesMs: readonly number[];

  constructor(hosts: readonly OriginHost[], wayOut: WayOut, pausesMs: readonly number[] = PAUSES_MS) {
    this.pausesMs = pausesMs;
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
  async ask(url: URL, { effort = 'long', client, ...request }: OriginRequest): Promise<OriginAnswer> {
    const entry = this.entry(url.hostname);
    if (entry === null) throw new OutFault('unknown-host', `${url.hostname} is not served here`);
    const at =
      entry.origin === null ? url : new URL(`${entry.origin.href.replace(/\/$/, '')}${url.pathname}${url.search}`);
    const who = `${at.origin} ${client}`;
    if (this.isKnownDown(at.origin, who, effort)) {
      if (effort === 'long') this.told.set(who, true);
      throw unreachable(url);
    }
    const isTold = this.down.has(at.origin) && this.told.has(who);
    const until = Date.now() + TRY_MS;
    for (let turn = 0; ; turn++) {
      try {
        const answer = await send(entry.out, at, request);
        this.down.delete(at.origin);
        this.givenUp.delete(at.origin);
        return answer;
      } catch (fault) {
        if (!isDown(fault)) throw fault;
        this.down.set(at.origin, fault.reason);
        const pauseMs = this.pausesMs[turn];
        const comesAgain = effort === 'long' && mayComeAgain(request);
        if (!comesAgain || isTold || pauseMs === undefined || Date.now() + pauseMs > until) {
          if (comesAgain) {
            if (!isTold) this.givenUp.set(at.origin, true);
            this.told.set(who, true);
          }
          throw fault;
        }
        await sleep(pauseMs);
      }
    }
  }

  private isKnownDown(server: string, who: string, effort: Effort): boolean {
    if (effort === 'once') return false;
    if (this.givenUp.has(server)) return true;
    const reason = this.down.get(server);
    return reason !== undefined && (effort === 'short' || (reason === 'timeout' && this.told.has(who)));
  }

  private entry(hostname: string): (OriginHost & { readonly out: Out }) | null {
    return this.hosts.find((one) => meansHost(one.host, hostname)) ?? null;
  }
}

async function send(
  out: Out,
  at: URL,
  { onInform, ...request }: Omit<OriginRequest, 'effort' | 'client'>,
): Promise<OriginAnswer> {
  const requestedMs = Date.now();
  const sent = () =>
    out.send(at, {
      ...request,
      method: request.method as 'GET',
      headers: [...request.headers],
      responseHeaders: 'raw',
      onInfo: ({ statusCode, headers }) => {
        if (statusCode !== 100) onInform?.(statusCode, headers as unknown as RawHeaders);
      },
    });
  for (const pauseMs of mayComeAgain(request) ? BROKEN_PAUSES_MS : []) {
    try {
      return read(request.method, await sent(), requestedMs);
    } catch (fault) {
      if (!(fault instanceof OutFault) || fault.reason !== 'broken') throw fault;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }
  return read(request.method, await sent(), requestedMs);
}

function unreachable({ host }: URL): OutFault {
  return new OutFault('unreachable', `${host} cannot be reached`);
}

function mayComeAgain({ method, body }: Pick<OriginRequest, 'method' | 'body'>): boolean {
  return (method === 'GET' || method === 'HEAD') && body === null;
}

function isDown(fault: unknown): fault is OutFault {
  return fault instanceof OutFault && ['timeout', 'unreachable', 'unknown-host'].includes(fault.reason);
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
