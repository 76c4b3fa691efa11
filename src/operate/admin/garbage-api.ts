/** The administrator's calls about what can go from the engines: `GET /api/gc` tells it, `POST /api/gc` does it. */

import { type AnswerApi, sendJson } from './api.ts';

export interface GarbageReport {
  readonly engine: string;
  /** Percent; null where nobody here can say. */
  readonly disk: number | null;
  readonly garbage: readonly {
    readonly kind: string;
    readonly name: string;
    readonly bytes: number | null;
    /** ISO 8601; of parts of the build cache: since when nothing of them was used. */
    readonly used: string;
    readonly why: string;
  }[];
}

/** Null where the configuration has no `gc`. */
export type CollectGarbage = (dryRun: boolean) => Promise<readonly GarbageReport[] | null>;

export function garbageApi(collect: CollectGarbage): AnswerApi {
  return (request, response) => {
    if (request.url?.split('?', 1)[0] !== '/api/gc') return false;
    const { method } = request;
    if (method !== 'GET' && method !== 'POST') {
      sendJson(response, 405, { message: 'only GET and POST' }, { Allow: 'GET, POST' });
      return true;
    }
    collect(method === 'GET').then(
      (engines) =>
        engines === null
          ? sendJson(response, 409, { message: 'the configuration of the server has no `gc`' })
          : sendJson(response, 200, { engines }),
      (fault: Error) => sendJson(response, 502, { message: fault.message }),
    );
    return true;
  };
}
