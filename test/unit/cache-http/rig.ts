/** A cache on loopback with a store in a folder, an origin whose every answer the test decides, and clients. */

import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Arrival, Connect } from '../../../src/cache/arrival.ts';
import {
  HttpCache,
  HttpCacheTally,
  HttpFront,
  Origins,
  type SiteRuleOptions,
  SiteRules,
} from '../../../src/cache/http/index.ts';
import { FolderStore } from '../../../src/cache/store/index.ts';
import type { Store } from '../../../src/cache/store.ts';
import { WayOut, type WayOutOptions } from '../../../src/wire/way-out.ts';

export const HOST = 'files.example.org';

type Serve = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export interface Got {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** RFC 9211's word for how it came. */
  readonly way: string;
}

export interface Origin {
  readonly url: URL;
  /** What it was asked. */
  readonly asked: http.IncomingMessage[];
  serve: Serve;
  /** Cuts all connections and refuses new ones. */
  stop(): Promise<void>;
  /** At the same port. */
  start(): Promise<void>;
}

export interface Rig {
  readonly origin: Origin;
  readonly store: Store;
  readonly tally: HttpCacheTally;
  readonly faults: string[];
  readonly port: number;
  /** @param headers `Host` is the origin's unless given */
  get(path: string, headers?: http.OutgoingHttpHeaders): Promise<Got>;
  ask(method: string, path: string, headers?: http.OutgoingHttpHeaders, body?: string): Promise<Got>;
  /** The answer as it begins; its body has not been read. */
  open(path: string, headers?: http.OutgoingHttpHeaders): Promise<http.IncomingMessage>;
}

async function startOrigin(serve: Serve): Promise<Origin> {
  const asked: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    asked.push(request);
    origin.serve(request, response);
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;
  const origin: Origin = {
    url: new URL(`http://127.0.0.1:${port}`),
    asked,
    serve,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: () => listen(server, port),
  };
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return origin;
}

export interface RigOptions {
  readonly rules?: readonly SiteRuleOptions[];
  readonly outbound?: Partial<WayOutOptions>;
  /** Other hosts beside the origin's, at their own places. */
  readonly hosts?: readonly string[];
  readonly arrival?: Partial<Arrival>;
  readonly connect?: Connect;
  /** Between attempts to reach an origin; none, so that nobody waits. */
  readonly pausesMs?: readonly number[];
}

export async function startRig(serve: Serve, options: RigOptions = {}): Promise<Rig> {
  const origin = await startOrigin(serve);
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-http-cache-'));
  const store = await FolderStore.open({ folder, maxBytes: 2 ** 30 });
  const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [], ...options.outbound });
  const more = (options.hosts ?? []).map((host) => ({ host, origin: null }));
  const origins = new Origins([{ host: HOST, origin: origin.url }, ...more], wayOut, options.pausesMs ?? []);
  const rules = new SiteRules(options.rules ?? []);
  const tally = new HttpCacheTally();
  const faults: string[] = [];
  const cache = new HttpCache({
    store: () => store,
    origins: () => origins,
    tally,
    onServed: ({ arrival: { scheme } }, kind, bytes) => tally.served({ kind, scheme, bytes }),
    onFault: (_asked, what, fault) => faults.push(`${what}: ${(fault as Error).message}`),
  });
  const front = new HttpFront({ cache, origins: () => origins, rules: () => rules, onRefused: () => {} });
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    front.accept(
      socket,
      { scheme: 'http', serverName: null, client: '127.0.0.1', ...options.arrival },
      options.connect ?? null,
    ),
  );
  await listen(server);
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    server.close();
    void front.close();
    await cache.close();
    await store.close();
    await wayOut.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const begin = (method: string, path: string, headers: http.OutgoingHttpHeaders, body?: string) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request(
        { port, host: '127.0.0.1', method, path, headers: { host: HOST, ...headers }, agent: false },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
  const ask: Rig['ask'] = async (method, path, headers = {}, body) => {
    const answer = await begin(method, path, headers, body);
    const { statusCode = 0 } = answer;
    const text = await textOf(answer);
    return { status: statusCode, headers: answer.headers, body: text, way: String(answer.headers['cache-status']) };
  };
  return {
    origin,
    store,
    tally,
    faults,
    port,
    ask,
    get: (path, headers) => ask('GET', path, headers),
    open: (path, headers = {}) => begin('GET', path, headers),
  };
}

/** Rejects where the body ends before its end. */
export async function textOf(answer: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('latin1');
}

export function firstPiece(answer: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    answer.once('data', (piece: Buffer) => {
      answer.pause();
      resolve(piece.toString('latin1'));
    });
    answer.once('error', reject);
  });
}

function listen(server: net.Server | http.Server, port = 0): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
