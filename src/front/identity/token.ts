/** `token`: bearer tokens of ours (`bgt_…`), kept hashed in a file (RFC 6750). */

import { z } from 'zod';
import type { Authenticator, AuthenticatorContext, AuthenticatorKind } from '../../exchange/authenticator.ts';
import { readAuthorization } from '../../exchange/authorization.ts';
import type { Identity } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import { file } from '../../operate/config/schema/names.ts';
import type { RequestHead } from '../../wire/message.ts';
import { expired, hashOf, looksLikeToken, readTokenFile, type TokenTable, tokenPrefix } from './token-file.ts';
import { WatchedFile } from './watched-file.ts';

const options = z.strictObject({
  file: file().meta({
    description: 'The file of tokens, kept by `berthgate tokens`; mode 0600. Read again when it changes.',
  }),
});

export const tokenKind: AuthenticatorKind<typeof options> = {
  name: 'token',
  options,
  create: (chosen, context) => new TokenAuthenticator(chosen, context),
};

class TokenAuthenticator implements Authenticator {
  readonly name = 'token';
  readonly schemes = ['bearer'];
  readonly challenge = 'Bearer realm="berthgate"';
  readonly #table: WatchedFile<TokenTable>;

  constructor(chosen: z.output<typeof options>, { log, resolve }: AuthenticatorContext) {
    const path = resolve(chosen.file);
    this.#table = new WatchedFile({ path, what: 'the file of tokens', secret: true, parse: readTokenFile, log });
  }

  start(): Promise<void> {
    return this.#table.start();
  }

  stop(): Promise<void> {
    return this.#table.stop();
  }

  /** Other bearer tokens are for other authenticators. */
  identify(head: RequestHead): Identity | null {
    const authorization = readAuthorization(head);
    if (authorization?.scheme !== 'bearer' || !authorization.credentials.startsWith(tokenPrefix)) return null;
    const token = authorization.credentials;
    const record = looksLikeToken(token) ? this.#table.content.byHash.get(hashOf(token)) : undefined;
    if (record === undefined) throw invalidToken('the token is not known');
    if (expired(record, Date.now())) throw invalidToken('the token has expired');
    return { user: record.user, groups: record.groups, claims: { token: record.id }, by: this.name };
  }
}

/** What a wrong bearer token is answered with (RFC 6750 §3.1). */
export function invalidToken(what: string, cause?: unknown): Refusal {
  const challenge = 'Bearer realm="berthgate", error="invalid_token"';
  return new Refusal('not-identified', what, {
    place: 'Authorization',
    challenge,
    ...(cause === undefined ? {} : { cause }),
  });
}
