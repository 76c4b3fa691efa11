/** A registry asked over the network: with the client's credentials where it wants some, along its redirects without. */

import { LRUCache } from 'lru-cache';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import { OutFault } from '../../wire/way-out.ts';
import { type Challenge, readChallenge } from './challenge.ts';
import { viaOf } from './loops.ts';
import { OciError } from './oci-error.ts';
import { maySendTo, type Registries, type Registry } from './registries.ts';
import { basic, Tokens } from './tokens.ts';
import type { LiveAnswer, LiveUpstream, Resource, UpstreamRequest } from './upstream.ts';

const REGISTRIES_KNOWN = 1000;
const MOST_REDIRECTS = 5;
/** How much of a body may lie here until it is wanted. */
const AHEAD_BYTES = 64 * 1024;

/** Told of every host that a registry sends clients to: for credentials, or for what it has. */
export type OnHost = (registry: string, kind: 'auth' | 'blobs', host: string) => void;

/** One hop of a request. */
interface Hop {
  readonly registry: Registry;
  readonly url: URL;
  readonly request: UpstreamRequest;
  readonly scopes: readonly string[];
  readonly credentials: RegistryCredentials | null;
}

interface Remembered {
  readonly authorization: string | null;
  /** It would be asked in vain again. */
  readonly absent: { readonly realm: string; readonly fault: OutFault } | null;
}

type Answer = LiveAnswer & { readonly body: { dump(): Promise<void> } };

export class LiveRegistry implements LiveUpstream {
  private readonly registries: Registries;
  private readonly onHost: OnHost;
  private readonly tokens = new Tokens();
  /** How each asks for credentials, by its URL. Null: it did not when it was asked. */
  private readonly challenges = new LRUCache<string, { readonly challenge: Challenge | null }>({
    max: REGISTRIES_KNOWN,
  });

  constructor(registries: Registries, onHost: OnHost = () => {}) {
    this.registries = registries;
    this.onHost = onHost;
  }

