/** A peer that speaks raw bytes, and servers that end with the test. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Exchange, InboundConnection, type InboundOptions } from '../../../src/wire/inbound.ts';
import type { BodySink, RawHeaders } from '../../../src/wire/message.ts';
import { ReadBuffers } from '../../../src/wire/read-buffers.ts';

export class Talk {
  readonly socket: net.Socket;
  heard = '';
  ended = false;
  closed = false;
  failed: Error | null = null;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.heard += text;
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error) => {
      this.failed = error;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    onTestFinished(() => {
      socket.destroy();
    });
  }

  say(text: string | Buffer): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  end(): this {
    this.socket.end();
    return this;
  }

  /** All that was heard, once it matches. */
  async hears(pattern: RegExp | string, withinMs = 15_000): Promise<string> {
    await until(
      () => (typeof pattern === 'string' ? this.heard.includes(pattern) : pattern.test(this.heard)),
      withinMs,
      () => `did not hear ${pattern} but ${JSON.stringify(this.heard.slice(-500))}${this.closed ? ', closed' : ''}`,
    );
    return this.heard;
  }

  async hearsEnd(withinMs = 15_000): Promise<string> {
    await until(
      () => this.ended || this.closed,
      withinMs,
      () => `did not end: ${JSON.stringify(this.heard.slice(-500))}`,
    );
    return this.heard;
  }

  async isClosed(withinMs = 15_000): Promise<void> {
    await until(
      () => this.closed,
      withinMs,
      () => 'did not close',
    );
  }
}

export async function until(
  holds: () => boolean,
  withinMs = 15_000,
  otherwise = () => 'it did not come to hold',
): Promise<void> {
  const last = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > last) throw new Error(otherwise());
    await pause(2);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export async function dial(port: number): Promise<Talk> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const talk = new Talk(socket);
  await once(socket, 'connect');
  return talk;
}

const INBOUND_LIMITS = { headBytes: 16 * 1024, headers: 100, headTimeoutMs: 5000, bodyTimeoutMs: 5000 };

export interface Served {
  readonly port: number;
  readonly connections: InboundConnection[];
  readonly closed: InboundConnection[];
}

/** Serves clients with `handler`; faults are answered with their code. */
export async function serve(
  handler: InboundOptions['handler'],
  limits: Partial<InboundOptions['limits']> = {},
  pauseOnConnect = true,
): Promise<Served> {
  const served: Served = { port: 0, connections: [], closed: [] };
  const options = inboundOptions(handler, limits, served);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect, noDelay: true }, (socket) => {
    served.connections.push(new InboundConnection(socket, options));
  });
  onTestFinished(() => {
    for (const connection of served.connections) connection.socket.destroy();
  });
  return Object.assign(served, { port: await listen(server) });
}

export function inboundOptions(
  handler: InboundOptions['handler'],
  limits: Partial<InboundOptions['limits']>,
  served: Served,
): InboundOptions {
  return {
    limits: { ...INBOUND_LIMITS, ...limits },
    buffers: new ReadBuffers(),
    handler,
    renderFault: (fault) => ({ status: fault.status, reason: 'Fault', headers: [], body: fault.code }),
    onClosed: (connection) => served.closed.push(connection),
  };
}

export function ok(headers: RawHeaders = []): { status: number; reason: string; headers: RawHeaders } {
  return { status: 200, reason: 'OK', headers };
}

export function get(target: string, fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
}

export function post(target: string, fields: string, body: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
}

export function echoTarget(exchange: Exchange): void {
  exchange.answer(ok(), exchange.head.target);
}

export class Kept implements BodySink {
  text = '';
  ended = false;
  cause: Error | null = null;
  full = false;
  onReady: (() => void) | null = null;
  write(chunk: Buffer): boolean {
    this.text += chunk.toString('latin1');
    return !this.full;
  }
  end(): void {
    this.ended = true;
  }
  abort(cause: Error): void {
    this.cause = cause;
  }
}
