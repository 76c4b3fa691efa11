/** One request of an engine that may be: asked of the real registry, and its answer told under the engine's names. */

import type http from 'node:http';
import type { Readable } from 'node:stream';
import { isDigest } from '../../docker/image-reference.ts';
import type { Repository } from './engine-names.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { type Granted, nameOf } from './grants.ts';
import { OciError } from './oci-error.ts';
import type { NamedRoute } from './route.ts';
import {
  answerTags,
  beginAnswer,
  Counting,
  dropBody,
  ignoreFaults,
  nextOf,
  sendBody,
  statusFor,
  TOLD,
} from './tell-answer.ts';
import { challengeFor } from './token-realm.ts';
import type { Resource, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

/** As containerd reads at most; distribution takes half of it. */
const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;

export interface Permitted {
  readonly granted: Granted;
  readonly route: NamedRoute & { readonly name: string };
  readonly repository: Repository;
  /** What the name begins with: the namespace, or the capability. */
  readonly owner: string;
}

const SENT = ['accept', 'range', 'if-none-match', 'if-range', 'content-type', 'content-length', 'content-range'];

export async function answerRequest(
  parts: GatewayParts,
  permitted: Permitted,
  query: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // The rest of a body that the registry has refused before its end.
  response.once('finish', () => request.resume());
  const asked = await upstreamRequest(parts, permitted, query, request, gone.signal);
  const answer = await parts.upstream().ask(asked);
  ignoreFaults(answer);
  const { route, repository } = permitted;
  if (route.kind === 'tags' && answer.status === 200) return answerTags(route.name, answer, response);
  const headers = toldHeaders(parts, permitted, asked, answer, query);
  if (answer.status === 401) {
    // What the registry's own realm is like is not for the engine: the credentials that there were have been shown.
    if (permitted.owner !== permitted.granted.namespace) {
      dropBody(answer);
      throw new OciError('DENIED', `${nameOf(repository)}: the registry wants other credentials`);
    }
    headers['www-authenticate'] = challengeFor(request, 'insufficient_scope');
  }
  beginAnswer(response, statusFor(request, route.kind, answer.status), headers, answer.why);
  const most = route.kind === 'manifest' ? MOST_MANIFEST_BYTES : Number.POSITIVE_INFINITY;
  await sendBody(nameOf(repository), answer, request, response, most, (bytes) => {
    parts.tally.bytesOut += bytes;
  });
}

async function upstreamRequest(
  parts: GatewayParts,
  { granted, route, repository, owner }: Permitted,
  query: string,
  request: http.IncomingMessage,
  signal: AbortSignal,
): Promise<UpstreamRequest> {
  const { method = '', headers } = request;
  const mount = route.kind === 'uploads' ? mountOf(parts, query, owner, repository) : { query };
  const sent: Record<string, string> = {};
  for (const name of SENT) if (typeof headers[name] === 'string') sent[name] = headers[name];
  const length = Number(sent['content-length'] ?? 0);
  if (route.kind === 'manifest' && length > MOST_MANIFEST_BYTES) {
    throw new OciError('MANIFEST_INVALID', `a manifest has at most ${MOST_MANIFEST_BYTES} bytes`);
  }
  return {
    repository,
    resource: resourceOf(parts, route, repository),
    method,
    ...mount,
    headers: sent,
    body: bodyOf(parts, request, route.kind),
    credentials: await granted.credentials(repository.registry),
    signal,
    ...(headers.via === undefined ? {} : { via: headers.via }),
  };
}

function resourceOf({ places }: GatewayParts, route: NamedRoute, repository: Repository): Resource {
  if (route.kind !== 'upload') return route;
  const url = places.open(nameOf(repository), route.sealed);
  if (url === null) throw new OciError('NAME_UNKNOWN', 'there is no upload of this name');
  return { kind: 'upload', url };
}

/** A blob of another repository is taken within one namespace and one registry only; else it is sent as any other. */
function mountOf(
  { names }: GatewayParts,
  query: string,
  owner: string,
  repository: Repository,
): { query: string; from?: string } {
  const said = new URLSearchParams(query);
  const from = names.locate(said.get('from') ?? '');
  said.delete('from');
  if (from === null || from.owner !== owner || from.repository.registry !== repository.registry) {
    said.delete('mount');
    return { query: said.toString() };
  }
  said.set('from', from.repository.path);
  return { query: said.toString(), from: from.repository.path };
}

/** Null where there is none: a request that can be said again. */
function bodyOf({ tally }: GatewayParts, request: http.IncomingMessage, kind: NamedRoute['kind']): Readable | null {
  const { method, headers } = request;
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE') return null;
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return null;
  const most = kind === 'manifest' ? MOST_MANIFEST_BYTES : Number.POSITIVE_INFINITY;
  const counting = new Counting(most, (bytes) => {
    tally.bytesIn += bytes;
  });
  // A client that is gone is no end of a body. What the registry does not want to read is no end of the client.
  request.once('close', () => {
    if (!request.complete) counting.destroy(new Error('the engine has gone'));
  });
  counting.once('close', () => request.unpipe(counting).resume());
  counting.on('error', () => {});
  request.pipe(counting);
  return counting;
}

function toldHeaders(
  { places }: GatewayParts,
  { route, repository }: Permitted,
  asked: UpstreamRequest,
  { status, headers, url }: UpstreamAnswer,
  query: string,
): http.OutgoingHttpHeaders {
  const told: http.OutgoingHttpHeaders = {};
  for (const name of TOLD) if (headers[name] !== undefined) told[name] = headers[name];
  const { location, link } = headers;
  if (typeof location === 'string') {
    const place = placeOf(route, headers['docker-content-digest'], query);
    const begun = status === 202 || status === 204;
    if (!begun && place !== null) told.location = `/v2/${route.name}/${place}`;
    else if (begun && URL.canParse(location, url.href)) {
      told.location = `/v2/${route.name}/blobs/uploads/${places.seal(nameOf(repository), new URL(location, url))}`;
    }
  }
  const next = nextOf(link, url);
  if (next !== null && asked.resource.kind === 'referrers') {
    told.link = `</v2/${route.name}/referrers/${asked.resource.digest}${next}>; rel="next"`;
  }
  return told;
}

/** Where what has been made can be found. */
function placeOf(route: NamedRoute, digest: string | string[] | undefined, query: string): string | null {
  const said = new URLSearchParams(query);
  const known = [digest, said.get('digest'), said.get('mount')].find((one) => typeof one === 'string' && isDigest(one));
  if (route.kind === 'manifest') return `manifests/${known ?? route.reference}`;
  return known === undefined ? null : `blobs/${known}`;
}