  async ask(request: UpstreamRequest): Promise<LiveAnswer> {
    const registry = this.registries.find(request.repository.registry);
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const hop = { registry, request, scopes: scopesOf(request), credentials: request.credentials };
    let url = urlOf(registry, request);
    for (let redirects = 0; ; redirects++) {
      const answer = await this.go({ ...hop, url });
      if (!reads || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
      await answer.body.dump();
      const { location } = answer.headers;
      if (redirects === MOST_REDIRECTS || typeof location !== 'string' || !URL.canParse(location, url.href)) {
        throw new OciError('UNAVAILABLE', `${registry.host} redirects too often, or to nowhere`);
      }
      url = new URL(location, url);
      if (!maySendTo(registry, url)) throw new OciError('DENIED', `${registry.host} redirects to a place without TLS`);
      if (url.origin !== registry.url.origin) this.onHost(registry.host, 'blobs', url.host);
    }
  }

  /** One hop; a second time where the registry wants to know who we are. */
  private async go(hop: Hop): Promise<Answer> {
    const { registry, url, request } = hop;
    // Whom the registry sends us to learns nothing of the client.
    if (url.origin !== registry.url.origin) return this.send(hop, null);
    // A body passes once only, so that it is known before how to ask.
    if (request.body !== null && !this.challenges.has(registry.url.href)) await this.learn(registry, request.signal);
    const remembered = await this.rememberedAuthorization(hop);
    const answer = await this.send(hop, remembered.authorization);
    if (answer.status !== 401) return answer;
    const asked = readChallenge(answer.headers['www-authenticate']);
    if (asked === null) return answer;
    this.challenges.set(registry.url.href, { challenge: asked });
    if (URL.canParse(asked.realm)) this.onHost(registry.host, 'auth', new URL(asked.realm).host);
    if (request.body !== null) return answer;
    if (asked.realm === remembered.absent?.realm) {
      await answer.body.dump();
      throw remembered.absent.fault;
    }
    const scopes = asked.scope === '' ? hop.scopes : [asked.scope];
    const authorization = await this.authorization(hop, asked, scopes, true);
    if (authorization === null) return answer;
    await answer.body.dump();
    return this.send(hop, authorization);
  }

  private async learn({ url, out }: Registry, signal: AbortSignal): Promise<void> {
    const { statusCode, headers, body } = await out.send(below(url, '/v2/'), { method: 'GET', signal });
    await body.dump();
    if (statusCode < 500) {
      this.challenges.set(url.href, {
        challenge: statusCode === 401 ? readChallenge(headers['www-authenticate']) : null,
      });
    }
  }

  /** As the registry wanted it last; null where it did not, or where the realm of then is not there any more. */
  private async rememberedAuthorization(hop: Hop): Promise<Remembered> {
    const { href } = hop.registry.url;
    const challenge = this.challenges.get(href)?.challenge ?? null;
    try {
      return { authorization: await this.authorization(hop, challenge, hop.scopes, false), absent: null };
    } catch (fault) {
      const isAnswer = fault instanceof OciError && (fault.code === 'UNAUTHORIZED' || fault.code === 'TOOMANYREQUESTS');
      if (isAnswer) throw fault;
      // The realm may be another one by now, or for another repository: the registry says which.
      this.challenges.delete(href);
      if (hop.request.body !== null) throw fault;
      const isAbsent = challenge !== null && fault instanceof OutFault;
      return { authorization: null, absent: isAbsent ? { realm: challenge.realm, fault } : null };
    }
  }

  private async authorization(
    { registry, credentials }: Hop,
    challenge: Challenge | null,
    scopes: readonly string[],
    fresh: boolean,
  ): Promise<string | null> {
    if (challenge === null) return null;
    if (credentials?.kind === 'bearer') return `Bearer ${credentials.token}`;
    if (challenge.scheme === 'bearer') {
      return `Bearer ${await this.tokens.get(registry, challenge, scopes, credentials, fresh)}`;
    }
    return credentials?.kind === 'password' ? basic(credentials) : null;
  }

  private async send({ registry, url, request }: Hop, authorization: string | null): Promise<Answer> {
    const { method, body, signal, resource } = request;
    const headers = { ...request.headers, via: viaOf(registry, request.via) };
    const sent = authorization === null ? headers : { ...headers, authorization };
    const isLarge = resource.kind === 'blob' && method === 'GET';
    const answer = isLarge
      ? await registry.out.get(url, { headers: sent, signal })
      : await registry.out.send(url, {
          method: method as 'GET',
          headers: sent,
          body,
          signal,
          highWaterMark: AHEAD_BYTES,
        });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body, url };
  }
}

/** An address below the registry's own, which may have a path. */
export function below(url: URL, path: string): URL {
  return new URL(`${url.href.replace(/\/$/, '')}${path}`);
}

function urlOf({ url }: Registry, { repository: { path }, resource, query }: UpstreamRequest): URL {
  const found = resource.kind === 'upload' ? new URL(resource.url) : below(url, `/v2/${path}/${pathOf(resource)}`);
  if (query !== '') found.search = found.search === '' ? query : `${found.search}&${query}`;
  return found;
}

function pathOf(resource: Exclude<Resource, { kind: 'upload' }>): string {
  switch (resource.kind) {
    case 'manifest':
      return `manifests/${resource.reference}`;
    case 'blob':
      return `blobs/${resource.digest}`;
    case 'tags':
      return 'tags/list';
    case 'referrers':
      return `referrers/${resource.digest}`;
    case 'uploads':
      return 'blobs/uploads/';
  }
}

/** What the token specification calls the access that a request needs. */
function scopesOf({ repository, method, resource, from }: UpstreamRequest): readonly string[] {
  const reads = (method === 'GET' || method === 'HEAD') && resource.kind !== 'upload';
  const actions = reads ? 'pull' : method === 'DELETE' && resource.kind !== 'upload' ? 'delete' : 'pull,push';
  const scope = `repository:${repository.path}:${actions}`;
  return from === undefined ? [scope] : [scope, `repository:${from}:pull`];
}
