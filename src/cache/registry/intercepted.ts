/**
 * A request that a client believes to say to a registry itself: what can be cached is asked of the cache with the client's
 * own credentials, and everything else, pushes above all, passes untouched.
 */

import type http from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LRUCache } from 'lru-cache';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import { endToEnd } from '../../wire/end-to-end.ts';
import { OutFault } from '../../wire/way-out.ts';
import { readChallenge } from './challenge.ts';
import type { Repository } from './engine-names.ts';
import { nameOf } from './grants.ts';
import { below, type OnHost } from './live-registry.ts';
import { refuseLoop, viaOf } from './loops.ts';
import { errorBody, OciError } from './oci-error.ts';
import type { Registry } from './registries.ts';
import { isGone } from './registry-server.ts';
import { type NamedRoute, type Route, readRoute } from './route.ts';
import { beginAnswer, dropBody, ignoreFaults, ownStatusFor, sendBody, statusFor, TOLD } from './tell-answer.ts';
import type { Upstream, UpstreamRequest } from './upstream.ts';

const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const SENT = ['accept', 'range', 'if-none-match', 'if-range'];

export interface InterceptedParts {
  readonly upstream: () => Upstream;
  /** How registries asked for a password when they were there, by host. */
  readonly passwordsAsked: LRUCache<string, string>;
  readonly onFault: (registry: string, fault: Error) => void;
  readonly onHost: OnHost;
}

type Kept = Extract<NamedRoute, { readonly kind: 'manifest' | 'blob' }>;

/** @param authority as the client says it: `r.example.org:5000` */
export async function answerIntercepted(
  parts: InterceptedParts,
  registry: Registry,
  authority: string,
  scheme: 'http' | 'https',
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const route = readRoute(path);
  const { method = '' } = request;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const credentials = readAuthorization(request.headers.authorization);
    const isRead = (method === 'GET' || method === 'HEAD') && query === undefined && credentials !== 'another';
    if (isRead && route !== null && isKept(route)) {
      request.resume();
      await answerKept(parts, registry, route, credentials, gone.signal, request, response);
    } else await pass(parts, registry, authority, scheme, route, gone.signal, request, response);
  } catch (fault) {
    tell(parts, registry, route, fault as Error, request, response);
  }
}

function isKept(route: Route): route is { readonly name: string } & Kept {
  return route.kind === 'manifest' || route.kind === 'blob';
}

async function answerKept(
  { upstream, passwordsAsked }: InterceptedParts,
  registry: Registry,
  { name, ...resource }: { readonly name: string } & Kept,
  credentials: RegistryCredentials | null,
  signal: AbortSignal,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const repository: Repository = { registry: registry.host, path: name };
  const headers: Record<string, string> = {};
  for (const field of SENT) {
    const value = request.headers[field];
    if (typeof value === 'string') headers[field] = value;
  }
  const { method = '' } = request;
  const { via } = request.headers;
  const asked: UpstreamRequest = { repository, resource, method, query: '', headers, body: null, credentials, signal };
  const answer = await upstream().ask(via === undefined ? asked : { ...asked, via });
  ignoreFaults(answer);
  if (response.destroyed) return dropBody(answer);
  const told: http.OutgoingHttpHeaders = {};
  // How the registry asks for credentials is for the client, which answers to the registry itself.
  for (const field of [...TOLD, 'www-authenticate']) {
    if (answer.headers[field] !== undefined) told[field] = answer.headers[field];
  }
  // containerd asks for nothing else before.
  const asks = [answer.headers['www-authenticate'] ?? ''].flat()[0] ?? '';
  if (answer.status === 401 && credentials === null && isForPassword(asks)) passwordsAsked.set(registry.host, asks);
  beginAnswer(response, statusFor(request, resource.kind, answer.status), told, answer.why);
  const most = resource.kind === 'blob' ? Number.POSITIVE_INFINITY : MOST_MANIFEST_BYTES;
  await sendBody(nameOf(repository), answer, request, response, most, () => {});
}

