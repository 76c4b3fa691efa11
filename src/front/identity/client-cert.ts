/**
 * `client-cert`: on TLS a certificate of the listener's CA names the user, in the one field that the configuration
 * says. A name that stands elsewhere in it counts for nothing (RED-TEAM 54).
 */

import type { X509Certificate } from 'node:crypto';
import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { Authenticator, AuthenticatorContext, AuthenticatorKind } from '../../exchange/authenticator.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import { yesOrNo } from '../../operate/config/schema/field.ts';
import { file, oneOf } from '../../operate/config/schema/names.ts';
import { type Admit, admitting, allowedOptions } from './allowed.ts';
import { type ReadCertificate, readCertificate } from './certificate.ts';
import { compileNamePattern, type NamePattern, namePattern } from './name-pattern.ts';
import { isPlainName, plainName } from './plain-name.ts';
import { type RevocationList, readAuthorities, readRevocationLists } from './revocation-list.ts';
import { WatchedFile } from './watched-file.ts';

const options = z.strictObject({
  user: oneOf('cn', 'dns', 'email', 'uri').prefault('cn').meta({
    description:
      'Where the user stands: the common name, or the subject alternative name of this kind. A certificate with more than one of it is refused, unless `pattern` fits exactly one.',
  }),
  pattern: namePattern()
    .meta({
      description: 'How the user stands in it, e.g. `{user}@example.org`. Names that do not fit are refused.',
    })
    .optional(),
  groups: oneOf('ou', 'none')
    .prefault('ou')
    .meta({ description: "Where groups stand: the subject's organizational units, or nowhere." }),
  allow: z.strictObject(allowedOptions).prefault({}).meta({ description: 'Who of the certified may come in.' }),
  crl: file()
    .meta({
      description:
        'The revocation lists of the CA, PEM or DER. Read again when it changes; out of date: nobody comes in.',
    })
    .optional(),
  ca: file()
    .meta({ description: "The CA that signs the revocation lists, PEM. Default: the listener's `tls.clientCa`." })
    .optional(),
  anyPurpose: yesOrNo()
    .prefault(false)
    .meta({ description: 'Take certificates that do not say that they are for clients (extended key usage).' }),
});

type Options = z.output<typeof options>;

const clientPurpose = '1.3.6.1.5.5.7.3.2';

/** What is to be found out once a connection; what is wrong with it is said to every call. */
interface Slot {
  readonly proven: { readonly identity: Identity; readonly certificate: ReadCertificate } | Refusal;
}

export const clientCertKind: AuthenticatorKind<typeof options> = {
  name: 'client-cert',
  options,
  create(chosen, context) {
    if (context.clientCa === null) throw new Error('client-cert needs tls.clientCa on its listener');
    return new ClientCertAuthenticator(chosen, context, context.clientCa);
  },
};

class ClientCertAuthenticator implements Authenticator {
  readonly name = 'client-cert';
  readonly challenge = null;
  readonly #options: Options;
  readonly #pattern: NamePattern | null;
  readonly #admit: Admit;
  readonly #authorities: WatchedFile<readonly X509Certificate[]> | null;
  readonly #lists: WatchedFile<readonly RevocationList[]> | null;
  readonly #slots = new WeakMap<Peer, Slot>();

  constructor(chosen: Options, { log, resolve }: AuthenticatorContext, clientCa: string) {
    this.#options = chosen;
    this.#pattern = chosen.pattern === undefined ? null : compileNamePattern(chosen.pattern);
    this.#admit = admitting(chosen.allow);
    if (chosen.crl === undefined) {
      this.#authorities = null;
      this.#lists = null;
      return;
    }
    const authorities = new WatchedFile({
      path: chosen.ca === undefined ? clientCa : resolve(chosen.ca),
      what: 'the CA of clients',
      secret: false,
      parse: readAuthorities,
      log,
    });
    this.#authorities = authorities;
    this.#lists = new WatchedFile({
      path: resolve(chosen.crl),
      what: 'the revocation list',
      secret: false,
      parse: (bytes) => readRevocationLists(bytes, authorities.content),
      log,
    });
  }

  async start(): Promise<void> {
    await this.#authorities?.start();
    await this.#lists?.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#authorities?.stop(), this.#lists?.stop()]);
  }

  accepted(socket: net.Socket, peer: Peer): void {
    if (!('getPeerX509Certificate' in socket)) return;
    const { authorized, authorizationError } = socket as TLSSocket;
    const shown = (socket as TLSSocket).getPeerX509Certificate();
    if (shown === undefined) return;
    const proven = authorized ? this.#prove(shown) : notAcceptable(`it does not verify (${authorizationError})`);
    this.#slots.set(peer, { proven });
  }

  identify(_head: unknown, peer: Peer): Identity | null {
    const slot = this.#slots.get(peer);
    if (slot === undefined) return null;
    if (slot.proven instanceof Refusal) throw slot.proven;
    const { certificate, identity } = slot.proven;
    const now = Date.now();
    if (certificate.notAfterMs < now) throw notAcceptable('it has expired');
    if (this.#lists !== null) refuseRevoked(certificate, this.#lists.content, now);
    return identity;
  }

  #prove(shown: X509Certificate): Slot['proven'] {
    try {
      if (shown.ca) throw notAcceptable('it is that of a CA');
      const purposes: readonly string[] | undefined = shown.keyUsage;
      if (!this.#options.anyPurpose && !purposes?.includes(clientPurpose)) {
        throw notAcceptable('it does not say that it is for clients (extended key usage clientAuth)');
      }
      const certificate = readCertificate(shown.raw);
      const user = this.#userOf(certificate);
      const groups = this.#options.groups === 'ou' ? certificate.units.filter(isPlainName) : [];
      this.#admit(user, groups);
      const claims = {
        serial: certificate.serial,
        fingerprint: shown.fingerprint256.replaceAll(':', '').toLowerCase(),
      };
      return { certificate, identity: { user, groups, claims, by: this.name } };
    } catch (fault) {
      if (fault instanceof Refusal) return fault;
      return notAcceptable('it cannot be read', fault);
    }
  }

  #userOf({ commonNames, dns, emails, uris }: ReadCertificate): string {
    const place = this.#options.user;
    const names = { cn: commonNames, dns, email: emails, uri: uris }[place];
    const users = this.#pattern === null ? names : names.map(this.#pattern).filter((user) => user !== undefined);
    const [user] = users;
    if (user === undefined) throw notAcceptable(`it names no user in ${place}`);
    if (users.length > 1) throw notAcceptable(`it names more than one user in ${place}`);
    return plainName(user, 'client certificate');
  }
}

function refuseRevoked({ issuer, serial }: ReadCertificate, lists: readonly RevocationList[], now: number): void {
  let current = false;
  for (const list of lists) {
    if (list.issuer !== issuer) continue;
    if (list.revoked.has(serial)) throw notAcceptable('it is revoked');
    current ||= list.nextUpdateMs >= now;
  }
  if (!current) throw notAcceptable('no current revocation list of its CA is at hand');
}

function notAcceptable(why: string, cause?: unknown): Refusal {
  const facts = { place: 'client certificate', ...(cause === undefined ? {} : { cause }) };
  return new Refusal('not-identified', `not acceptable: ${why}`, facts);
}
