/**
 * Registries by their own names: a CONNECT proxy that ends TLS for registries alone, and a TLS listener for hosts that are
 * sent here by DNS. Certificates are given to it; where they come from it does not know.
 */

import type http from 'node:http';
import type { Duplex } from 'node:stream';
import tls, { type SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { HandedConnections } from '../../wire/handed-connections.ts';
import { splice } from '../../wire/splice.ts';
import { OutFault } from '../../wire/way-out.ts';
import { answerIntercepted, type InterceptedParts } from './intercepted.ts';
import type { Registry } from './registries.ts';
import { makeRegistryServer } from './registry-server.ts';
import { type SetupFacts, setupPage } from './setup-pages.ts';
import { reasonPhrase } from './tell-answer.ts';

const HANDSHAKE_MS = 15_000;
const MOST_HEAD_BYTES = 64 * 1024;
const MOST_CONNECTIONS = 4096;
const HTTPS = 443;
const MOST_REGISTRIES = 1000;
const MOST_STRAY_NAMES = 100;

export interface ProxyParts extends Omit<InterceptedParts, 'passwordsAsked'> {
  /** Null for what is none of the configuration's. */
  readonly registryAt: (host: string, port: number) => Registry | null;
  /** Whether other hosts than registries may be reached through here. */
  readonly tunnels: (host: string, port: number) => boolean;
  readonly tunnel: (host: string, port: number) => Promise<Duplex>;
  /** Null where it has none for the host. */
  readonly contextFor: (host: string) => SecureContext | null;
  /** What clients are to trust, PEM. */
  readonly roots: () => string;
  /** Told once of a name that DNS sends here and that is not served. */
  readonly onStrayName: (name: string) => void;
  /** As clients reach the mirror; null where there is none. */
  readonly mirrorPort: () => number | null;
}

const NAME = /^[a-z0-9.-]{1,253}$/;

/** What the client of a connection believes to talk to. */
interface Meant {
  readonly registry: Registry;
  readonly host: string;
  readonly port: number;
}

export class RegistryProxy {
  private readonly parts: ProxyParts & InterceptedParts;
  private readonly server: http.Server;
  private readonly connections: HandedConnections;
  private readonly meant = new WeakMap<Duplex, Meant>();
  private readonly open = new Set<Duplex>();
  private readonly stray = new Set<string>();

  constructor(parts: ProxyParts) {
    this.parts = { ...parts, passwordsAsked: new LRUCache({ max: MOST_REGISTRIES }) };
    this.server = makeRegistryServer(
      MOST_HEAD_BYTES,
      (request, response) => this.serve(request, response),
      parts.onFault,
    );
    this.connections = new HandedConnections(this.server, MOST_CONNECTIONS);
    this.server.on('connect', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
      this.connect(request, socket, head).catch((fault: Error) => this.refuse(socket, request.url ?? '', fault));
    });
    this.server.on('clientError', (_fault, socket) => socket.destroy());
  }

  /** A client of the proxy. */
  accept(socket: Duplex): void {
    this.keep(socket);
    this.connections.accept(socket);
  }

  /** A client that believes us to be the registry whose name its TLS says. */
  acceptTls(socket: Duplex): void {
    this.keep(socket);
    this.endTls(socket, (name) => {
      const registry = this.parts.registryAt(name, HTTPS);
      if (registry === null) this.tellStray(name);
      return registry === null ? null : { registry, host: name, port: HTTPS };
    });
  }

  /** To its client it is a connection that ends, and nobody would know why. */
  private tellStray(name: string): void {
    if (!NAME.test(name) || this.stray.has(name) || this.stray.size === MOST_STRAY_NAMES) return;
    this.stray.add(name);
    this.parts.onStrayName(name);
  }

  /** Ends everything. */
  close(): void {
    for (const socket of this.open) socket.destroy();
  }

  private keep(socket: Duplex): void {
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  private async connect(request: http.IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const target = readAuthority(request.url ?? '');
    if (target === null) return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    const { host, port } = target;
    const { registryAt, tunnels, tunnel, contextFor } = this.parts;
    const registry = registryAt(host, port);
    if (registry !== null && contextFor(host) !== null) {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      if (head.length > 0) socket.unshift(head);
      this.endTls(socket, (name) => (name === host ? { registry, host, port } : null));
      return;
    }
    if (!tunnels(host, port)) {
      const why = `${host}:${port} is neither a registry of the configuration (registry.upstreams) nor what else may be reached through this proxy (registry.tunnel)`;
      return sayNo(socket, 403, why);
    }
    const server = await tunnel(host, port);
    this.keep(server);
    if (socket.destroyed) return void server.destroy();
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) server.write(head);
    splice(socket, server);
  }

  private refuse(socket: Duplex, target: string, fault: Error): void {
    this.parts.onFault(target, fault);
    const status = fault instanceof OutFault && fault.reason === 'inner-address' ? 403 : 502;
    sayNo(socket, status, fault instanceof OutFault ? fault.message : 'it could not be reached');
  }

  /** @param find what the client means by the name in its TLS; null for what is not here */
  private endTls(socket: Duplex, find: (name: string) => Meant | null): void {
    let meant: Meant | null = null;
    const secured = new tls.TLSSocket(socket as ConstructorParameters<typeof tls.TLSSocket>[0], {
      isServer: true,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (said, done) => {
        const name = said.toLowerCase();
        meant = find(name);
        const context = meant === null ? null : this.parts.contextFor(name);
        if (context === null) done(new Error(`${name} is not served here`));
        else done(null, context);
      },
    });
    this.keep(secured);
    const timer = setTimeout(() => secured.destroy(), HANDSHAKE_MS);
    secured.once('close', () => clearTimeout(timer));
    secured.once('secure', () => {
      clearTimeout(timer);
      // Who says no name has been shown no certificate.
      if (meant === null) return void secured.destroy();
      this.meant.set(secured, meant);
      this.connections.accept(secured);
    });
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const meant = this.meant.get(request.socket);
    if (meant !== undefined) {
      const { registry, host, port } = meant;
      const authority = port === HTTPS ? host : `${host}:${port}`;
      const said = request.headers.host?.toLowerCase();
      if (said !== authority && said !== `${host}:${port}`) return answerText(response, 421, 'another host\n');
      // Put behind the registry's own address, what is no path would be a part of a host.
      if (request.url?.startsWith('/') !== true) return answerText(response, 400, 'no path\n');
      return answerIntercepted(this.parts, registry, authority, 'https', request, response);
    }
    if (request.url?.startsWith('http://') === true) return this.servePlain(new URL(request.url), request, response);
    request.resume();
    const facts: SetupFacts = {
      roots: this.parts.roots(),
      proxy: request.headers.host ?? '',
      mirrorPort: this.parts.mirrorPort(),
    };
    const page = request.method === 'GET' || request.method === 'HEAD' ? setupPage(request.url ?? '', facts) : null;
    if (page === null) return answerText(response, 404, 'there is /ca.crt, /setup/systemd, /setup/daemon.json, …\n');
    response.writeHead(200, { 'Content-Type': page.type, 'Content-Length': Buffer.byteLength(page.body) });
    response.end(request.method === 'HEAD' ? undefined : page.body);
  }

  /** A registry without TLS, through the proxy (`HTTP_PROXY`). */
  private servePlain(url: URL, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> | void {
    const port = url.port === '' ? 80 : Number(url.port);
    const registry = this.parts.registryAt(url.hostname, port);
    if (registry === null) {
      request.resume();
      return answerText(response, 403, `${url.host} is no registry of the configuration\n`);
    }
    request.url = `${url.pathname}${url.search}`;
    return answerIntercepted(this.parts, registry, url.host, 'http', request, response);
  }
}

/** Clients show only the first line of an answer to CONNECT. */
function sayNo(socket: Duplex, status: number, why: string): void {
  const text = `${why}\n`;
  const head = `HTTP/1.1 ${status} ${reasonPhrase(why)}\r\nContent-Type: text/plain; charset=utf-8`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function answerText(response: http.ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** `r.example.org:443` of a CONNECT. */
function readAuthority(text: string): { readonly host: string; readonly port: number } | null {
  const [, host, port] = /^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return null;
  return { host: host.toLowerCase().replace(/\.$/, ''), port: Number(port) };
}
