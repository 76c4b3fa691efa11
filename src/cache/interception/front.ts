/**
 * What answers at the cache's addresses. TLS for a cached host is ended here with our CA, or passes untouched where the
 * host, the address or the client wants it so; other hosts are nobody's here. Knows nothing of how answers are cached.
 */

import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Authority } from './authority.ts';
import { readClientHello } from './client-hello.ts';
import { Distrust } from './distrust.ts';
import { matchesHost } from './generations.ts';
import { InterceptionTally } from './interception-tally.ts';
import { networkOf } from './sources.ts';
import { splice } from './splice.ts';

const HELLO_MS = 10_000;
const HANDSHAKE_MS = 15_000;
const HEAD_MS = 30_000;
const IDLE_MS = 75_000;
const MOST_HEAD_BYTES = 64 * 1024;
const HTTPS = 443;
const HTTP = 80;
/** A fatal alert: there is no such name here. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

export interface CachedHost {
  /** Lower case; `*.NAME` for all below it. */
  readonly host: string;
  readonly tls: 'intercept' | 'pass';
}

/** What is asked for, whoever the client said it to. */
export interface Asked {
  readonly scheme: 'http' | 'https';
  /** Lower case, without a port. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  /** The client's address. */
  readonly from: string;
}

export type AnswerRequest = (request: http.IncomingMessage, response: http.ServerResponse, asked: Asked) => void;

export interface FrontOptions {
  readonly hosts: readonly CachedHost[];
  /** Null where no host is intercepted. */
  readonly authority: Authority | null;
  readonly answer: AnswerRequest;
  /** Bytes to and from a server outside. */
  readonly tunnel: (host: string, port: number) => Promise<Duplex>;
  /** Whether the client's container has our CA just now. */
  readonly trusts: (address: string) => boolean;
  /** A host passes from now on for the clients of a network. */
  onDistrust(host: string, network: string): void;
  onFault(host: string, fault: Error): void;
}

/** Of a connection whose TLS was ended here. */
interface Ended {
  readonly host: string;
  readonly network: string;
  /** Whether it has asked for anything. */
  said: boolean;
}

export class CacheFront {
  readonly tally = new InterceptionTally();
  private options: FrontOptions;
  private readonly distrust: Distrust;
  private readonly server: http.Server;
  private readonly ended = new WeakMap<Duplex, Ended>();
  private readonly open = new Set<Duplex>();

  constructor(options: FrontOptions, now?: () => number) {
    this.options = options;
    this.distrust = new Distrust((host, network) => this.options.onDistrust(host, network), now);
    this.server = http.createServer(
      {
        headersTimeout: HEAD_MS,
        requestTimeout: 0,
        keepAliveTimeout: IDLE_MS,
        maxHeaderSize: MOST_HEAD_BYTES,
        // Looked at here, and answered in our own words.
        requireHostHeader: false,
      },
      (request, response) => this.serve(request, response),
    );
    this.server.on('connect', (request, socket, head) => this.connect(request, socket, head));
    // Nothing is upgraded: who asks for it is answered as if they had not.
    this.server.on('clientError', (_fault, socket) => socket.destroy());
  }

  /** Other hosts, another CA: who is connected stays. */
  use(options: FrontOptions): void {
    this.options = options;
  }

  /** At port 80: plain HTTP, and an explicit proxy. */
  acceptPlain(socket: net.Socket): void {
    this.keep(socket);
    this.server.emit('connection', socket);
  }

  /** At port 443. `intercepts`: whether the address is one that TLS is ended at. */
  acceptTls(socket: net.Socket, intercepts: boolean): void {
    this.keep(socket);
    this.readHello(socket, intercepts, null);
  }

  get connections(): number {
    return this.open.size;
  }

  close(): void {
    for (const socket of this.open) socket.destroy();
    this.server.close();
  }