async function pass(
  { upstream, passwordsAsked, onHost }: InterceptedParts,
  registry: Registry,
  authority: string,
  scheme: string,
  route: Route | null,
  signal: AbortSignal,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { url, out, host, absences } = registry;
  const { method = '', headers } = request;
  refuseLoop(registry, headers.via);
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  const said = carried(request.rawHeaders, ['host', 'x-forwarded-proto', 'via']);
  absences.expect(host);
  const sent = out.send(below(url, request.url ?? '/'), {
    method: method as 'GET',
    // What the registry calls itself is what the client knows it by.
    headers: [...said, 'Host', authority, 'X-Forwarded-Proto', scheme, 'Via', viaOf(registry, headers.via)],
    body: hasBody ? (request as Readable) : null,
    signal,
    responseHeaders: 'raw',
  });
  const answer = await sent.catch((fault: unknown) => {
    throw absences.named(host, fault);
  });
  answer.body.on('error', () => {});
  const isChange = (method === 'PUT' || method === 'DELETE') && answer.statusCode < 400;
  if (isChange && route !== null && isKept(route)) {
    const { name, ...resource } = route;
    await upstream().forget({ repository: { registry: host, path: name }, resource });
  }
  const asks = answer.statusCode === 401 ? challengeIn(answer.headers as unknown as readonly string[]) : undefined;
  if (route?.kind === 'root' && headers.authorization === undefined) {
    if (asks !== undefined && isForPassword(asks)) passwordsAsked.set(host, asks);
    else passwordsAsked.delete(host);
  }
  // Clients go there by themselves.
  const realm = readChallenge(asks)?.realm ?? '';
  if (URL.canParse(realm)) onHost(host, 'auth', new URL(realm).host);
  response.writeHead(answer.statusCode, carried(answer.headers as unknown as readonly string[], []));
  await pipeline(answer.body, response);
}

/** @param raw names and values in turn */
function challengeIn(raw: readonly (string | Buffer)[]): string | undefined {
  const at = raw.findIndex((name, i) => i % 2 === 0 && String(name).toLowerCase() === 'www-authenticate');
  return at < 0 ? undefined : String(raw[at + 1]);
}

function isForPassword(challenge: string): boolean {
  return challenge.toLowerCase().startsWith('basic ');
}

/** Names and values in turn; with the length, by which a client sees that a body is whole. */
function carried(raw: readonly (string | Buffer)[], without: readonly string[]): string[] {
  const texts = raw.map((one) => (typeof one === 'string' ? one : one.toString('latin1')));
  const at = texts.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
  const kept = endToEnd(texts);
  const found: string[] = [];
  for (let i = 0; i < kept.length; i += 2) {
    if (!without.includes((kept[i] as string).toLowerCase())) found.push(kept[i] as string, kept[i + 1] as string);
  }
  return at < 0 ? found : [...found, 'Content-Length', texts[at + 1] as string];
}

/** `another`: a way to say who one is that we do not know, and so cannot tell from others. */
function readAuthorization(said: string | undefined): RegistryCredentials | null | 'another' {
  if (said === undefined) return null;
  const [, scheme = '', value = ''] = /^(basic|bearer) +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(said) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: value };
  if (scheme === '') return 'another';
  const [username = '', ...password] = Buffer.from(value, 'base64').toString().split(':');
  return { kind: 'password', username, password: password.join(':') };
}

function tell(
  { onFault, passwordsAsked }: InterceptedParts,
  { host }: Registry,
  route: Route | null,
  fault: Error,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  if (!(fault instanceof OciError) && !isGone(fault)) onFault(host, fault);
  if (response.headersSent || response.destroyed) return void response.destroy();
  // Whoever asks whether the registry is there goes on, and gets what the cache has.
  const isAway = fault instanceof OutFault && !['tls', 'inner-address'].includes(fault.reason);
  const isPing = route?.kind === 'root' && isAway;
  const { code, status, message } = asOciError(fault, host);
  const body = isPing ? '{}' : errorBody(code, message);
  // With a password it gets what it had the right to; a token nobody could give it now.
  const isAsked = isPing || (isAway && request.headers.authorization === undefined);
  const asks = isAsked ? passwordsAsked.get(host) : undefined;
  const said = asks !== undefined ? 401 : isPing ? 200 : ownStatusFor(request, status);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...(asks === undefined ? {} : { 'WWW-Authenticate': asks }),
  };
  beginAnswer(response, said, headers, isPing ? undefined : message);
  response.end(request.method === 'HEAD' ? undefined : body);
}

function asOciError(fault: Error, host: string): OciError {
  if (fault instanceof OciError) return fault;
  if (!(fault instanceof OutFault)) return new OciError('UNKNOWN', 'a fault of Berthgate itself');
  return new OciError('UNAVAILABLE', fault.message.includes(host) ? fault.message : `${host}: ${fault.message}`);
}
