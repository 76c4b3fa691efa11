/** Where the engine finds the images of one command: addresses that nobody else of this machine listens at. */

import { randomInt } from 'node:crypto';
import net from 'node:net';
import type { EngineConfig, TcpAddress } from '../../operate/config/index.ts';

const PORT = 5350;
const ATTEMPTS = 20;

/**
 * Null where the configuration wants none. Engines take every address of 127.0.0.0/8 for a registry without TLS, so there
 * is one for each of a million commands; of another address it is another port. @throws where none is free
 */
export async function freeGateway({ gateway }: EngineConfig): Promise<TcpAddress | null> {
  if (gateway === null) return null;
  const loopback = gateway.host.startsWith('127.');
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = loopback ? PORT : randomInt(20_000, 60_000);
    const host = loopback ? `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 254)}` : gateway.host;
    if (await isFree(host, port)) return { kind: 'tcp', host, port };
  }
  throw new Error(`no address for a registry gateway is free near ${gateway.host}`);
}

function isFree(host: string, port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