  private keep(socket: Duplex): void {
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  /** `wanted`: what the client of an explicit proxy has named; null where the name in its TLS is all there is. */
  private readHello(socket: Duplex, intercepts: boolean, wanted: string | null): void {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), HELLO_MS);
    const done = (): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
    };
    const onEnd = (): void => {
      done();
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const hello = readClientHello(bytes);
      if (hello.kind === 'more') return;
      done();
      const name = hello.kind === 'hello' ? hello.name : null;
      if (name === null || (wanted !== null && name !== wanted)) this.refuse(socket);
      else this.begin(socket, bytes, name, intercepts);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('close', () => clearTimeout(timer));
    socket.resume();
  }

  private begin(socket: Duplex, hello: Buffer, host: string, intercepts: boolean): void {
    const { hosts, authority, trusts } = this.options;
    const known = knownHost(hosts, host);
    if (known === null) {
      this.refuse(socket);
      return;
    }
    const address = addressOf(socket);
    const network = networkOf(address);
    socket.unshift(hello);
    const context = known.tls === 'intercept' && intercepts ? (authority?.contextFor(host) ?? null) : null;
    if (context === null || !trusts(address) || this.distrust.passes(host, network)) {
      this.tally.connections.passed++;
      void this.pass(socket, host);
      return;
    }
    this.tally.connections.intercepted++;
    this.intercept(socket as net.Socket, context, host, network);
  }

  private intercept(socket: net.Socket, secureContext: tls.SecureContext, host: string, network: string): void {
    // TLS has no half of a connection: who ends it has gone.
    socket.allowHalfOpen = false;
    const secured = new tls.TLSSocket(socket, { isServer: true, secureContext });
    const timer = setTimeout(() => secured.destroy(), HANDSHAKE_MS);
    const ended: Ended = { host, network, said: false };
    this.ended.set(secured, ended);
    this.keep(secured);
    secured.once('secure', () => {
      clearTimeout(timer);
      this.server.emit('connection', secured);
    });
    // Many look at the certificate only when the handshake is over, and leave without a word.
    secured.once('close', () => {
      clearTimeout(timer);
      if (ended.said) return;
      this.tally.handshakeRefused(host);
      this.distrust.failed(host, network);
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
    socket.end(UNRECOGNIZED_NAME);
  }

  private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const ended = this.ended.get(request.socket);
    if (ended?.said === false) {
      ended.said = true;
      this.distrust.trusted(ended.host, ended.network);
    }
    const read = ended === undefined ? readPlain(request) : readSecured(request, ended.host);
    if (read === null) {
      answerText(response, 400, 'the request names no host');
      return;
    }
    const { scheme, host, path, wrongly } = read;
    this.tally.requests[scheme]++;
    if (wrongly || knownHost(this.options.hosts, host) === null) {
      answerText(response, 421, `${host} is not served here`);
      return;
    }
    this.options.answer(request, response, { scheme, host, path, from: addressOf(request.socket) });
  }

  /** An explicit proxy, for the cached hosts alone. */
  private connect(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const [, host = '', port = ''] = /^([^:/@[\]]+):(\d+)$/.exec(request.url ?? '') ?? [];
    const known = knownHost(this.options.hosts, canonical(host));
    if (this.ended.has(request.socket) || known === null || Number(port) !== HTTPS) {
      this.tally.connections.refused++;
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    this.readHello(socket, true, canonical(host));
  }
}

function knownHost(hosts: readonly CachedHost[], host: string): CachedHost | null {
  return hosts.find((one) => matchesHost([one.host], host)) ?? null;
}

interface Read extends Omit<Asked, 'from'> {
  /** What is asked for is not what the connection is for. */
  readonly wrongly: boolean;
}

function readPlain({ url = '', headers }: http.IncomingMessage): Read | null {
  if (!url.startsWith('/')) {
    const [, authority = '', path = ''] = /^http:\/\/([^/?#@]+)([/?][^#]*)?$/i.exec(url) ?? [];
    const host = hostIn(authority, HTTP);
    return host === null
      ? null
      : { scheme: 'http', host, path: path.startsWith('/') ? path : `/${path}`, wrongly: false };
  }
  const host = hostIn(headers.host ?? '', HTTP);
  return host === null ? null : { scheme: 'http', host, path: url, wrongly: false };
}

function readSecured({ url = '', headers }: http.IncomingMessage, secured: string): Read | null {
  const host = hostIn(headers.host ?? '', HTTPS);
  if (host === null || !url.startsWith('/')) return null;
  return { scheme: 'https', host, path: url, wrongly: host !== secured };
}

/** Null for what is no name, or has another port than the usual one. */
function hostIn(authority: string, usual: number): string | null {
  const [, host, port] = /^([A-Za-z0-9_.-]+)(?::(\d+))?$/.exec(authority) ?? [];
  return host === undefined || (port !== undefined && Number(port) !== usual) ? null : canonical(host);
}

function canonical(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function addressOf(socket: Duplex): string {
  return (socket as Partial<net.Socket>).remoteAddress ?? '';
}

function answerText(response: http.ServerResponse, status: number, text: string): void {
  const body = `berthgate: ${text}\n`;
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
