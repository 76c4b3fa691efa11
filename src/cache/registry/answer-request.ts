/** One request of an engine that may be: asked of the real registry, and its answer told under the engine's names. */

import type http from 'node:http';
import { type Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isDigest } from '../../docker/image-reference.ts';
import { OutFault } from '../../wire/way-out.ts';
import type { Repository } from './engine-names.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { type Granted, nameOf } from './grants.ts';
import { OciError } from './oci-error.ts';
import type { NamedRoute } from './route.ts';
import { challengeFor } from './token-realm.ts';
import type { Resource, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

/** As containerd reads at most; distribution takes half of it. */
const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const MOST_LIST_BYTES = 8 * 1024 * 1024;

export interface Permitted {
  readonly granted: Granted;
  readonly route: NamedRoute & { readonly name: string };
  readonly repository: Repository;
  /** What the name begins with: the namespace, or the capability. */
  readonly owner: string;
}

const SENT = ['accept', 'range', 'if-none-match', 'if-range', 'content-type', 'content-length', 'content-range'];
const TOLD = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-range',
  'accept-ranges',
  'range',
  'etag',
  'last-modified',
  'retry-after',
  'warning',
  'docker-content-digest',
  'docker-distribution-api-version',
  'docker-upload-uuid',
  'oci-subject',
  'oci-tag',
  'oci-filters-applied',
  'oci-chunk-min-length',
  'ratelimit-limit',
  'ratelimit-remaining',
];

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
  // An answer that is let go must not end the process.
  answer.body.on('error', () => {});
  const { route, repository } = permitted;
  if (route.kind === 'tags' && answer.status === 200) return answerTags(route.name, answer, response);
  const headers = toldHeaders(parts, permitted, asked, answer, query);
  if (answer.status === 401) {
    // What the registry's own realm is like is not for the engine: the credentials that there were have been shown.
    if (permitted.owner !== permitted.granted.namespace) {
      answer.body.resume();
      throw new OciError('DENIED', `${nameOf(repository)}: the registry wants other credentials`);
    }
    headers['www-authenticate'] = challengeFor(request, 'insufficient_scope');
  }
  response.writeHead(answer.status, headers);
  if (request.method === 'HEAD') {
    answer.body.resume();
    response.end();
    return;
  }
  const most = route.kind === 'manifest' ? MOST_MANIFEST_BYTES : Number.POSITIVE_INFINITY;
  const counting = new Counting(most, (bytes) => {
    parts.tally.bytesOut += bytes;
  });
  try {
    await pipeline(answer.body, counting, response);
  } catch (fault) {
    const { errored } = answer.body;
    if (fault instanceof OciError || errored === null || errored.name === 'AbortError') throw fault;
    throw new OutFault('broken', `${nameOf(repository)}: the registry broke off`, fault);
  }
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

/** `?last=…` of the page that follows (RFC 8288), whatever the registry counts its pages by. */
function nextOf(link: string | string[] | undefined, url: URL): string | null {
  const target = /<([^<>]*)>\s*;\s*rel="?next"?/.exec([link ?? ''].flat().join(', '))?.[1];
  if (target === undefined || !URL.canParse(target, url.href)) return null;
  return new URL(target, url).search;
}

/** The list names its repository, so it is read and printed. */
async function answerTags(
  name: string,
  { headers, body, url }: UpstreamAnswer,
  response: http.ServerResponse,
): Promise<void> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_LIST_BYTES) throw new OciError('UNAVAILABLE', 'the list of tags is too long');
    pieces.push(piece);
  }
  let tags: unknown;
  try {
    ({ tags } = JSON.parse(Buffer.concat(pieces).toString()) as { readonly tags?: unknown });
  } catch (fault) {
    throw new OciError('UNAVAILABLE', 'the registry answered with no list of tags', fault);
  }
  const told = Buffer.from(JSON.stringify({ name, tags: Array.isArray(tags) ? tags : null }));
  const next = nextOf(headers.link, url);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': told.length,
    ...(next === null ? {} : { link: `</v2/${name}/tags/list${next}>; rel="next"` }),
  });
  response.end(told);
}

/** Counts what passes, and ends what is too much. */
class Counting extends Transform {
  private readonly most: number;
  private readonly tell: (bytes: number) => void;
  private bytes = 0;

  constructor(most: number, tell: (bytes: number) => void) {
    super();
    this.most = most;
    this.tell = tell;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += piece.length;
    this.tell(piece.length);
    if (this.bytes > this.most) done(new OciError('MANIFEST_INVALID', `it is larger than ${this.most} bytes`));
    else done(null, piece);
  }
}
