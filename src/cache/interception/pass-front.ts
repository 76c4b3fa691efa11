/**
 * What answers at the cache's addresses while there is no cache: the same hosts and no others, from their servers, TLS
 * untouched. Needs nothing of the cache: no CA, no store, no engine.
 */

import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { HandedConnections, LOOK_EVERY_MS } from '../../wire/handed-connections.ts';
import { splice } from '../../wire/splice.ts';
import { WayOut, type WayOutOptions } from '../../wire/way-out.ts';
import { type Forward, forwarder } from './forward.ts';
import { matchesHost } from './generations.ts';
import { awaitHello, refuseName } from './hello.ts';

const HEAD_MS = 30_000;
const IDLE_MS = 75_000;
const HTTPS = 443;
const MOST_CONNECTIONS = 16_384;

export class PassFront {
  private readonly hosts: readonly string[];
  private readonly wayOut: WayOut;
  private readonly forward: Forward;
  private readonly server: http.Server;
  private readonly handed: HandedConnections;
  private readonly open = new Set<Duplex>();

  /** @param hosts lower case; `*.NAME` for all below it */
  constructor(hosts: readonly string[], site: WayOutOptions) {
    this.hosts = hosts;
    this.wayOut = new WayOut(site);
    this.forward = forwarder(this.wayOut.to());
    const limits = {
      headersTimeout: HEAD_MS,
      requestTimeout: 0,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      requireHostHeader: false,
    };
    this.server = http.createServer(limits, (request, response) => this.serve(request, response));
    this.server.on('connect', (request, socket, head) => this.connect(request, socket, head));
    this.server.on('clientError', (_fault, socket) => socket.destroy());
    this.handed = new HandedConnections(this.server, MOST_CONNECTIONS);
  }

  get connections(): number {
    return this.open.size;
  }

  /** At port 80: HTTP, and an explicit proxy. */
  acceptPlain(socket: net.Socket): void {
    this.keep(socket);
    this.handed.accept(socket);
  }

  /** At port 443. */
  acceptTls(socket: net.Socket): void {
    this.keep(socket);
    this.pass(socket, null);
  }

  close(): void {
    for (const socket of this.open) socket.destroy();
    this.server.close();
    void this.wayOut.close();
  }

  private keep(socket: Duplex): void {
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  private pass(socket: Duplex, wanted: string | null): void {
    awaitHello(socket, (name) => {
      if (name === null || (wanted !== null && name !== wanted) || !matchesHost(this.hosts, name)) refuseName(socket);
      else
        this.wayOut.tunnel(name, HTTPS).then(
          (server) => (socket.destroyed ? server.destroy() : splice(socket, server)),
          () => socket.destroy(),
        );
    });
  }

  private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { url = '', headers } = request;
    const [, authority = '', rest = ''] = /^http:\/\/([^/?#@]+)([/?][^#]*)?$/i.exec(url) ?? [];
    const [, named = ''] =
      /^([A-Za-z0-9_.-]+)(?::80)?$/.exec(authority === '' ? (headers.host ?? '') : authority) ?? [];
    const host = named.toLowerCase().replace(/\.$/, '');
    const path = authority === '' ? url : rest.startsWith('/') ? rest : `/${rest}`;
    if (path.startsWith('/') && matchesHost(this.hosts, host)) {
      void this.forward(request, response, new URL(`http://${host}${path}`));
      return;
    }
    response.writeHead(421, { 'Content-Type': 'text/plain', Connection: 'close' });
    response.end('berthgate: this host is not served here\n');
  }

  private connect(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const [, named = '', port = ''] = /^([^:/@[\]]+):(\d+)$/.exec(request.url ?? '') ?? [];
    const host = named.toLowerCase().replace(/\.$/, '');
    if (Number(port) !== HTTPS || !matchesHost(this.hosts, host)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    this.pass(socket, host);
  }
}
