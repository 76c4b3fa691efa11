/** All registries behind the store: what has been pulled is there. What changes a registry goes through, and is forgotten here. */

import type { Store } from '../store.ts';
import { askerOf } from './asker.ts';
import { BlobCache } from './blob-cache.ts';
import { KeptManifests } from './kept-manifests.ts';
import { LiveRegistry, type OnHost } from './live-registry.ts';
import { refuseLoop } from './loops.ts';
import { ManifestCache } from './manifest-cache.ts';
import type { MirrorTally } from './mirror-tally.ts';
import { Origin } from './origin.ts';
import { ProvenRights } from './proven-rights.ts';
import type { Registries } from './registries.ts';
import type { TagRules } from './tag-rules.ts';
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

export interface CachedRegistriesOptions {
  readonly store: Store;
  readonly registries: Registries;
  readonly tagRules: TagRules;
  readonly staleMs: number;
  readonly tally: MirrorTally;
  /** What could not be kept, or was not what it should be. */
  readonly onFault: (registry: string, fault: Error) => void;
  readonly onHost?: OnHost;
}

export class CachedRegistries implements Upstream {
  private readonly registries: Registries;
  private readonly origin: Origin;
  private readonly manifests: ManifestCache;
  private readonly blobs: BlobCache;

  constructor({ store, registries, tagRules, staleMs, tally, onFault, onHost }: CachedRegistriesOptions) {
    const origin = new Origin(new LiveRegistry(registries, onHost), registries, tally);
    const rights = new ProvenRights(store, staleMs);
    this.registries = registries;
    this.origin = origin;
    this.manifests = new ManifestCache({
      origin,
      rights,
      manifests: new KeptManifests(store),
      tally,
      tagRules,
      staleMs,
    });
    this.blobs = new BlobCache({ store, origin, rights, tally, onFault });
  }

  async ask(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const { method, resource, repository, via } = request;
    refuseLoop(this.registries.find(repository.registry), via);
    if (method !== 'GET' && method !== 'HEAD') return this.change(request);
    if (resource.kind === 'manifest') return this.manifests.ask(request, resource.reference);
    if (resource.kind === 'blob') return this.blobs.ask(request, resource.digest);
    return this.origin.ask(request, askerOf(request));
  }

  async forget(changed: Pick<UpstreamRequest, 'repository' | 'resource'>): Promise<void> {
    await this.manifests.forget(changed);
    await this.blobs.forget(changed);
  }

  private async change(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const answer = await this.origin.ask(request, askerOf(request));
    if (request.method !== 'PATCH') await this.forget(request);
    return answer;
  }
}
