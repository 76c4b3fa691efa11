/** What administrators see and do of the store of a running server. */

import type { MirrorTally } from '../../cache/registry/index.ts';
import type { Store } from '../../cache/store.ts';
import type { CacheAdministration } from '../../operate/admin/cache-api.ts';

const TELL_EVERY = 500;

export function cacheAdministration(current: () => Store | null, tally: MirrorTally): CacheAdministration {
  const store = (): Store => {
    const found = current();
    if (found === null) throw new Error('nothing is cached any more');
    return found;
  };
  return {
    facts: () => current()?.stats() ?? null,
    images: () => ({
      manifestsSaved: Object.fromEntries(tally.manifestsSaved),
      bytesFromRegistries: tally.bytesFromOrigins,
      bytesFromCache: tally.bytesFromCache,
      quotas: [...tally.quotas.values()],
    }),
    async *list(prefix) {
      for await (const { key, variant, digest, size, storedAt, lastUse } of store().list(prefix)) {
        yield { key, variant, digest, size, storedAt, lastUse };
      }
    },
    remove: (key) => store().delete(key),
    async *purge(prefix, signal) {
      let [removed, bytes] = [0, 0];
      for await (const { key, variant, size } of store().list(prefix)) {
        if (signal.aborted) return;
        if (!(await store().delete(key, variant))) continue;
        removed++;
        bytes += size;
        if (removed % TELL_EVERY === 0) yield { step: 'progress', removed, bytes };
      }
      yield { step: 'done', removed, bytes };
    },
    verify: (signal) => store().verify(signal),
    collect: () => store().collect(),
  };
}
