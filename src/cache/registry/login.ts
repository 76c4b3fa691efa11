/** `docker login`: the real registry is asked, by us, whether it takes the credentials; dockerd's answers and words. */

import { type RegistryCredentials, registryHostOf } from '../../docker/registry-credentials.ts';
import { OutFault } from '../../wire/way-out.ts';
import { readChallenge } from './challenge.ts';
import { below } from './live-registry.ts';
import { OciError } from './oci-error.ts';
import type { Registries, Registry } from './registries.ts';
import { basic, fetchToken } from './tokens.ts';

const LOGIN_MS = 15_000;

export type LoginAnswer =
  /** `identity`: what to show instead of the password from now on; empty where the realm gives none. */
  { readonly status: 200; readonly identity: string } | { readonly status: 401 | 403 | 500; readonly message: string };

/** @param address as clients say it: `https://index.docker.io/v1/`, `r.example.org:5000`, nothing for Docker Hub */
export async function checkLogin(
  registries: Registries,
  address: string,
  credentials: RegistryCredentials | null,
): Promise<LoginAnswer> {
  let asked = '';
  try {
    const registry = registries.find(registryHostOf(address));
    const url = below(registry.url, '/v2/');
    // What the client has named, wherever it really is.
    asked = `${url.protocol}//${registry.host}/v2/`;
    return await login(registry, url, asked, credentials);
  } catch (fault) {
    const message = `Get ${JSON.stringify(asked)}: ${(fault as Error).message}`;
    if (fault instanceof OciError) {
      if (fault.code === 'UNAUTHORIZED')
        return { status: 401, message: `Get ${JSON.stringify(asked)}: unauthorized: ${fault.message}` };
      return fault.code === 'DENIED'
        ? { status: 403, message: `berthgate: ${fault.message}` }
        : { status: 500, message };
    }
    if (fault instanceof OutFault) {
      return fault.reason === 'inner-address'
        ? { status: 403, message: `berthgate: ${fault.message}` }
        : { status: 500, message };
    }
    throw fault;
  }
}

async function login(
  registry: Registry,
  url: URL,
  asked: string,
  credentials: RegistryCredentials | null,
): Promise<LoginAnswer> {
  const signal = AbortSignal.timeout(LOGIN_MS);
  const first = await registry.out.send(url, { method: 'GET', signal });
  await first.body.dump();
  const challenge = first.statusCode === 401 ? readChallenge(first.headers['www-authenticate']) : null;
  if (challenge === null) return answerOf(asked, first.statusCode, '');
  let authorization = credentials?.kind === 'password' ? basic(credentials) : '';
  let identity = '';
  if (challenge.scheme === 'bearer') {
    const token = await fetchToken(
      registry,
      challenge,
      challenge.scope === '' ? [] : [challenge.scope],
      credentials,
      true,
    );
    authorization = `Bearer ${token.token}`;
    identity = token.identity;
  }
  const headers = authorization === '' ? {} : { authorization };
  const second = await registry.out.send(url, { method: 'GET', headers, signal });
  await second.body.dump();
  return answerOf(asked, second.statusCode, identity);
}

/** moby, loginV2: what is no 200 is told as it is. */
function answerOf(asked: string, status: number, identity: string): LoginAnswer {
  if (status === 200) return { status: 200, identity };
  const name = status === 401 ? 'Unauthorized' : status === 403 ? 'Forbidden' : '';
  const message = `login attempt to ${asked} failed with status: ${`${status} ${name}`.trim()}`;
  return { status: status === 401 ? 401 : 500, message };
}
