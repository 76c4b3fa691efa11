/**
 * What answers at the cache's addresses. TLS for a cached host is ended here with our CA, or passes untouched where the
 * host, the address or the client wants it so; other hosts are nobody's here. Knows nothing of how answers are cached.
 */

import type net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { splice } from '../../wire/splice.ts';
import type { SpeaksHttp } from '../arrival.ts';
import type { Authority } from './authority.ts';
import { Distrust } from './distrust.ts';
import { matchesHost } from './generations.ts';
import { awaitHello, refuseName } from './hello.ts';
import { InterceptionTally } from './interception-tally.ts';
import { Sources } from './sources.ts';

const HANDSHAKE_MS = 15_000;
const HTTPS = 443;
/** So that one container cannot take all descriptors of the process. */
const MOST_OF_A_CLIENT = 1024;

export interface CachedHost {
  /** Lower case; `*.NAME` for all below it. */
  readonly host: string;
  readonly tls: 'intercept' | 'pass';
}

export interface FrontOptions {
  readonly hosts: readonly CachedHost[];
  /** Null where no host is intercepted. */
  readonly authority: Authority | null;
  /** Who speaks HTTP on what is plain or has been made so. */
  readonly http: SpeaksHttp;
  /** Bytes to and from a server outside. */
  readonly tunnel: (host: string, port: number) => Promise<Duplex>;
  /** Whether the client's container has our CA just now. */
  readonly trusts: (address: string) => boolean;
  /** A host passes from now on for the clients of a network. */
  onDistrust(host: string, network: string): void;
  onFault(host: string, fault: Error): void;
}

interface Came {
  /** Whether the address is one that TLS is ended at. */
  readonly intercepts: boolean;
  /** What the client of an explicit proxy has named; null where the name in its TLS is all there is. */
  readonly wanted: string | null;
  /** Its address. */
  readonly client: string;
}

interface Intercepted {
  readonly host: string;
  readonly client: string;
  /** Of the client. */
  readonly network: string;
  /** The client has asked for a proxy. */
  readonly isProxied: boolean;
  /** By what the host is counted: below a pattern clients could name hosts without end. */
  readonly configured: string;
}

export class CacheFront {
  readonly tally = new InterceptionTally();
  private options: FrontOptions;
  private readonly distrust: Distrust;
  private readonly sources = new Sources();
  private readonly open = new Set<Duplex>();
  /** Connections, by the address of the client. */
  private readonly clients = new Map<string, number>();

  constructor(options: FrontOptions, now?: () => number) {
    this.options = options;
    this.distrust = new Distrust((host, network) => this.options.onDistrust(host, network), now);
  }

  /** Other hosts, another CA: who is connected stays. */
  use(options: FrontOptions): void {
    this.options = options;
  }

  /** At port 80: plain HTTP, and an explicit proxy. */
  acceptPlain(socket: net.Socket): void {
    const client = addressOf(socket);
    if (this.isFull(socket, client)) return;
    const spoken = this.options.http.accept(
      socket,
      { scheme: 'http', serverName: null, client, onRequest: () => this.tally.requests.http++ },
      (authority) => this.wayTo(authority, client),
    );
    this.count(spoken, client);
  }

  /** At port 443. `intercepts`: whether the address is one that TLS is ended at. */
  acceptTls(socket: net.Socket, intercepts: boolean): void {
    const client = addressOf(socket);
    if (this.isFull(socket, client)) return;
    this.count(socket, client);
    this.readHello(socket, { intercepts, wanted: null, client });
  }

  get connections(): number {
    return this.open.size;
  }

  close(): void {
    for (const socket of this.open) socket.destroy();
  }

  private isFull(socket: net.Socket, client: string): boolean {
    const full = (this.clients.get(client) ?? 0) >= MOST_OF_A_CLIENT;
    if (full) socket.destroy();
    return full;
  }

