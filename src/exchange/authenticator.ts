/** How a listener finds out who a client is. The same types are for the built-in authenticators and for plugins. */

import type net from 'node:net';
import type { z } from 'zod';
import type { Wanted } from '../wire/download.ts';
import type { RequestHead } from '../wire/message.ts';
import type { Identity, Peer } from './identity.ts';

/** Life: options checked by the kind's schema → created without side effects → started → used → stopped. */
export interface Authenticator {
  readonly name: string;
  /**
   * The identity that the client proves; null when it shows nothing of what this authenticator looks at. A credential
   * that is there and wrong ends the call. @throws Refusal not-identified, too-many-attempts, identity-unavailable
   */
  identify(head: RequestHead, peer: Peer): Identity | null | Promise<Identity | null>;
  /** What a 401 offers in `WWW-Authenticate`, e.g. `Basic realm="berthgate"`; null for nothing. */
  readonly challenge: string | null;
  /** The schemes of `Authorization` that it reads, in lower case. What nobody reads ends the call. Absent: none. */
  readonly schemes?: readonly string[];
  /**
   * Hears of each connection before any byte of it is read (TLS: after the handshake), to take what the socket itself
   * proves. The peer is the key under which `identify` finds it again.
   */
  accepted?(socket: net.Socket, peer: Peer): void;
  /** Reads and watches files, loads what is native. @throws Error whose message says what an administrator can mend */
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export interface AuthenticatorContext {
  /** The name of the listener. */
  readonly listener: string;
  /** What the listener takes connections over; null where only the socket itself will tell (socket activation). */
  readonly transport: Peer['transport'] | null;
  /** The CA of the listener's clients (`tls.clientCa`), an absolute path; null where there is none. */
  readonly clientCa: string | null;
  /** The absolute path of a file that the configuration names. */
  readonly resolve: (file: string) => string;
  /** A file of another server, through the site's proxy and with its CA (`outbound`). @throws Error */
  readonly download: (url: URL, wanted: Wanted) => Promise<Buffer>;
  readonly log: AuthenticatorLog;
}

/** A part of pino's logger. */
export interface AuthenticatorLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** What a configuration names in `auth`: `NAME`, or `{use: NAME, ...options}`. */
export interface AuthenticatorKind<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** Strict. Its faults are located in the configuration by their path. */
  readonly options: Schema;
  /** @throws Error for options that this listener cannot honour */
  create(options: z.output<Schema>, context: AuthenticatorContext): Authenticator;
}
