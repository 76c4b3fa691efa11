/**
 * The mirror that engines, containerd, BuildKit and plain clients are pointed at: `registry-mirrors`, `?ns=` of
 * `hosts.toml`, and names that begin with the registry. Takes nothing, gives what the client may have.
 */

import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { HandedConnections } from '../../wire/handed-connections.ts';
import { nameOf } from './grants.ts';
import { type MirrorLogin, readLogin } from './mirror-login.ts';
import { type MirrorRoute, readMirrorRoute } from './mirror-route.ts';
import type { MirrorTally } from './mirror-tally.ts';
import { OciError } from './oci-error.ts';
import { asOciError, isGone, makeRegistryServer, sayError } from './registry-server.ts';
import { takesMethod } from './route.ts';
import {
  answerTags,
  beginAnswer,
  dropBody,
  ignoreFaults,
  nextOf,
  ownStatusFor,
  sendBody,
  statusFor,
  TOLD,
} from './tell-answer.ts';
import { challengeFor } from './token-realm.ts';
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

const MOST_HEAD_BYTES = 32 * 1024;
const MOST_CONNECTIONS = 2048;
const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const SENT = ['accept', 'range', 'if-none-match', 'if-range'];
const REALM = 'Basic realm="berthgate"';

export interface MirrorParts {
  /** Another one after a reload. */
  readonly upstream: () => Upstream;
  readonly tally: MirrorTally;
  /** Then everybody is asked who they are, and says the registry in the name. Null: whoever shows nothing is nobody. */
  readonly login: MirrorLogin | null;
  readonly onFault: (registry: string, fault: Error) => void;
}

type Named = Extract<MirrorRoute, { readonly kind: 'named' }>;

export class Mirror {
  private readonly connections: HandedConnections;

  constructor(parts: MirrorParts) {
    const server = makeRegistryServer(
      MOST_HEAD_BYTES,
      (request, response) => serve(parts, request, response),
      parts.onFault,
    );
    this.connections = new HandedConnections(server, MOST_CONNECTIONS);
  }

  accept(socket: Duplex): void {
    this.connections.accept(socket);
  }

  /** What runs runs to its end. */
  close(): void {
    this.connections.close();
  }
}

async function serve(parts: MirrorParts, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  // Nothing here takes a body.
  request.resume();
  const [path = '', ...rest] = (request.url ?? '').split('?');
  const query = rest.join('?');
  const route = readMirrorRoute(path, query);
  let shown = request.headers.authorization ?? '';
  try {
    if (parts.login !== null) {
      const admitted = await parts.login.admit(request, response, path, query);
      if (admitted === null) return;
      shown = admitted;
      if (route?.kind === 'named' && route.mode !== 'prefix') {
        throw new OciError('NAME_UNKNOWN', 'the name begins with its registry here');
      }
    }
    if (route === null) throw new OciError('NAME_UNKNOWN', 'there is nothing of this name');
    const method = request.method ?? '';
    const reads = method === 'GET' || method === 'HEAD';
    if (!reads || (route.kind === 'named' && !takesMethod({ name: route.name, ...route.route }, method))) {
      throw new OciError('UNSUPPORTED', `${method} is not for a mirror: push to the registry itself`);
    }
    if (route.kind === 'root') return sayRoot(request, response);
    await answer(parts, route, query, shown, request, response);
  } catch (fault) {
    const isRefused = fault instanceof OciError && fault.code === 'UNAUTHORIZED';
    if (isRefused && route?.kind === 'named') refuse(parts, route, 401, shown, request, response);
    else tell(parts, route, fault as Error, request, response);
  }
}

function sayRoot(request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 2 });
  response.end(request.method === 'HEAD' ? undefined : '{}');
}

async function answer(
  parts: MirrorParts,
  named: Named,
  query: string,
  shown: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const said = await parts.upstream().ask(upstreamRequest(named, query, shown, request, gone.signal));
  ignoreFaults(said);
  const { repository, route, mode, name } = named;
  if (said.status === 401 || said.status === 403) {
    dropBody(said);
    return refuse(parts, named, said.status, shown, request, response);
  }
  if (route.kind === 'tags' && said.status === 200)
    return answerTags(mode === 'prefix' ? name : repository.path, said, response);
  beginAnswer(response, statusFor(request, route.kind, said.status), toldHeaders(named, said), said.why);
  const most = route.kind === 'blob' ? Number.POSITIVE_INFINITY : MOST_MANIFEST_BYTES;
  await sendBody(nameOf(repository), said, request, response, most, () => {});
}

/**
 * An engine shows a mirror no credentials, and goes to the registry itself for what the mirror has not. Who says the
 * registry in the name has nowhere else to go.
 */
function refuse(
  { tally, login }: MirrorParts,
  { mode, repository }: Named,
  status: number,
  shown: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const name = nameOf(repository);
  const { registry } = repository;
  if (mode !== 'prefix') tally.bypasses++;
  const isAsked = mode === 'prefix' && shown === '';
  const [code, told] =
    mode !== 'prefix'
      ? (['NAME_UNKNOWN', 404] as const)
      : isAsked
        ? (['UNAUTHORIZED', 401] as const)
        : (['DENIED', status] as const);
  const challenge = login === null ? REALM : challengeFor(request, 'insufficient_scope');
  const message = `the registry ${registry} does not let everybody have ${name}`;
  sayError(response, told, code, message, told === 401 ? challenge : null);
}

function upstreamRequest(
  { repository, route }: Named,
  query: string,
  shown: string,
  { method = '', headers }: http.IncomingMessage,
  signal: AbortSignal,
): UpstreamRequest {
  const said = new URLSearchParams(query);
  said.delete('ns');
  const sent: Record<string, string> = {};
  for (const name of SENT) {
    const value = headers[name];
    if (typeof value === 'string') sent[name] = value;
  }
  const login = readLogin(shown);
  const lists = route.kind === 'tags' || route.kind === 'referrers';
  return {
    repository,
    resource: route,
    method,
    query: lists ? said.toString() : '',
    headers: sent,
    body: null,
    credentials: login?.registry === repository.registry ? login.credentials : null,
    signal,
    ...(headers.via === undefined ? {} : { via: headers.via }),
  };
}

function toldHeaders({ mode, name, route }: Named, { headers, url }: UpstreamAnswer): http.OutgoingHttpHeaders {
  const told: http.OutgoingHttpHeaders = {};
  for (const field of TOLD) if (headers[field] !== undefined) told[field] = headers[field];
  const next = route.kind === 'referrers' ? nextOf(headers.link, url) : null;
  if (next !== null && route.kind === 'referrers' && mode !== 'ns') {
    told.link = `</v2/${name}/referrers/${route.digest}${next}>; rel="next"`;
  }
  return told;
}

function tell(
  { onFault }: MirrorParts,
  route: MirrorRoute | null,
  fault: Error,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const registry = route?.kind === 'named' ? route.repository.registry : '';
  if (!(fault instanceof OciError) && !isGone(fault)) onFault(registry, fault);
  // A part of an answer must never look like the whole.
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { code, status, message } = asOciError(fault);
  sayError(response, ownStatusFor(request, status), code, message);
}
