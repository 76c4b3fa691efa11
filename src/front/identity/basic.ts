/** `basic`: a user and a password of an htpasswd file (RFC 7617). */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Authenticator, AuthenticatorContext, AuthenticatorKind } from '../../exchange/authenticator.ts';
import { readAuthorization } from '../../exchange/authorization.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import { file } from '../../operate/config/schema/names.ts';
import type { RequestHead } from '../../wire/message.ts';
import { Attempts, sourceOf } from './attempts.ts';
import { type Htpasswd, readGroupFile, readHtpasswd } from './htpasswd.ts';
import { nobodysHash, PasswordCheck, type Question } from './password-check.ts';
import { isPlainName } from './plain-name.ts';
import { WatchedFile } from './watched-file.ts';

const options = z.strictObject({
  htpasswd: file().meta({ description: 'The file of `htpasswd -B`: bcrypt hashes only. Read again when it changes.' }),
  groups: file()
    .meta({ description: "Groups of the users: `GROUP: USER USER` a line, as Apache's AuthGroupFile." })
    .optional(),
});

/**
 * Refusals that cost nothing come late, and the later the more of them wait: however many connections a client has, it gets
 * at most 25 a second, so that it cannot fill the process with them. Not all after the same time, or they came in waves.
 */
const refusalDelay = { leastMs: 500, mostMs: 1500, forEachWaitingMs: 40 };

export const basicKind: AuthenticatorKind<typeof options> = {
  name: 'basic',
  options,
  create: (chosen, context) => new BasicAuthenticator(chosen, context),
};

interface Credentials {
  readonly user: string;
  readonly password: Buffer;
}

class BasicAuthenticator implements Authenticator {
  readonly name = 'basic';
  readonly schemes = ['basic'];
  readonly challenge = 'Basic realm="berthgate", charset="UTF-8"';
  readonly #users: WatchedFile<Htpasswd>;
  readonly #groups: WatchedFile<ReadonlyMap<string, readonly string[]>> | null;
  readonly #passwords: PasswordCheck;
  readonly #attempts: Attempts;
  #lateOnes = 0;

  constructor(
    chosen: z.output<typeof options>,
    { log, resolve }: AuthenticatorContext,
    passwords = new PasswordCheck(),
    attempts = new Attempts(),
  ) {
    const path = resolve(chosen.htpasswd);
    this.#users = new WatchedFile({ path, what: 'the htpasswd file', secret: true, parse: readHtpasswd, log });
    this.#groups =
      chosen.groups === undefined
        ? null
        : new WatchedFile({
            path: resolve(chosen.groups),
            what: 'the file of groups',
            secret: false,
            parse: readGroupFile,
            log,
          });
    this.#passwords = passwords;
    this.#attempts = attempts;
  }

  async start(): Promise<void> {
    await this.#users.start();
    await this.#groups?.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#users.stop(), this.#groups?.stop()]);
  }

  identify(head: RequestHead, peer: Peer): Identity | null | Promise<Identity> {
    const authorization = readAuthorization(head);
    if (authorization?.scheme !== 'basic') return null;
    const { user, password } = readCredentials(authorization.credentials);
    const { hashes, cost } = this.#users.content;
    const hash = hashes.get(user);
    const question = this.#passwords.question(password, hash ?? nobodysHash(cost));
    const known = this.#passwords.known(question);
    if (known === 'right' && hash !== undefined) return this.#identity(user);
    if (known === 'wrong') return this.#late(wrong('wrong user or password'));
    return this.#find(user, hash, question, sourceOf(peer.address));
  }

  async #find(user: string, hash: string | undefined, question: Question, source: string): Promise<Identity> {
    if (this.#attempts.spent(source, user)) return this.#late(tooMany());
    const verdict = await this.#passwords.ask(question, () => !this.#attempts.spent(source, user));
    if (verdict === null || verdict === 'dropped') return this.#late(tooMany());
    // The file may have changed meanwhile, and for a user who does not exist nothing is right.
    if (verdict === 'right' && hash !== undefined && this.#users.content.hashes.get(user) === hash) {
      return this.#identity(user);
    }
    this.#attempts.charge(source, user);
    throw wrong('wrong user or password');
  }

  async #late(refusal: Refusal): Promise<never> {
    const { leastMs, mostMs, forEachWaitingMs } = refusalDelay;
    this.#lateOnes++;
    const delayMs = leastMs + Math.random() * (mostMs - leastMs) + this.#lateOnes * forEachWaitingMs;
    await sleep(delayMs, undefined, { ref: false });
    this.#lateOnes--;
    throw refusal;
  }

  #identity(user: string): Identity {
    return { user, groups: this.#groups?.content.get(user) ?? [], claims: {}, by: this.name };
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readCredentials(text: string): Credentials {
  if (!/^[A-Za-z0-9+/]{2,4096}={0,2}$/.test(text)) throw wrong('must be user:password in base64');
  const bytes = Buffer.from(text, 'base64');
  const colon = bytes.indexOf(0x3a);
  if (colon < 1) throw wrong('must be user:password in base64');
  const password = bytes.subarray(colon + 1);
  // Some implementations of bcrypt stop at a NUL.
  if (password.includes(0)) throw wrong('wrong user or password');
  let user: string;
  try {
    user = utf8.decode(bytes.subarray(0, colon));
  } catch {
    throw wrong('the user is not UTF-8');
  }
  if (!isPlainName(user)) throw wrong('wrong user or password');
  return { user, password };
}

function wrong(what: string): Refusal {
  return new Refusal('not-identified', what, { place: 'Authorization' });
}

function tooMany(): Refusal {
  return new Refusal('too-many-attempts', 'too many passwords to check', { hint: 'try again in a minute' });
}
