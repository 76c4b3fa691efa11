/** Tokens of registries' realms: fetched with the credentials of one client, kept for the same credentials only. */

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import type { Out, OutRequest } from '../../wire/way-out.ts';
import type { Challenge } from './challenge.ts';
import { OciError } from './oci-error.ts';
import { isOwnRealm, maySendTo, type Registry } from './registries.ts';

const TOKENS_KEPT = 10_000;
/** The token specification: what says nothing of its end is good for a minute. */
const UNSAID_SECONDS = 60;
/** A token that ends while a request is on its way is as bad as none. */
const MARGIN_SECONDS = 10;
const LONGEST_SECONDS = 600;
const MOST_ANSWER_BYTES = 256 * 1024;
const REALM_MS = 30_000;
/** What Docker's own client calls itself. */
const CLIENT_ID = 'docker';

export interface Token {
  readonly token: string;
  /** Instead of the password from now on; empty where the realm gives none. */
  readonly identity: string;
  readonly seconds: number;
}

export class Tokens {
  private readonly kept = new LRUCache<string, Promise<Token>>({ max: TOKENS_KEPT, ttl: 1 });

  /** @throws OciError where the realm refuses, or is not the registry's @throws OutFault where it does not answer */
  async get(
    registry: Registry,
    challenge: Challenge,
    scopes: readonly string[],
    credentials: RegistryCredentials | null,
    fresh: boolean,
  ): Promise<string> {
    const { realm, service } = challenge;
    const facts = JSON.stringify([registry.url.href, realm, service, scopes, credentials]);
    const key = createHash('sha256').update(facts).digest('base64');
    if (fresh) this.kept.delete(key);
    const before = this.kept.get(key);
    if (before !== undefined) return (await before).token;
    const asked = fetchToken(registry, challenge, scopes, credentials);
    // Whoever needs it meanwhile waits for the same one.
    this.kept.set(key, asked, { ttl: REALM_MS });
    try {
      const token = await asked;
      const seconds = Math.min(token.seconds, LONGEST_SECONDS) - MARGIN_SECONDS;
      if (seconds > 0) this.kept.set(key, asked, { ttl: seconds * 1000 });
      else this.kept.delete(key);
      return token.token;
    } catch (fault) {
      this.kept.delete(key);
      throw fault;
    }
  }
}

/** `offline`: also asks for an identity token, as a login does. */
export async function fetchToken(
  registry: Registry,
  { realm, service }: Challenge,
  scopes: readonly string[],
  credentials: RegistryCredentials | null,
  offline = false,
): Promise<Token> {
  const url = realmUrl(registry, realm, credentials !== null);
  const signal = AbortSignal.timeout(REALM_MS);
  const identity = credentials?.kind === 'identity' ? credentials.token : null;
  const query = new URLSearchParams();
  if (service !== '') query.set('service', service);
  for (const scope of scopes) query.append('scope', scope);
  const { host, absences, out } = registry;
  const ask = (request: OutRequest): ReturnType<Out['send']> =>
    absences.ofRealm(host, url.host, () => out.send(url, request));
  let answer: Awaited<ReturnType<Out['send']>>;
  if (identity === null) {
    if (offline) query.set('offline_token', 'true');
    query.set('client_id', CLIENT_ID);
    if (credentials?.kind === 'password') query.set('account', credentials.username);
    for (const [key, value] of query) url.searchParams.append(key, value);
    const headers = credentials?.kind === 'password' ? { authorization: basic(credentials) } : {};
    answer = await ask({ method: 'GET', headers, signal });
  } else {
    // Docker's OAuth2: https://distribution.github.io/distribution/spec/auth/oauth/
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID, refresh_token: identity });
    form.set('service', service);
    form.set('scope', scopes.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    answer = await ask({ method: 'POST', headers, body: form.toString(), signal });
  }
  const { statusCode, body } = answer;
  const text = await readSome(body);
  if (statusCode === 429) throw new OciError('TOOMANYREQUESTS', `${registry.host}: too many requests to its realm`);
  if (statusCode >= 500 || statusCode === 404 || statusCode === 410)
    throw new OciError('UNAVAILABLE', `${registry.host}: its realm answered with ${statusCode}`);
  if (statusCode !== 200) throw new OciError('UNAUTHORIZED', realmMessage(text));
  return readToken(registry, text);
}

export function basic({ username, password }: RegistryCredentials & { kind: 'password' }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function realmUrl(registry: Registry, realm: string, shows: boolean): URL {
  const url = URL.canParse(realm) ? new URL(realm) : null;
  if (url === null || url.username !== '' || url.password !== '') {
    throw new OciError('UNAVAILABLE', `${registry.host} names a realm that is no URL`);
  }
  if (!maySendTo(registry, url)) {
    throw new OciError('DENIED', `${registry.host} wants credentials at ${url.host} without TLS: they were not sent`);
  }
  if (shows && !isOwnRealm(registry, url)) {
    const message = `${registry.host} wants credentials at ${url.host}, which is not of its own domain: they were not sent (an administrator can allow it: registry.upstreams, realms)`;
    throw new OciError('DENIED', message);
  }
  return url;
}

function readToken(registry: Registry, text: string): Token {
  const said = parse(text);
  const { token, access_token, refresh_token, expires_in } = said;
  const found = typeof token === 'string' && token !== '' ? token : access_token;
  // It goes into a header.
  if (typeof found !== 'string' || !/^[\x21-\x7e]+$/.test(found)) {
    throw new OciError('UNAVAILABLE', `the realm of ${registry.host} answered without a token`);
  }
  return {
    token: found,
    identity: typeof refresh_token === 'string' ? refresh_token : '',
    seconds: typeof expires_in === 'number' && expires_in > 0 ? expires_in : UNSAID_SECONDS,
  };
}

/** What a realm says to a refusal has three forms in the wild. */
function realmMessage(text: string): string {
  const { errors, details, message } = parse(text);
  const [first] = Array.isArray(errors) ? (errors as readonly { readonly message?: unknown }[]) : [];
  const said = [first?.message, details, message].find((one) => typeof one === 'string' && one !== '');
  return typeof said === 'string' ? said.slice(0, 300) : 'incorrect username or password';
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? (read as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > MOST_ANSWER_BYTES) throw new OciError('UNAVAILABLE', 'the realm of the registry answers too much');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
