// The proxy that attackers hope for: it judges what a usual HTTP library shows it, and passes the client's bytes on.

import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface NaiveProxy {
  readonly socket: string;
  /** What it believes it has been asked. */
  readonly judged: readonly string[];
  close(): Promise<void>;
}

export async function startNaiveProxy(engine: string): Promise<NaiveProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'naive-'));
  const judged: string[] = [];
  const server = http.createServer((request, response) => {
    judged.push(`${request.method} ${request.url}`);
    const { method, url, headers } = request;
    const passed = http.request({ socketPath: engine, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  // As in every tutorial: an upgrade is a tunnel from the first byte on.
  server.on('upgrade', (request, client: net.Socket, head) => {
    judged.push(`${request.method} ${request.url}`);
    const lines = request.rawHeaders.reduce(
      (text, word, at) => text + (at % 2 === 0 ? `${word}: ` : `${word}\r\n`),
      '',
    );
    const upstream = net.connect(engine, () => {
      upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
      upstream.write(head);
      client.pipe(upstream);
      upstream.pipe(client);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  const socket = join(folder, 'proxy.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    judged,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
