/** What the gateway asks a registry for. The one who answers may be the registry itself, or who keeps what it has said. */

import type { Readable } from 'node:stream';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import type { Body, ByteRange } from '../store.ts';
import type { Repository } from './engine-names.ts';

export type Resource =
  /** By a tag or a digest. */
  | { readonly kind: 'manifest'; readonly reference: string }
  | { readonly kind: 'blob'; readonly digest: string }
  | { readonly kind: 'tags' }
  | { readonly kind: 'referrers'; readonly digest: string }
  /** Where uploads begin. */
  | { readonly kind: 'uploads' }
  /** One that has begun, at the place that the registry has named. */
  | { readonly kind: 'upload'; readonly url: URL };

export interface UpstreamRequest {
  readonly repository: Repository;
  readonly resource: Resource;
  readonly method: string;
  /** Without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable | null;
  /** Another repository of the same registry that a blob is taken from. */
  readonly from?: string;
  /** The client's own. Null where it has none. */
  readonly credentials: RegistryCredentials | null;
  readonly signal: AbortSignal;
  /** Through whom it has come. */
  readonly via?: string;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whoever gets it reads it or lets it go. */
  readonly body: Readable | KeptPart;
  /** What our own words in the body say, where it is ours: an answer to HEAD has none. */
  readonly why?: string;
  /** Where it came from: what relative places in it are relative to. */
  readonly url: URL;
}

/** Bytes of the store, from where they go to a socket without a detour. */
export interface KeptPart {
  readonly kept: Body;
  readonly range: ByteRange;
}

/** As the registry itself has said it. */
export interface LiveAnswer extends UpstreamAnswer {
  readonly body: Readable;
}

export interface LiveUpstream {
  /** @throws OciError, OutFault */
  ask(request: UpstreamRequest): Promise<LiveAnswer>;
}

export interface Upstream {
  /** @throws OciError, OutFault */
  ask(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** Somebody has changed what the request is for by another way. */
  forget(request: Pick<UpstreamRequest, 'repository' | 'resource'>): Promise<void>;
}
