/** How connections of clients come to the HTTP cache, whoever took them in and whoever ended their TLS. */

import type net from 'node:net';
import type { Duplex } from 'node:stream';

export interface Arrival {
  readonly scheme: 'http' | 'https';
  /** What TLS was ended for: the host of every request on it. Null where there was none. */
  readonly serverName: string | null;
  /** Whose requests they are, for the log: the address of the client. */
  readonly client: string;
  /** The client has asked for a proxy (CONNECT). */
  readonly isProxied?: boolean;
  /** A request has come. */
  readonly onRequest?: () => void;
}

/** What becomes of `CONNECT HOST:PORT`; null where there is no way to it. */
export type Connect = (authority: string) => ((stream: Duplex) => void) | null;

export interface SpeaksHttp {
  /** Gives the socket that takes the place of `socket`: `close` is heard of that one alone. */
  accept(socket: net.Socket, arrival: Arrival, connect: Connect | null): net.Socket;
}
