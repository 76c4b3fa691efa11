/**
 * `client-cert`: on TLS a certificate of the listener's CA names the user, in the one field that the configuration
 * says. A name that stands elsewhere in it counts for nothing (RED-TEAM 54).
 */

import type { X509Certificate } from 'node:crypto';
import type net from 'node:net';
import { z } from 'zod';
import type { Authenticator, AuthenticatorContext, AuthenticatorKind } from '../../exchange/authenticator.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { oneOf } from '../../operate/config/schema/names.ts';
import { type Admit, admitting, allowedOptions } from './allowed.ts';
import type { ReadCertificate } from './certificate.ts';
import { ClientCertificates, certificateOptions, notAcceptable } from './client-certificate.ts';
import { compileNamePattern, type NamePattern, namePattern } from './name-pattern.ts';
import { isPlainName, plainName } from './plain-name.ts';

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
  ...certificateOptions,
});

type Options = z.output<typeof options>;

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
  readonly #certificates: ClientCertificates<Identity>;

  constructor(chosen: Options, context: AuthenticatorContext, clientCa: string) {
    this.#options = chosen;
    this.#pattern = chosen.pattern === undefined ? null : compileNamePattern(chosen.pattern);
    this.#admit = admitting(chosen.allow);
    this.#certificates = new ClientCertificates(chosen, context, clientCa, (certificate, shown) =>
      this.#identityOf(certificate, shown),
    );
  }

  start(): Promise<void> {
    return this.#certificates.start();
  }

  stop(): Promise<void> {
    return this.#certificates.stop();
  }

  accepted(socket: net.Socket, peer: Peer): void {
    this.#certificates.accepted(socket, peer);
  }

  identify(_head: unknown, peer: Peer): Identity | null {
    return this.#certificates.of(peer);
  }

  #identityOf(certificate: ReadCertificate, { fingerprint256 }: X509Certificate): Identity {
    const user = this.#userOf(certificate);
    const groups = this.#options.groups === 'ou' ? certificate.units.filter(isPlainName) : [];
    this.#admit(user, groups);
    const fingerprint = fingerprint256.replaceAll(':', '').toLowerCase();
    return { user, groups, claims: { serial: certificate.serial, fingerprint }, by: this.name };
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
