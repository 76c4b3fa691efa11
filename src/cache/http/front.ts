/** Connections of clients: HTTP for the configured hosts and for nobody else, so that it is no relay. */

import type net from 'node:net';
import { ChannelStream } from '../../wire/channel-stream.ts';
import type { Exchange } from '../../wire/exchange.ts';
import { STALLED_MS } from '../../wire/handed-connections.ts';
import { InboundConnection } from '../../wire/inbound.ts';
import type { InboundLimits } from '../../wire/inbound-limits.ts';
import { KnownHeads } from '../../wire/known-heads.ts';
import type { RequestHead } from '../../wire/message.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';
import type { Arrival, Connect, SpeaksHttp } from '../arrival.ts';
import { answerText } from './answer-text.ts';
import { askedBy, readWanted, type Wanted } from './asked.ts';
import type { HttpCache } from './http-cache.ts';
import type { Origins } from './origin.ts';
import type { SiteRules } from './site-rules.ts';
import { readTarget } from './target.ts';

const LIMITS: InboundLimits = {
  headBytes: 64 * 1024,
  headers: 200,
  proxyTargets: true,
  headTimeoutMs: 30_000,
  bodyTimeoutMs: 60_000,
  idleTimeoutMs: 75_000,
  stalledTimeoutMs: STALLED_MS,
};

export interface FrontParts {
  readonly cache: Pick<HttpCache, 'serve' | 'pseudonym'>;
  readonly origins: () => Origins;
  readonly rules: () => SiteRules;
  readonly onRefused: (host: string, status: number) => void;
}

interface Turned {
  readonly host: string;
  readonly status: number;
  readonly reason: string;
}

/** What was made of a head, and what from. */
interface Read {
  readonly scheme: Arrival['scheme'];
  readonly serverName: string | null;
  readonly origins: Origins;
  readonly rules: SiteRules;
  readonly outcome: Wanted | Turned;
}

export class HttpFront implements SpeaksHttp {
  private readonly parts: FrontParts;
  private readonly heads = new KnownHeads<RequestHead>();
  private readonly buffers = new ReadBuffers();
  private readonly open = new Set<InboundConnection>();

  constructor(parts: FrontParts) {
    this.parts = parts;
  }

  /** A connection on which HTTP is spoken, whatever ended its TLS. */
  accept(socket: net.Socket, arrival: Arrival, connect: Connect | null): net.Socket {
    const connection = new InboundConnection(socket, {
      limits: LIMITS,
      buffers: this.buffers,
      heads: this.heads,
      handler: (exchange) => this.serve(exchange, arrival, connect),
      renderFault: ({ status, message }) => ({ status, reason: '', headers: [], body: `berthgate: ${message}\n` }),
      onClosed: (closed) => this.open.delete(closed),
    });
    this.open.add(connection);
    return connection.socket;
  }

  /** Idle connections close, others after what they are at. */
  drain(): void {
    for (const one of this.open) one.drain();
  }

  close(): void {
    for (const one of this.open) one.channel.destroy();
  }

  private serve(exchange: Exchange, arrival: Arrival, connect: Connect | null): void {
    const { method, target } = exchange.head;
    arrival.onRequest?.();
    exchange.keepsHalfOpen = false;
    if (method === 'CONNECT') {
      const open = connect?.(target) ?? null;
      if (open === null) this.refuse(exchange, target, 403, `there is no way to ${target} here`);
      else
        open(new ChannelStream(exchange.upgrade({ status: 200, reason: 'Connection established', headers: [] }, null)));
      return;
    }
    const admitted = this.read(exchange.head, arrival);
    if ('status' in admitted) this.refuse(exchange, admitted.host, admitted.status, admitted.reason);
    else this.parts.cache.serve(askedBy(exchange, arrival, admitted));
  }

  /** The same head, come the same way, means the same. */
  private read(head: RequestHead, arrival: Arrival): Wanted | Turned {
    const { scheme, serverName } = arrival;
    const [origins, rules] = [this.parts.origins(), this.parts.rules()];
    const before = head.meaning as Read | undefined;
    if (
      before !== undefined &&
      before.scheme === scheme &&
      before.serverName === serverName &&
      before.origins === origins &&
      before.rules === rules
    ) {
      return before.outcome;
    }
    const outcome = this.admit(head, arrival, origins, rules);
    head.meaning = { scheme, serverName, origins, rules, outcome } satisfies Read;
    return outcome;
  }

  private admit(head: RequestHead, arrival: Arrival, origins: Origins, rules: SiteRules): Wanted | Turned {
    const read = readTarget(head, arrival);
    if (read.kind === 'refused') return { host: '', status: read.status, reason: read.reason };
    const { url } = read;
    const { hostname } = url;
    const host = origins.find(hostname);
    if (host === null) return { host: hostname, status: 421, reason: `${hostname} is not served here` };
    // Where the administrator has said where it is, the client cannot say otherwise; else only where its service is.
    if (host.origin !== null) url.port = '';
    else if (url.port !== '') return { host: hostname, status: 421, reason: `${url.host} is not served here` };
    if (this.parts.cache.pseudonym.hasPassed(head.headers)) {
      return { host: hostname, status: 508, reason: 'the request goes in a circle' };
    }
    return readWanted(head, url, rules.for(url));
  }

  private refuse(exchange: Exchange, host: string, status: number, message: string): void {
    this.parts.onRefused(host, status);
    answerText(exchange, status, message);
  }
}
