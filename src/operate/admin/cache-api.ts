/** The administrator's calls about what is cached: `/api/cache`, and `records`, `purge`, `verify` and `gc` below it. */

import type http from 'node:http';
import { type AnswerApi, sendJson, sendLines } from './api.ts';

export interface CacheFacts {
  /** False as long as what was there at the start is still being counted. */
  readonly complete: boolean;
  /** Of bodies, each counted once, and of records. */
  readonly bytes: number;
  readonly maxBytes: number;
  readonly bodies: number;
  readonly records: number;
  readonly kinds: Readonly<Record<string, { readonly records: number; readonly bytes: number }>>;
  readonly fills: number;
  /** Since the process began, as all that follows. */
  readonly evicted: { readonly records: number; readonly bytes: number };
  readonly notKept: Readonly<Record<string, number>>;
  /** Bodies that were not what their name says, and were thrown away. */
  readonly corrupt: number;
}

/** How many manifests a registry still gives, as it said last. */
export interface QuotaFacts {
  readonly registry: string;
  /** To us without an account, with the one of the configuration, or to what a client has shown. */
  readonly account: 'none' | 'configured' | 'clients';
  readonly limit: number;
  readonly remaining: number;
  /** Null where it has not said within what time. */
  readonly windowSeconds: number | null;
  /** When it said so, in ms since 1970. */
  readonly at: number;
}

/** Of registries, since the process began. */
export interface ImageFacts {
  /** By registry: manifests that were given without fetching them, which its quota was spared. */
  readonly manifestsSaved: Readonly<Record<string, number>>;
  readonly bytesFromRegistries: number;
  readonly bytesFromCache: number;
  readonly quotas: readonly QuotaFacts[];
}

export interface CachedRecord {
  readonly key: string;
  readonly variant: string;
  readonly digest: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly storedAt: number;
  readonly lastUse: number;
}

export type PurgeLine = { readonly step: 'progress' | 'done'; readonly removed: number; readonly bytes: number };

export type VerifyLine =
  | { readonly step: 'progress'; readonly checked: number; readonly of: number; readonly bytes: number }
  | { readonly step: 'corrupt' | 'missing'; readonly digest: string; readonly keys: readonly string[] }
  | { readonly step: 'damaged record'; readonly name: string }
  | {
      readonly step: 'done';
      readonly checked: number;
      readonly bytes: number;
      readonly corrupt: number;
      readonly missing: number;
      readonly damaged: number;
    };

export interface CollectedFacts {
  /** Half written, of processes that are no more. */
  readonly fills: number;
  /** Without a record. */
  readonly bodies: number;
  readonly bytes: number;
  /** Without a body. */
  readonly records: number;
}

export interface CacheAdministration {
  /** Null where nothing is cached. */
  facts(): CacheFacts | null;
  images(): ImageFacts;
  list(prefix: string): AsyncIterable<CachedRecord>;
  /** Whether there was something. */
  remove(key: string): Promise<boolean>;
  purge(prefix: string, signal: AbortSignal): AsyncIterable<PurgeLine>;
  verify(signal: AbortSignal): AsyncIterable<VerifyLine>;
  collect(): Promise<CollectedFacts>;
}

const PATH = '/api/cache';
const NOTHING = 'nothing is cached: the configuration has no `cache`';

export function cacheApi(cache: CacheAdministration): AnswerApi {
  return (request, response) => {
    const url = new URL(request.url ?? '', 'http://admin');
    if (url.pathname !== PATH && !url.pathname.startsWith(`${PATH}/`)) return false;
    answer(cache, request.method ?? '', url, response).catch((fault: Error) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { message: fault.message });
    });
    return true;
  };
}

async function answer(
  cache: CacheAdministration,
  method: string,
  { pathname, searchParams }: URL,
  response: http.ServerResponse,
): Promise<void> {
  const facts = cache.facts();
  if (facts === null) return sendJson(response, 404, { message: NOTHING });
  const prefix = searchParams.get('prefix') ?? '';
  switch (`${method} ${pathname.slice(PATH.length)}`) {
    case 'GET ':
      return sendJson(response, 200, { ...facts, images: cache.images() });
    case 'GET /records':
      return sendLines(response, () => cache.list(prefix));
    case 'DELETE /records': {
      const key = searchParams.get('key') ?? '';
      if (await cache.remove(key)) return sendJson(response, 200, { removed: key });
      return sendJson(response, 404, { message: `nothing is kept under ${key}` });
    }
    case 'POST /purge':
      return sendLines(response, (signal) => cache.purge(prefix, signal));
    case 'POST /verify':
      return sendLines(response, (signal) => cache.verify(signal));
    case 'POST /gc':
      return sendJson(response, 200, await cache.collect());
    default:
      return sendJson(response, 404, { message: 'page not found' });
  }
}
