/** What is told of the HTTP cache. */

import { type Metric, value } from './metric.ts';

export interface HttpCacheFacts {
  /** By `KIND SCHEME`. */
  readonly requests: ReadonlyMap<string, number>;
  /** Of bodies. */
  readonly bytesServed: number;
  readonly bytesFromCache: number;
  readonly bytesFromOrigins: number;
  readonly resumed: number;
  /** By why. */
  readonly failures: ReadonlyMap<string, number>;
}

export interface HttpCacheSources {
  readonly httpCache: HttpCacheFacts;
}

export const httpCacheMetrics: readonly Metric<HttpCacheSources>[] = [
  {
    name: 'berthgate_http_cache_requests_total',
    type: 'counter',
    help: 'Requests to the HTTP cache, by where the answer came from: fresh, revalidated and stale from the store; follower: from what another request was just fetching; miss: from the server, and kept; pass: from the server, for this client alone; own: an error of the cache itself.',
    labels: ['kind', 'scheme'],
    *values({ httpCache }) {
      for (const [key, count] of httpCache.requests) {
        const [kind = '', scheme = ''] = key.split(' ');
        yield value({ kind, scheme }, count);
      }
    },
  },
  {
    name: 'berthgate_http_cache_bytes_total',
    type: 'counter',
    help: 'Bytes of bodies: served to clients, those of them that cost no server anything (saved), and fetched from servers.',
    labels: ['what'],
    *values({ httpCache }) {
      yield value({ what: 'served' }, httpCache.bytesServed);
      yield value({ what: 'saved' }, httpCache.bytesFromCache);
      yield value({ what: 'fetched' }, httpCache.bytesFromOrigins);
    },
  },
  {
    name: 'berthgate_http_cache_resumed_total',
    type: 'counter',
    help: 'Bodies that broke off at the server and were asked for from there.',
    labels: [],
    *values({ httpCache }) {
      yield value({}, httpCache.resumed);
    },
  },
  {
    name: 'berthgate_http_cache_fill_failures_total',
    type: 'counter',
    help: 'Bodies that were to be kept and are not: origin (it broke off, or was not the same file any more), disk full, larger than the store (by itself than half of it, or together with what comes at the same time than all of it), fault of the disk.',
    labels: ['reason'],
    *values({ httpCache }) {
      for (const [reason, count] of httpCache.failures) yield value({ reason }, count);
    },
  },
];
