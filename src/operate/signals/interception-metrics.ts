/** What is told of the addresses at which containers meet the cache. */

import { type Metric, value } from './metric.ts';

export interface InterceptionFacts {
  readonly requests: Readonly<Record<'http' | 'https', number>>;
  readonly connections: Readonly<Record<'intercepted' | 'passed' | 'refused', number>>;
  /** Handshakes that clients ended, by host. */
  readonly refused: ReadonlyMap<string, number>;
}

export interface InterceptionSources {
  /** Null where there is no cache. */
  readonly interception: () => InterceptionFacts | null;
}

export const interceptionMetrics: readonly Metric<InterceptionSources>[] = [
  {
    name: 'berthgate_cache_asked_total',
    type: 'counter',
    help: "Requests at the cache's addresses, by scheme: the share of TLS is https among both.",
    labels: ['scheme'],
    *values({ interception }) {
      for (const [scheme, count] of Object.entries(interception()?.requests ?? {})) yield value({ scheme }, count);
    },
  },
  {
    name: 'berthgate_cache_tls_connections_total',
    type: 'counter',
    help: "Connections of TLS at the cache's addresses: intercepted with our CA, passed untouched, or refused since their host is not cached.",
    labels: ['done'],
    *values({ interception }) {
      for (const [done, count] of Object.entries(interception()?.connections ?? {})) yield value({ done }, count);
    },
  },
  {
    name: 'berthgate_cache_handshakes_refused_total',
    type: 'counter',
    help: 'Handshakes in which a client did not trust our CA. After three in a row its host is passed through for a while, for the clients of the same network.',
    labels: ['host'],
    *values({ interception }) {
      for (const [host, count] of interception()?.refused ?? []) yield value({ host }, count);
    },
  },
];
