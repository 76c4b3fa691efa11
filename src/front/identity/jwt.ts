/** `jwt`: signed tokens of an issuer (RFC 7519), such as GitLab's ID tokens or those of a company's OpenID provider. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Authenticator, AuthenticatorContext, AuthenticatorKind } from '../../exchange/authenticator.ts';
import { readAuthorization } from '../../exchange/authorization.ts';
import type { Identity } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { RequestHead } from '../../wire/message.ts';
import { claimList, claimOf, claimText, compileRequirements, type Requirements } from './claims.ts';
import type { KeyFinder, KeySource } from './issuer-keys.ts';
import { type JwtOptions, jwtOptions, keySetUrl } from './jwt-options.ts';
import { KeyFile } from './key-file.ts';
import { isPlainName, plainName } from './plain-name.ts';
import { RemoteKeySet } from './remote-key-set.ts';
import { invalidToken } from './token.ts';
import { tokenPrefix } from './token-file.ts';

export const jwtKind: AuthenticatorKind<typeof jwtOptions> = {
  name: 'jwt',
  options: jwtOptions,
  create: (chosen, context) => new JwtAuthenticator(chosen, context),
};

/** A token that verified need not be verified again at each call. */
const rememberedMs = 60_000;
const mostRemembered = 5000;

interface Verified {
  readonly identity: Identity;
  /** Since 1970. */
  readonly expiresMs: number;
  readonly generation: number;
}

class JwtAuthenticator implements Authenticator {
  readonly name = 'jwt';
  readonly schemes = ['bearer'];
  readonly challenge = 'Bearer realm="berthgate"';
  readonly #options: JwtOptions;
  readonly #keys: KeySource;
  readonly #require: Requirements;
  readonly #verified = new LRUCache<string, Verified>({ max: mostRemembered, ttl: rememberedMs });

  constructor(chosen: JwtOptions, context: AuthenticatorContext) {
    this.#options = chosen;
    this.#keys = keySourceOf(chosen, context);
    this.#require = compileRequirements(chosen.require);
  }

  start(): Promise<void> {
    return this.#keys.start();
  }

  stop(): Promise<void> {
    return this.#keys.stop();
  }

  /** Our own tokens are for another authenticator. */
  identify(head: RequestHead): Identity | null | Promise<Identity> {
    const authorization = readAuthorization(head);
    if (authorization?.scheme !== 'bearer' || authorization.credentials.startsWith(tokenPrefix)) return null;
    const token = authorization.credentials;
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known !== undefined && known.generation === this.#keys.generation && known.expiresMs > Date.now()) {
      return known.identity;
    }
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Identity> {
    const keys = await this.#keysFor(token);
    const generation = this.#keys.generation;
    const { issuer, audience, algorithms, clockTolerance } = this.#options;
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys.find, {
        issuer,
        audience: [...audience],
        algorithms: [...algorithms],
        clockTolerance: clockTolerance / 1000,
        requiredClaims: ['exp'],
      }));
    } catch (fault) {
      throw invalidToken(wordsFor(fault), fault);
    }
    const broken = this.#require(payload);
    if (broken !== undefined) throw invalidToken(`the claim ${broken} of the token is not one that may come in`);
    const identity = this.#identityOf(payload);
    this.#verified.set(digest, { identity, expiresMs: payload.exp! * 1000 + clockTolerance, generation });
    return identity;
  }

  async #keysFor(token: string): Promise<KeyFinder> {
    let header: ReturnType<typeof decodeProtectedHeader>;
    try {
      header = decodeProtectedHeader(token);
    } catch (cause) {
      throw invalidToken('the token cannot be read', cause);
    }
    // Before anything is fetched for it.
    if (!this.#options.algorithms.some((algorithm) => algorithm === header.alg)) {
      throw invalidToken('the algorithm of the token is not taken');
    }
    let keys = await this.#keys.keys(false);
    if (keys !== null && !keys.has(header)) keys = await this.#keys.keys(true);
    if (keys === null) throw new Refusal('identity-unavailable', 'the keys of the issuer of the token are not at hand');
    return keys;
  }

  #identityOf(payload: JWTPayload): Identity {
    const { user: userClaim, groups: groupsClaim, claims: carried } = this.#options;
    const user = claimText(claimOf(payload, userClaim));
    if (user === undefined) throw invalidToken(`the token has no claim ${userClaim} that names the user`);
    const groups = groupsClaim === undefined ? [] : claimList(claimOf(payload, groupsClaim)).filter(isPlainName);
    const claims: Record<string, string> = {};
    for (const name of carried) {
      const text = claimText(claimOf(payload, name));
      if (text !== undefined) claims[name] = plainName(text, `claim ${name}`);
    }
    return { user: plainName(user, `claim ${userClaim}`), groups, claims, by: this.name };
  }
}

function keySourceOf({ jwks, ca }: JwtOptions, { resolve, log, download }: AuthenticatorContext): KeySource {
  const url = keySetUrl(jwks);
  if (url === undefined) return new KeyFile(resolve(jwks), log);
  return new RemoteKeySet({ url, ca: ca === undefined ? undefined : () => readFileSync(resolve(ca)), download, log });
}

/** What the client is told: which check failed, never a value. */
function wordsFor(fault: unknown): string {
  if (fault instanceof errors.JWTExpired) return 'the token has expired';
  if (fault instanceof errors.JWTClaimValidationFailed) return `the claim ${fault.claim} of the token is not accepted`;
  if (fault instanceof errors.JWKSNoMatchingKey) return 'the token is signed with a key that its issuer does not have';
  if (fault instanceof errors.JWKSMultipleMatchingKeys) return 'the token does not say which key it is signed with';
  if (fault instanceof errors.JWSSignatureVerificationFailed) return 'the signature of the token is wrong';
  return 'the token cannot be verified';
}
