/** The administrator's calls about namespaces: `/api/namespaces` and `/api/namespaces/NAME`. */

import type http from 'node:http';
import { type AnswerApi, sendJson } from './api.ts';

export interface NamespaceSummary {
  readonly engine: string;
  readonly namespace: string;
  readonly containers: { readonly running: number; readonly total: number };
  readonly networks: number;
  readonly volumes: number;
  /** Whatever number of names they have. */
  readonly images: number;
  /** ISO 8601; null where this process has not seen a call of it. */
  readonly lastUse: string | null;
}

export interface NamespaceThing {
  readonly engine: string;
  readonly kind: string;
  readonly name: string;
  readonly id: string;
  readonly state: string | null;
}

/** A line of what a removal has done. */
export type RemovalLine =
  | { readonly step: 'removed'; readonly thing: NamespaceThing }
  | {
      readonly step: 'waiting';
      readonly engine: string;
      readonly thing: NamespaceThing | null;
      readonly reason: string;
    }
  | { readonly step: 'left'; readonly thing: NamespaceThing; readonly reason: string }
  | { readonly step: 'done'; readonly complete: boolean };

export interface NamespaceAdministration {
  list(): Promise<readonly NamespaceSummary[]>;
  /** Empty where there is nothing of it. */
  show(namespace: string): Promise<readonly NamespaceThing[]>;
  remove(namespace: string, onLine: (line: RemovalLine) => void, signal: AbortSignal): Promise<void>;
  isNamespace(text: string): boolean;
}

const PATH = '/api/namespaces';

export function namespacesApi(namespaces: NamespaceAdministration): AnswerApi {
  return (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
    const name = path.slice(PATH.length + 1);
    serve(namespaces, name, request.method ?? '', response).catch((fault: Error) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 502, { message: fault.message });
    });
    return true;
  };
}

async function serve(
  namespaces: NamespaceAdministration,
  name: string,
  method: string,
  response: http.ServerResponse,
): Promise<void> {
  if (name === '') {
    if (method !== 'GET') return sendJson(response, 405, { message: 'only GET' }, { Allow: 'GET' });
    return sendJson(response, 200, { namespaces: await namespaces.list() });
  }
  if (!namespaces.isNamespace(name))
    return sendJson(response, 400, { message: `${name} is not a name of a namespace` });
  if (method === 'DELETE') return remove(namespaces, name, response);
  if (method !== 'GET') return sendJson(response, 405, { message: 'only GET and DELETE' }, { Allow: 'GET, DELETE' });
  const things = await namespaces.show(name);
  if (things.length === 0) return sendJson(response, 404, { message: `no namespace ${name}` });
  sendJson(response, 200, { namespace: name, things });
}

/** A line for each step as it is done. Who goes away stops it; the next one goes on where it was. */
async function remove(namespaces: NamespaceAdministration, name: string, response: http.ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  await namespaces.remove(name, (line) => void response.write(`${JSON.stringify(line)}\n`), gone.signal);
  response.end();
}
