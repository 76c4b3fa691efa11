/** The administrator's calls about cached images: `/api/cache/images` lists them, a POST there pulls one ahead. */

import { type AnswerApi, sendJson, sendLines } from './api.ts';

export interface CachedImage {
  readonly name: string;
  readonly digest: string;
  readonly bytes: number;
  readonly blobs: { readonly kept: number; readonly named: number };
  /** Milliseconds since 1970. */
  readonly checkedAt: number;
  readonly lastUse: number;
}

export type WarmLine =
  | { readonly step: 'progress' | 'done'; readonly bytes: number; readonly of: number; readonly blobs: number }
  | { readonly step: 'failed'; readonly reason: string };

export interface ImageAdministration {
  /** Null where nothing is cached. */
  list(): AsyncIterable<CachedImage> | null;
  /** Null for what is no name of an image. */
  warm(reference: string, platform: string, signal: AbortSignal): AsyncIterable<WarmLine> | null;
}

const PATH = '/api/cache/images';

export function imagesApi(images: ImageAdministration): AnswerApi {
  return ({ method, url: said }, response) => {
    const { pathname, searchParams } = new URL(said ?? '', 'http://admin');
    if (pathname !== PATH) return false;
    const list = images.list();
    if (list === null) {
      sendJson(response, 404, { message: 'nothing is cached: the configuration has no `cache`' });
      return true;
    }
    const lines = (make: (signal: AbortSignal) => AsyncIterable<unknown>): void => {
      sendLines(response, make).catch(() => response.destroy());
    };
    if (method === 'GET') lines(() => list);
    else if (method === 'POST') {
      const [reference, platform] = [searchParams.get('reference') ?? '', searchParams.get('platform') ?? 'all'];
      if (images.warm(reference, platform, AbortSignal.abort()) === null) {
        sendJson(response, 400, { message: `${reference} is no name of an image` });
      } else lines((signal) => images.warm(reference, platform, signal) as AsyncIterable<WarmLine>);
    } else sendJson(response, 405, { message: 'only GET and POST' }, { Allow: 'GET, POST' });
    return true;
  };
}
