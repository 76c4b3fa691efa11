// A relay before an engine that knows what the engine was asked: for tests that count the engine's calls.
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CountedEngine {
  /** As in DOCKER_HOST. */
  readonly host: string;
  /** `GET /containers/json?all=1`, without versions. */
  readonly asked: string[];
  stop(): Promise<void>;
}

const REQUEST_LINE = /(GET|HEAD|POST|PUT|DELETE) (?:\/v[0-9.]+)?(\/\S*) HTTP\/1\.1\r\n/g;

/** `host`: a unix socket. */
export async function countedEngine(host: string): Promise<CountedEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'counted-'));
  const path = join(folder, 'engine.sock');
  const asked: string[] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const engine = net.connect({ path: new URL(host).pathname, allowHalfOpen: true });
    for (const socket of [client, engine]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => {
        client.destroy();
        engine.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      for (const [, method, target] of chunk.toString('latin1').matchAll(REQUEST_LINE))
        asked.push(`${method} ${target}`);
    });
    client.pipe(engine);
    engine.pipe(client);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    host: `unix://${path}`,
    asked,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
