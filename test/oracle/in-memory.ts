/** Sockets without a network, so that thousands of messages can be read by the real state machines. */
import http from 'node:http';
import type net from 'node:net';
import { Duplex } from 'node:stream';
import { InboundConnection } from '../../src/wire/inbound.ts';
import type { RawHeaders } from '../../src/wire/message.ts';
import { ReadBuffers } from '../../src/wire/read-buffers.ts';

/** The other side says `pieces` and then its end, unless it stays. */
export class MemorySocket extends Duplex {
  written = '';
  readonly #pieces: Buffer[];

  readonly #stays: boolean;

  constructor(pieces: readonly Buffer[], stays = false) {
    super({ allowHalfOpen: true });
    this.#pieces = [...pieces];
    this.#stays = stays;
  }

  override _read(): void {
    const piece = this.#pieces.shift();
    if (piece === undefined && this.#stays) return;
    // Each piece comes in a turn of its own, and in memory of its own: readers may write into it.
    setImmediate(() => this.push(piece === undefined ? null : Buffer.from(piece)));
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.written += chunk.toString('latin1');
    callback();
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}

interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  readonly body: string;
}

export interface ReadConnection {
  /** Those that were read whole, with their bodies. */
  readonly requests: ReadRequest[];
  readonly written: string;
}

const LIMITS = { headBytes: 64 * 1024, headers: 200, headTimeoutMs: 60_000, bodyTimeoutMs: 60_000 };

/** What our own reader makes of a connection. */
export async function readByUs(pieces: readonly Buffer[]): Promise<ReadConnection> {
  const socket = new MemorySocket(pieces);
  const requests: ReadRequest[] = [];
  const closed = new Promise<void>((resolve) => socket.on('close', resolve));
  new InboundConnection(socket as unknown as net.Socket, {
    limits: LIMITS,
    buffers: new ReadBuffers(),
    renderFault: (fault) => ({ status: fault.status, reason: fault.code, headers: [], body: '' }),
    handler: (exchange) => {
      const { method, target, headers } = exchange.head;
      exchange.readBody(1e6).then(
        (body) => {
          requests.push({ method, target, headers, body: body.toString('latin1') });
          exchange.answer({ status: 200, reason: 'OK', headers: [] }, null);
        },
        (fault) => exchange.refuse(fault),
      );
    },
  });
  await closed;
  return { requests, written: socket.written };
}

/** What Node's parser (llhttp) makes of it. */
export async function readByNode(pieces: readonly Buffer[]): Promise<ReadConnection> {
  const socket = new MemorySocket(pieces);
  const requests: ReadRequest[] = [];
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', rawHeaders } = request;
      requests.push({ method, target: url, headers: rawHeaders, body: Buffer.concat(parts).toString('latin1') });
      response.end();
    });
  });
  const closed = new Promise<void>((resolve) => socket.on('close', resolve));
  server.emit('connection', socket);
  await closed;
  return { requests, written: socket.written };
}

/** `[name, value]` in lower case, sorted by name, without what Go keeps elsewhere. */
export function comparable(headers: RawHeaders): [string, string][] {
  const fields: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name === 'host' || name === 'transfer-encoding' || name === 'trailer') continue;
    fields.push([name, headers[i + 1] as string]);
  }
  return fields.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The status of the last answer on a connection; 0 where there is none. */
export function lastStatus(written: string): number {
  return Number([...written.matchAll(/HTTP\/1\.1 (\d{3})/g)].at(-1)?.[1] ?? 0);
}
