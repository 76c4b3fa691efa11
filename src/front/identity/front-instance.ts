/**
 * Another Berthgate before this one, that has identified the client and says in a header who it is. It is believed over a
 * client certificate with a listed alternative name; the same header from anybody else ends the call.
 */

import type net from 'node:net';
import { z } from 'zod';
import type { Authenticator, AuthenticatorContext } from '../../exchange/authenticator.ts';
import { readAuthorization } from '../../exchange/authorization.ts';
import type { Identity, Peer } from '../../exchange/identity.ts';
import { isObject, type Json, JsonFault, readJsonText } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { RequestHead } from '../../wire/message.ts';
import { ClientCertificates } from './client-certificate.ts';
import { isPlainName } from './plain-name.ts';

const MAX_DEPTH = 8;
const MAX_CHARACTERS = 16 * 1024;

const name = z.string().refine(isPlainName);

/** What the header says: a JSON object, in ASCII. */
const said = z.strictObject({
  user: name,
  groups: z.array(name).default([]),
  claims: z.record(z.string(), z.string().max(4096)).default({}),
});

export interface Trust {
  readonly clients: readonly string[];
  readonly header: string;
  readonly crl?: string | undefined;
}

export class FrontInstance implements Authenticator {
  readonly name = 'trust';
  readonly challenge = null;
  readonly #header: string;
  /** The name by which a client may speak for others; null where it may not. */
  readonly #certificates: ClientCertificates<string | null>;

  constructor({ clients, header, crl }: Trust, context: AuthenticatorContext, clientCa: string) {
    this.#header = header.toLowerCase();
    const trusted = new Set(clients);
    const options = { crl, ca: undefined, anyPurpose: false };
    this.#certificates = new ClientCertificates(options, context, clientCa, ({ dns, emails, uris }) => {
      return [...dns, ...emails, ...uris].find((alternative) => trusted.has(alternative)) ?? null;
    });
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

  identify(head: RequestHead, peer: Peer): Identity | null {
    const values = valuesOf(head, this.#header);
    const [value] = values;
    if (value === undefined) return null;
    const front = this.#certificates.of(peer);
    if (front === null) throw this.#refusal('this client may not say for whom it speaks');
    if (values.length > 1) throw this.#refusal('stands more than once');
    if (readAuthorization(head) !== undefined) throw this.#refusal('must not stand beside an Authorization');
    return this.#read(value, front);
  }

  #read(value: string, front: string): Identity {
    // A header is bytes: what is not ASCII could be read in two ways.
    if (!/^[\x20-\x7e]*$/.test(value)) throw this.#refusal('must be ASCII');
    if (value.length > MAX_CHARACTERS) throw this.#refusal('is too long');
    const read = said.safeParse(this.#parse(value));
    if (!read.success) throw this.#refusal('must be {"user": …, "groups": […], "claims": {…}} with plain names');
    const { user, groups, claims } = read.data;
    return { user, groups, claims: { ...claims, front }, by: this.name };
  }

  #parse(value: string): Json {
    try {
      const read = readJsonText(value, MAX_DEPTH);
      return isObject(read) ? read : null;
    } catch (fault) {
      if (!(fault instanceof JsonFault)) throw fault;
      throw this.#refusal('is not JSON that can be read in one way', fault);
    }
  }

  #refusal(message: string, cause?: unknown): Refusal {
    const place = `header ${this.#header}`;
    return new Refusal('not-identified', message, { place, ...(cause === undefined ? {} : { cause }) });
  }
}

function valuesOf({ headers }: RequestHead, wanted: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const field = headers[i] as string;
    if (field.length === wanted.length && field.toLowerCase() === wanted) values.push(headers[i + 1] as string);
  }
  return values;
}