  private count(socket: net.Socket, client: string): void {
    this.clients.set(client, (this.clients.get(client) ?? 0) + 1);
    socket.once('close', () => {
      const left = (this.clients.get(client) ?? 1) - 1;
      if (left > 0) this.clients.set(client, left);
      else this.clients.delete(client);
    });
    this.keep(socket);
  }

  private keep(socket: Duplex): void {
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  private readHello(socket: Duplex, came: Came): void {
    awaitHello(socket, (name) => {
      if (name === null || (came.wanted !== null && name !== came.wanted)) this.refuse(socket);
      else this.begin(socket, name, came);
    });
  }

  private begin(socket: Duplex, host: string, { intercepts, client, wanted }: Came): void {
    const { hosts, authority, trusts } = this.options;
    const known = knownHost(hosts, host);
    if (known === null) {
      this.refuse(socket);
      return;
    }
    const network = this.sources.networkOf(client);
    const context = known.tls === 'intercept' && intercepts ? (authority?.contextFor(host) ?? null) : null;
    if (context === null || !trusts(client) || this.distrust.passes(host, network)) {
      this.tally.connections.passed++;
      void this.pass(socket, host);
      return;
    }
    this.tally.connections.intercepted++;
    const isProxied = wanted !== null;
    this.intercept(socket as net.Socket, context, { host, client, network, isProxied, configured: known.host });
  }

  private intercept(
    socket: net.Socket,
    secureContext: tls.SecureContext,
    { host, client, network, isProxied, configured }: Intercepted,
  ): void {
    // TLS has no half of a connection: who ends it has gone.
    socket.allowHalfOpen = false;
    const secured = new tls.TLSSocket(socket, { isServer: true, secureContext });
    const timer = setTimeout(() => secured.destroy(), HANDSHAKE_MS);
    let asked = false;
    /** Null as long as it has not gone by itself. */
    let left: 'with an alert' | 'without a word' | null = null;
    const onRequest = (): void => {
      this.tally.requests.https++;
      if (asked) return;
      asked = true;
      this.distrust.trusted(host, { network, address: client });
    };
    secured.once('end', () => {
      if (!secured.writableEnded) left ??= 'without a word';
    });
    secured.once('error', ({ code = '' }: NodeJS.ErrnoException) => {
      left ??= code.startsWith('ERR_SSL_') ? 'with an alert' : 'without a word';
    });
    this.keep(secured);
    secured.once('secure', () => {
      clearTimeout(timer);
      this.options.http.accept(secured, { scheme: 'https', serverName: host, client, isProxied, onRequest }, null);
    });
    // Many look at the certificate only when the handshake is over.
    secured.once('close', () => {
      clearTimeout(timer);
      if (asked || left === null) return;
      const said = left === 'with an alert';
      if (this.distrust.failed(host, { network, address: client, said })) this.tally.handshakeRefused(configured);
    });
  }

  private async pass(socket: Duplex, host: string): Promise<void> {
    try {
      const server = await this.options.tunnel(host, HTTPS);
      if (socket.destroyed) server.destroy();
      else splice(socket, server);
    } catch (fault) {
      socket.destroy();
      this.options.onFault(host, fault as Error);
    }
  }

  private refuse(socket: Duplex): void {
    this.tally.connections.refused++;
    refuseName(socket);
  }

  /** For the clients of an explicit proxy: to the cached hosts alone. */
  private wayTo(authority: string, client: string): ((stream: Duplex) => void) | null {
    const [, name = '', port = ''] = /^([^:/@[\]]+):(\d+)$/.exec(authority) ?? [];
    const host = canonical(name);
    if (knownHost(this.options.hosts, host) === null || Number(port) !== HTTPS) {
      this.tally.connections.refused++;
      return null;
    }
    return (stream) => {
      this.keep(stream);
      this.readHello(stream, { intercepts: true, wanted: host, client });
    };
  }
}

function knownHost(hosts: readonly CachedHost[], host: string): CachedHost | null {
  return hosts.find((one) => matchesHost([one.host], host)) ?? null;
}

function canonical(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function addressOf(socket: Duplex): string {
  return (socket as Partial<net.Socket>).remoteAddress ?? '';
}
