/** Whether the certificate of a client is good: verified by TLS, for clients, of nobody's CA, not expired, not revoked. */

import type { X509Certificate } from 'node:crypto';
import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { AuthenticatorContext } from '../../exchange/authenticator.ts';
import type { Peer } from '../../exchange/identity.ts';
import { Refusal } from '../../ground/refusal.ts';
import { yesOrNo } from '../../operate/config/schema/field.ts';
import { file } from '../../operate/config/schema/names.ts';
import { type ReadCertificate, readCertificate } from './certificate.ts';
import { type RevocationList, readAuthorities, readRevocationLists } from './revocation-list.ts';
import { WatchedFile } from './watched-file.ts';

export const certificateOptions = {
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
};

const options = z.strictObject(certificateOptions);

type Options = z.output<typeof options>;

const clientPurpose = '1.3.6.1.5.5.7.3.2';

/** What is made of a certificate once a connection; what is wrong with it is said to every call. */
type Slot<Made> = { readonly certificate: ReadCertificate; readonly made: Made } | Refusal;

export class ClientCertificates<Made> {
  readonly #anyPurpose: boolean;
  readonly #make: (certificate: ReadCertificate, shown: X509Certificate) => Made;
  readonly #authorities: WatchedFile<readonly X509Certificate[]> | null;
  readonly #lists: WatchedFile<readonly RevocationList[]> | null;
  readonly #slots = new WeakMap<Peer, Slot<Made>>();

  /** `make` may throw a Refusal. */
  constructor(
    { crl, ca, anyPurpose }: Options,
    { log, resolve }: Pick<AuthenticatorContext, 'log' | 'resolve'>,
    clientCa: string,
    make: (certificate: ReadCertificate, shown: X509Certificate) => Made,
  ) {
    this.#anyPurpose = anyPurpose;
    this.#make = make;
    if (crl === undefined) {
      this.#authorities = null;
      this.#lists = null;
      return;
    }
    const authorities = new WatchedFile({
      path: ca === undefined ? clientCa : resolve(ca),
      what: 'the CA of clients',
      secret: false,
      parse: readAuthorities,
      log,
    });
    this.#authorities = authorities;
    this.#lists = new WatchedFile({
      path: resolve(crl),
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
    this.#slots.set(
      peer,
      authorized ? this.#prove(shown) : notAcceptable(`it does not verify (${authorizationError})`),
    );
  }

  /** Null where the client has shown none. @throws Refusal not-identified */
  of(peer: Peer): Made | null {
    const slot = this.#slots.get(peer);
    if (slot === undefined) return null;
    if (slot instanceof Refusal) throw slot;
    const now = Date.now();
    if (slot.certificate.notAfterMs < now) throw notAcceptable('it has expired');
    if (this.#lists !== null) refuseRevoked(slot.certificate, this.#lists.content, now);
    return slot.made;
  }

  #prove(shown: X509Certificate): Slot<Made> {
    try {
      if (shown.ca) throw notAcceptable('it is that of a CA');
      const purposes: readonly string[] | undefined = shown.keyUsage;
      if (!this.#anyPurpose && !purposes?.includes(clientPurpose)) {
        throw notAcceptable('it does not say that it is for clients (extended key usage clientAuth)');
      }
      const certificate = readCertificate(shown.raw);
      return { certificate, made: this.#make(certificate, shown) };
    } catch (fault) {
      if (fault instanceof Refusal) return fault;
      return notAcceptable('it cannot be read', fault);
    }
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

export function notAcceptable(why: string, cause?: unknown): Refusal {
  const facts = { place: 'client certificate', ...(cause === undefined ? {} : { cause }) };
  return new Refusal('not-identified', `not acceptable: ${why}`, facts);
}
