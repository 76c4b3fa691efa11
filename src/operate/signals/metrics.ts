/** Every metric that there is: its name, what it says, and where its value is read when somebody asks. */

import { readdirSync } from 'node:fs';
import { type MetricObjectWithValues, Registry } from 'prom-client';
import { type CallTally, durationBounds } from './call-tally.ts';
import type { DecisionCounts } from './decision-recorder.ts';
import { type HttpCacheSources, httpCacheMetrics } from './http-cache-metrics.ts';
import { type InterceptionSources, interceptionMetrics } from './interception-metrics.ts';
import { type JobSources, jobMetrics } from './job-metrics.ts';
import { type Described, type Metric, type Value, value } from './metric.ts';
import { type RegistryCacheSources, registryMetrics } from './registry-metrics.ts';

export interface EngineFacts {
  readonly name: string;
  readonly up: boolean | null;
  readonly version: string | null;
  readonly api: { readonly oldest: number; readonly newest: number } | null;
}

interface GatewayFacts {
  /** By `KIND STATUS`. */
  readonly requests: ReadonlyMap<string, number>;
  /** By why a registry gave no answer. */
  readonly faults: ReadonlyMap<string, number>;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What the store of the caches holds. */
export interface StoreFacts {
  readonly bytes: number;
  readonly maxBytes: number;
  readonly bodies: number;
  readonly kinds: Readonly<Record<string, { readonly records: number }>>;
  readonly fills: number;
  readonly evicted: { readonly records: number; readonly bytes: number };
  /** By why. */
  readonly notKept: Readonly<Record<string, number>>;
  readonly corrupt: number;
}

interface MetricSources extends JobSources, InterceptionSources, RegistryCacheSources, HttpCacheSources {
  readonly calls: CallTally;
  readonly decisions: () => DecisionCounts;
  readonly openStreams: ReadonlyMap<string, number>;
  /** Open connections by listener. */
  readonly connections: () => ReadonlyMap<string, number>;
  readonly engines: () => readonly EngineFacts[];
  /** In the order of their addresses. */
  readonly gateways: () => readonly GatewayFacts[];
  /** Null where nothing is cached. */
  readonly store: () => StoreFacts | null;
  readonly version: string;
}

const metrics: readonly Metric<MetricSources>[] = [
  {
    name: 'berthgate_calls_total',
    type: 'counter',
    help: 'Calls that have ended, by the status of their answer; 0 where the client had gone before, endpoint "none" where the path is unknown.',
    labels: ['listener', 'endpoint', 'status'],
    *values({ calls }) {
      for (const [listener, { endpoints }] of calls.listeners) {
        for (const [endpoint, { statuses }] of endpoints) {
          for (const [status, count] of statuses) yield value({ listener, endpoint, status }, count);
        }
      }
    },
  },
  {
    name: 'berthgate_call_duration_seconds',
    type: 'histogram',
    help: 'From the head of a request to the end of its answer; for streams, to the end of the stream.',
    labels: ['listener', 'endpoint'],
    *values({ calls }) {
      for (const [listener, { endpoints }] of calls.listeners) {
        for (const [endpoint, { durations, seconds }] of endpoints) {
          let count = 0;
          for (const [i, bound] of [...durationBounds, '+Inf'].entries()) {
            count += durations[i] as number;
            yield value({ listener, endpoint, le: bound }, count, 'berthgate_call_duration_seconds_bucket');
          }
          yield value({ listener, endpoint }, seconds, 'berthgate_call_duration_seconds_sum');
          yield value({ listener, endpoint }, count, 'berthgate_call_duration_seconds_count');
        }
      }
    },
  },
  {
    name: 'berthgate_refusals_total',
    type: 'counter',
    help: 'Calls that were not served, by the code in the header Berthgate-Refusal.',
    labels: ['listener', 'code'],
    *values({ calls }) {
      for (const [listener, { refusals }] of calls.listeners) {
        for (const [code, count] of refusals) yield value({ listener, code }, count);
      }
    },
  },
  {
    name: 'berthgate_decisions_total',
    type: 'counter',
    help: 'What policies decided: passed, changed, refused, or would-refuse where the policy is only tried (mode warn). Rules plugin-throws, plugin-hangs and plugin-nonsense are failures of a plugin.',
    labels: ['listener', 'policy', 'rule', 'decision'],
    *values({ decisions }) {
      for (const { labels, count } of decisions()) yield value({ ...labels }, count);
    },
  },
  {
    name: 'berthgate_received_bytes_total',
    type: 'counter',
    help: 'Bytes that came from clients with calls that have ended.',
    labels: ['listener'],
    *values({ calls }) {
      for (const [listener, { bytesIn }] of calls.listeners) yield value({ listener }, bytesIn);
    },
  },
  {
    name: 'berthgate_sent_bytes_total',
    type: 'counter',
    help: 'Bytes that went to clients with calls that have ended.',
    labels: ['listener'],
    *values({ calls }) {
      for (const [listener, { bytesOut }] of calls.listeners) yield value({ listener }, bytesOut);
    },
  },
  {
    name: 'berthgate_open_streams',
    type: 'gauge',
    help: 'Streams that run now, by how their bytes travel: hijack (attach, exec), frames (logs), lines (events), tar, …',
    labels: ['kind'],
    *values({ openStreams }) {
      for (const [kind, count] of openStreams) yield value({ kind }, count);
    },
  },
  {
    name: 'berthgate_connections',
    type: 'gauge',
    help: 'Open connections of clients.',
    labels: ['listener'],
    *values({ connections }) {
      for (const [listener, count] of connections()) yield value({ listener }, count);
    },
  },
  {
    name: 'berthgate_engine_up',
    type: 'gauge',
    help: 'Whether the engine answered when it was asked last.',
    labels: ['engine'],
    *values({ engines }) {
      for (const { name, up } of engines()) if (up !== null) yield value({ engine: name }, up ? 1 : 0);
    },
  },
  {
    name: 'berthgate_engine_info',
    type: 'gauge',
    help: 'The version of the engine and the API versions that it speaks; always 1.',
    labels: ['engine', 'version', 'api', 'min_api'],
    *values({ engines }) {
      for (const { name, version, api } of engines()) {
        if (version === null || api === null) continue;
        yield value({ engine: name, version, api: `1.${api.newest}`, min_api: `1.${api.oldest}` }, 1);
      }
    },
  },
  {
    name: 'berthgate_gateway_requests_total',
    type: 'counter',
    help: 'What engines asked the registry gateway: manifest, blob, upload, token, …; "none" for what is no path of a registry.',
    labels: ['kind', 'status'],
    *values({ gateways }) {
      for (const [key, count] of summed(gateways().map(({ requests }) => requests))) {
        const [kind = '', status = ''] = key.split(' ');
        yield value({ kind, status }, count);
      }
    },
  },
  {
    name: 'berthgate_gateway_bytes_total',
    type: 'counter',
    help: 'Bytes of images that went through the registry gateway: pull from registries, push to them.',
    labels: ['direction'],
    *values({ gateways }) {
      let [pull, push] = [0, 0];
      for (const { bytesIn, bytesOut } of gateways()) {
        pull += bytesOut;
        push += bytesIn;
      }
      yield value({ direction: 'pull' }, pull);
      yield value({ direction: 'push' }, push);
    },
  },
  {
    name: 'berthgate_gateway_upstream_faults_total',
    type: 'counter',
    help: 'Requests that a registry gave no answer to: unknown-host, unreachable, inner-address (not allowed), tls, timeout, broken.',
    labels: ['reason'],
    *values({ gateways }) {
      for (const [reason, count] of summed(gateways().map(({ faults }) => faults))) yield value({ reason }, count);
    },
  },
  ...registryMetrics,
  {
    name: 'berthgate_store_bytes',
    type: 'gauge',
    help: 'What the store of the caches holds: each body once, and the records.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.bytes);
    },
  },
  {
    name: 'berthgate_store_limit_bytes',
    type: 'gauge',
    help: 'What it may hold (cache.maxBytes).',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.maxBytes);
    },
  },
  {
    name: 'berthgate_store_bodies',
    type: 'gauge',
    help: 'Bodies in the store, each counted once however many records name it.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.bodies);
    },
  },
  {
    name: 'berthgate_store_records',
    type: 'gauge',
    help: 'Records in the store, by kind: http, manifest, blob, …',
    labels: ['kind'],
    *values({ store }) {
      for (const [kind, { records }] of Object.entries(store()?.kinds ?? {})) yield value({ kind }, records);
    },
  },
  {
    name: 'berthgate_store_fills',
    type: 'gauge',
    help: 'Bodies that are being written to the store now.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.fills);
    },
  },
  {
    name: 'berthgate_store_evicted_records_total',
    type: 'counter',
    help: 'Records that went to make room.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.evicted.records);
    },
  },
  {
    name: 'berthgate_store_evicted_bytes_total',
    type: 'counter',
    help: 'Bytes that went to make room.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.evicted.bytes);
    },
  },
  {
    name: 'berthgate_store_not_kept_total',
    type: 'counter',
    help: 'Bodies that were passed on and not kept: disk full, larger than the store (by itself than half of it, or together with what comes at the same time than all of it), fault of the disk.',
    labels: ['reason'],
    *values({ store }) {
      for (const [reason, count] of Object.entries(store()?.notKept ?? {})) yield value({ reason }, count);
    },
  },
  {
    name: 'berthgate_store_corrupt_total',
    type: 'counter',
    help: 'Bodies in the store that were not what their digest says; they are thrown away, and never served whole.',
    labels: [],
    *values({ store }) {
      const facts = store();
      if (facts !== null) yield value({}, facts.corrupt);
    },
  },
  ...jobMetrics,
  {
    name: 'berthgate_build_info',
    type: 'gauge',
    help: 'The version of Berthgate and of Node; always 1.',
    labels: ['version', 'node'],
    *values({ version }) {
      yield value({ version, node: process.version }, 1);
    },
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'User and system time.',
    labels: [],
    *values() {
      const { user, system } = process.cpuUsage();
      yield value({}, (user + system) / 1e6);
    },
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory.',
    labels: [],
    *values() {
      yield value({}, process.memoryUsage.rss());
    },
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the process was started, in seconds of the epoch.',
    labels: [],
    *values() {
      yield value({}, Math.round(Date.now() / 1000 - process.uptime()));
    },
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors.',
    labels: [],
    *values() {
      const count = openDescriptors();
      if (count !== null) yield value({}, count);
    },
  },
  {
    name: 'nodejs_heap_used_bytes',
    type: 'gauge',
    help: "What lives on JavaScript's heap.",
    labels: [],
    *values() {
      yield value({}, process.memoryUsage().heapUsed);
    },
  },
  ...interceptionMetrics,
  ...httpCacheMetrics,
];

/** For the reference page. */
export const describedMetrics: readonly Described[] = metrics;

export function makeRegistry(sources: MetricSources): Registry {
  const registry = new Registry();
  for (const { name, type, help, values } of metrics) {
    const metric = {
      name,
      get: (): Promise<MetricObjectWithValues<Value>> =>
        Promise.resolve({ name, help, type, aggregator: 'sum', values: [...values(sources)] } as never),
      reset: () => {},
    };
    // The library asks a metric for nothing but its name and its values; its own classes count too slowly for us.
    registry.registerMetric(metric as never);
  }
  return registry;
}

function summed(all: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const one of all) for (const [key, count] of one) sums.set(key, (sums.get(key) ?? 0) + count);
  return sums;
}

function openDescriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return null;
  }
}
