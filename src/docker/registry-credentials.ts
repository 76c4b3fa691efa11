/** Credentials for registries, as clients send them in `X-Registry-Auth`, `X-Registry-Config` and `POST /auth`. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';

export type RegistryCredentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** What a realm gave instead of a password: OAuth2's refresh token. */
  | { readonly kind: 'identity'; readonly token: string }
  /** What is shown to the registry as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/**
 * Of one registry. Null for none, which clients say as `{}`. Keys in any case, as Go reads them, and of several the last:
 * docker-py says `IdentityToken`, `Username` and `Password` where they come from a credential helper.
 */
export function readCredentials(said: Json | undefined): RegistryCredentials | null {
  if (said === undefined || !isObject(said)) return null;
  const fields = new Map(Object.entries(said).map(([key, value]) => [key.toLowerCase(), value]));
  const text = (key: string): string => {
    const value = fields.get(key);
    return typeof value === 'string' ? value : '';
  };
  if (text('registrytoken') !== '') return { kind: 'bearer', token: text('registrytoken') };
  if (text('identitytoken') !== '') return { kind: 'identity', token: text('identitytoken') };
  // moby and containerd take the two together from `auth` where they stand there.
  const [name, ...rest] = text('auth') === '' ? [] : fromBase64(text('auth')).split(':');
  const username = text('username') || (name ?? '');
  const password = text('password') || rest.join(':');
  return username === '' && password === '' ? null : { kind: 'password', username, password };
}

/** As the session of a client that builds answers (`moby.filesync.v1.Auth`). Null for none. */
export function readSessionCredentials({ Username, Secret }: JsonObject): RegistryCredentials | null {
  if (typeof Secret !== 'string' || Secret === '') return null;
  return typeof Username === 'string' && Username !== ''
    ? { kind: 'password', username: Username, password: Secret }
    : { kind: 'identity', token: Secret };
}

/** The registry that the credentials are for, as the client says it. */
export function serverAddressIn(said: Json): string {
  return isObject(said) && typeof said.serveraddress === 'string' ? said.serveraddress : '';
}

/** Of many registries, by the host as images name it; the keys of a client may be URLs. */
export function readCredentialsByHost(said: Json | undefined): ReadonlyMap<string, RegistryCredentials> {
  const found = new Map<string, RegistryCredentials>();
  if (said === undefined || !isObject(said)) return found;
  for (const [key, value] of Object.entries(said)) {
    const credentials = readCredentials(value);
    if (credentials !== null) found.set(registryHostOf(key), credentials);
  }
  return found;
}

/** moby, ConvertToHostname: `https://index.docker.io/v1/` is `docker.io`; nothing is, too. */
export function registryHostOf(address: string): string {
  const [host = ''] = address.replace(/^https?:\/\//, '').split('/', 1);
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

/** Where the registry of an image's name answers. Docker Hub's is another host than the one that names say. */
export function registryUrlOf(host: string): string {
  return `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`;
}

/** What a client that has logged in is answered; `identity` is to be shown instead of the password, where there is one. */
export function loginAnswer(identity: string): Json {
  return { Status: 'Login Succeeded', IdentityToken: identity };
}

/** As a client says a name and a password, for the engine. */
export function saidCredentials(username: string, password: string, serverAddress: string): Json {
  return { username, password, serveraddress: serverAddress };
}

function fromBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    return '';
  }
}
