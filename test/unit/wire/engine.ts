/** An engine of raw bytes behind a pool. */
import net from 'node:net';
import { onTestFinished } from 'vitest';
import { EnginePool, type OutboundLimits, type OutboundRequest } from '../../../src/wire/outbound.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';
import { Heard } from './heard.ts';
import { listen, Talk, until } from './talk.ts';

export const LIMITS: OutboundLimits = {
  headBytes: 16 * 1024,
  headers: 100,
  connectTimeoutMs: 2000,
  idleConnections: 10,
};

export function request(fields: Partial<OutboundRequest> = {}): OutboundRequest {
  return { method: 'GET', target: '/', headers: ['Host', 'docker'], body: null, upgrade: null, ...fields };
}

interface Engine {
  readonly pool: EnginePool;
  readonly talks: Talk[];
  send(fields?: Partial<OutboundRequest>): Heard;
  /** The n-th connection, once it has heard `pattern`. */
  hears(n: number, pattern: RegExp | string): Promise<Talk>;
}

export async function engine(limits: Partial<OutboundLimits> = {}): Promise<Engine> {
  const talks: Talk[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => talks.push(new Talk(socket)));
  const port = await listen(server);
  const pool = new EnginePool(
    (options) => net.connect({ port, host: '127.0.0.1', ...options }),
    { ...LIMITS, ...limits },
    new ReadBuffers(),
  );
  onTestFinished(() => pool.close());
  return {
    pool,
    talks,
    send: (fields) => {
      const heard = new Heard();
      heard.call = pool.send(request(fields), heard);
      return heard;
    },
    hears: async (n, pattern) => {
      await until(
        () => talks.length > n,
        3000,
        () => `there is no connection ${n}`,
      );
      await (talks[n] as Talk).hears(pattern);
      return talks[n] as Talk;
    },
  };
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK';
