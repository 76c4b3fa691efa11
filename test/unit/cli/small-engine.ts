/** A very small engine on a unix socket: versions, a list, a slow call, a stream that runs on, and an echo by upgrade. */

import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallEngine {
  readonly path: string;
  /** `METHOD URL` of every call that came. */
  readonly calls: string[];
  version: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startSmallEngine(): Promise<SmallEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'bg-up-'));
  const path = join(folder, 'docker.sock');
  const calls: string[] = [];
  const sockets = new Set<net.Socket>();
  let server: http.Server | null = null;
  const upstream: SmallEngine = {
    path,
    calls,
    version: '20.10.24',
    start: () => {
      const made = http.createServer((request, response) => answer(request, response, upstream));
      made.on('upgrade', (request, socket: net.Socket, head) => {
        calls.push(`${request.method} ${request.url}`);
        socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
        socket.write(head);
        socket.pipe(socket);
      });
      made.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => {});
      });
      server = made;
      return new Promise((resolve) => void made.listen(path, resolve));
    },
    stop: () =>
      new Promise((resolve) => {
        if (server === null) return resolve();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
        server = null;
      }),
  };
  await upstream.start();
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return upstream;
}

function answer(request: http.IncomingMessage, response: http.ServerResponse, upstream: SmallEngine): void {
  upstream.calls.push(`${request.method} ${request.url}`);
  const path = request.url?.replace(/^\/v1\.\d+/, '').split('?')[0];
  const json = (value: unknown): void => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  switch (path) {
    case '/version':
      json({ Version: upstream.version, ApiVersion: '1.41', MinAPIVersion: '1.12' });
      return;
    case '/_ping':
      response.writeHead(200, { 'Api-Version': '1.41' });
      response.end('OK');
      return;
    case '/containers/json':
      json([]);
      return;
    case '/info':
      setTimeout(() => json({ ID: 'slow' }), 500);
      return;
    case '/events':
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('{"Type":"container"}\n');
      return;
    default:
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end('{"message":"page not found"}');
  }
}
