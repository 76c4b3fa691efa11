/** The metrics of the registry cache: what was spared, and what registries still give. */

import { type Metric, value } from './metric.ts';

interface QuotaFacts {
  readonly registry: string;
  readonly account: string;
  readonly limit: number;
  readonly remaining: number;
}

export interface RegistryCacheFacts {
  /** By `KIND OUTCOME`. */
  readonly answers: ReadonlyMap<string, number>;
  readonly quotas: ReadonlyMap<string, QuotaFacts>;
  /** By registry. */
  readonly manifestsSaved: ReadonlyMap<string, number>;
  readonly bypasses: number;
  readonly bytesFromOrigins: number;
  readonly bytesFromCache: number;
}

export interface RegistryCacheSources {
  readonly registryCache: () => RegistryCacheFacts;
}

export const registryMetrics: readonly Metric<RegistryCacheSources>[] = [
  {
    name: 'berthgate_registry_cache_answers_total',
    type: 'counter',
    help: 'Manifests and blobs that were given, by where they came from: hit, checked (with the registry, by HEAD), follower (fetched for another at the same moment), stale (the registry had no answer), miss, pass (not kept).',
    labels: ['kind', 'outcome'],
    *values({ registryCache }) {
      for (const [key, count] of registryCache().answers) {
        const [kind = '', outcome = ''] = key.split(' ');
        yield value({ kind, outcome }, count);
      }
    },
  },
  {
    name: 'berthgate_registry_cache_bytes_total',
    type: 'counter',
    help: 'Bytes of manifests and blobs: from registries, and from the cache.',
    labels: ['from'],
    *values({ registryCache }) {
      const { bytesFromOrigins, bytesFromCache } = registryCache();
      yield value({ from: 'registry' }, bytesFromOrigins);
      yield value({ from: 'cache' }, bytesFromCache);
    },
  },
  {
    name: 'berthgate_registry_manifests_saved_total',
    type: 'counter',
    help: 'Manifests that were given without fetching them: what the quota of a registry was spared.',
    labels: ['registry'],
    *values({ registryCache }) {
      for (const [registry, count] of registryCache().manifestsSaved) yield value({ registry }, count);
    },
  },
  {
    name: 'berthgate_registry_quota_limit',
    type: 'gauge',
    help: 'How many manifests a registry gives within its window, as it said last (ratelimit-limit): to us without an account (none), with the one of the configuration (configured), or to the last client with something of its own to show (clients).',
    labels: ['registry', 'account'],
    *values({ registryCache }) {
      for (const { registry, account, limit } of registryCache().quotas.values())
        yield value({ registry, account }, limit);
    },
  },
  {
    name: 'berthgate_registry_quota_remaining',
    type: 'gauge',
    help: 'How many manifests are left of it, as the registry said last (ratelimit-remaining).',
    labels: ['registry', 'account'],
    *values({ registryCache }) {
      for (const { registry, account, remaining } of registryCache().quotas.values())
        yield value({ registry, account }, remaining);
    },
  },
  {
    name: 'berthgate_registry_mirror_bypasses_total',
    type: 'counter',
    help: 'Images that are not for everybody, which a mirror without credentials has not: engines go to the registry themselves.',
    labels: [],
    *values({ registryCache }) {
      yield value({}, registryCache().bypasses);
    },
  },
];
