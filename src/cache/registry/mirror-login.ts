/**
 * Where a mirror asks who is there. An engine shows credentials only to whom its first question was answered with a challenge,
 * and only as a token that it has fetched for them: so this is a realm of our own, whose tokens are what the client has shown,
 * sealed for some minutes. It remembers nothing and decides nothing: the registry is asked, with what was shown.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type http from 'node:http';
import type { RegistryCredentials } from '../../docker/registry-credentials.ts';
import { readRepository } from './engine-names.ts';
import type { LoginAnswer } from './login.ts';
import { sayError } from './registry-server.ts';
import { challengeFor } from './token-realm.ts';

const TOKEN_SECONDS = 300;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What an administrator's registry says to somebody's credentials. */
export type CheckLogin = (registry: string, credentials: RegistryCredentials) => Promise<LoginAnswer>;

export class MirrorLogin {
  private readonly check: CheckLogin;
  private readonly key = randomBytes(32);

  constructor(check: CheckLogin) {
    this.check = check;
  }

  /** What stands in for the `Authorization` that was sent, empty for nobody; null where the request has been answered. */
  async admit(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
    query: string,
  ): Promise<string | null> {
    const { method, headers } = request;
    if (path === '/token') {
      if (method === 'GET') await this.answerToken(headers.authorization ?? '', query, response);
      // Whoever tries OAuth2 first goes on with GET.
      else sayError(response, 405, 'UNSUPPORTED', 'GET is for this');
      return null;
    }
    const [, token] = /^bearer +([\w-]+) *$/i.exec(headers.authorization ?? '') ?? [];
    const shown = token === undefined ? null : this.open(token);
    if (shown === null) {
      sayError(response, 401, 'UNAUTHORIZED', 'nobody has been named', challengeFor(request));
    }
    return shown;
  }

  private async answerToken(authorization: string, query: string, response: http.ServerResponse): Promise<void> {
    const isLogin = authorization !== '' && !new URLSearchParams(query).has('scope');
    const refused = isLogin ? await this.refusalOf(authorization) : null;
    if (refused !== null) return sayError(response, 401, 'UNAUTHORIZED', refused);
    const token = this.seal(authorization);
    const issued = new Date().toISOString();
    const body = JSON.stringify({ token, access_token: token, expires_in: TOKEN_SECONDS, issued_at: issued });
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    });
    response.end(body);
  }

  /** Why nobody can log in so; null where the registry takes it. */
  private async refusalOf(authorization: string): Promise<string | null> {
    const login = readLogin(authorization);
    if (login === null) return 'the name of the user begins with its registry: docker login -u r.example.org/USER';
    const answer = await this.check(login.registry, login.credentials);
    return answer.status === 200 ? null : answer.message;
  }

  private seal(authorization: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.key, nonce);
    const until = Date.now() + TOKEN_SECONDS * 1000;
    const sealed = Buffer.concat([cipher.update(JSON.stringify([until, authorization])), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** Null for what is not ours, or too old. */
  private open(token: string): string | null {
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return null;
    const cipher = createDecipheriv(CIPHER, this.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    cipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const text = Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), cipher.final()]).toString();
      const [until, authorization] = JSON.parse(text) as [number, string];
      return Date.now() < until ? authorization : null;
    } catch {
      // It does not authenticate: somebody has made it up, or an earlier process has.
      return null;
    }
  }
}

/**
 * A client has one password for a whole mirror, and would send it for every name that somebody writes. So the name of the
 * user says which registry it is for, as in `docker login -u r.example.org__5000/alice`; no other ever sees it (RED-TEAM 64).
 */
export function readLogin(
  authorization: string | undefined,
): { readonly registry: string; readonly credentials: RegistryCredentials } | null {
  const [, value] = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization ?? '') ?? [];
  if (value === undefined) return null;
  const [name = '', ...password] = Buffer.from(value, 'base64').toString().split(':');
  const slash = name.indexOf('/');
  const registry = slash < 0 ? undefined : readRepository(`${name.slice(0, slash)}/any/any`)?.registry;
  if (registry === undefined) return null;
  return {
    registry,
    credentials: { kind: 'password', username: name.slice(slash + 1), password: password.join(':') },
  };
}
