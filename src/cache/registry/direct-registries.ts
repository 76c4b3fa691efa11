/** All registries without a store: every request goes to the registry itself. */

import { LRUCache } from 'lru-cache';
import { askerOf } from './asker.ts';
import { LiveRegistry, type OnHost } from './live-registry.ts';
import { refuseLoop } from './loops.ts';
import type { MirrorTally } from './mirror-tally.ts';
import { Origin } from './origin.ts';
import { letGo } from './read-whole.ts';
import type { Registries } from './registries.ts';
import type { LiveAnswer, Upstream, UpstreamRequest } from './upstream.ts';

const PUBLIC_MS = 5 * 60_000;
const MOST_PUBLIC = 10_000;

export class DirectRegistries implements Upstream {
  private readonly registries: Registries;
  private readonly origin: Origin;
  /** Repositories that were seen to be for everybody. */
  private readonly open = new LRUCache<string, true>({ max: MOST_PUBLIC, ttl: PUBLIC_MS });

  constructor(registries: Registries, tally: MirrorTally, onHost?: OnHost) {
    this.registries = registries;
    this.origin = new Origin(new LiveRegistry(registries, onHost), registries, tally);
  }

  async ask(request: UpstreamRequest): Promise<LiveAnswer> {
    const asker = askerOf(request);
    const registry = this.registries.find(request.repository.registry);
    refuseLoop(registry, request.via);
    const { own } = registry;
    const { kind } = request.resource;
    const counts = request.method === 'GET' && (kind === 'manifest' || kind === 'blob');
    if (own === null || !asker.anonymous || !counts) return this.origin.ask(request, asker);
    if (!this.open.has(asker.name)) {
      const said = await this.origin.ask({ ...request, method: 'HEAD' }, asker);
      letGo(said.body);
      if (said.status !== 200) return this.origin.ask(request, asker);
      this.open.set(asker.name, true);
    }
    return this.origin.askPublic(request, asker);
  }

  async forget(): Promise<void> {}
}
