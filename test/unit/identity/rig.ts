/** A server that answers who a client is: real sockets, the real order of authenticators, and nothing behind them. */

import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { renderRefusal } from '../../../src/exchange/answer-refusal.ts';
import type { Authenticator, AuthenticatorContext } from '../../../src/exchange/authenticator.ts';
import { challengesOf } from '../../../src/exchange/challenges.ts';
import { identify } from '../../../src/exchange/identify.ts';
import type { Identity, Peer } from '../../../src/exchange/identity.ts';
import { authenticatorKinds } from '../../../src/front/identity/authenticators.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { download } from '../../../src/wire/download.ts';
import type { RequestHead } from '../../../src/wire/message.ts';

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-identity-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Logged {
  readonly facts: Record<string, unknown>;
  readonly message: string;
}

export function contextOf(facts: Partial<AuthenticatorContext> = {}): AuthenticatorContext & { logged: Logged[] } {
  const logged: Logged[] = [];
  const note = (about: object, message: string) => logged.push({ facts: { ...about }, message });
  return {
    listener: 'people',
    transport: null,
    clientCa: null,
    resolve: (file) => file,
    download: (url, wanted) => download({ proxy: null, noProxy: [], ca: [], allowPrivate: [] }, url, wanted),
    log: { info: note, warn: note },
    logged,
    ...facts,
  };
}

/** Options as they stand in a configuration. */
export function make(use: string, options: object, context: AuthenticatorContext = contextOf()): Authenticator {
  const kind = authenticatorKinds.get(use);
  if (kind === undefined) throw new Error(`there is no ${use}`);
  return kind.create(kind.options.parse(options), context);
}

export async function started(...authenticators: Authenticator[]): Promise<Authenticator[]> {
  for (const authenticator of authenticators) {
    await authenticator.start?.();
    onTestFinished(async () => authenticator.stop?.());
  }
  return authenticators;
}

export function headOf(...headers: string[]): RequestHead {
  return {
    method: 'GET',
    target: '/_ping',
    minorVersion: 1,
    headers,
    framing: { kind: 'none' },
    keepAlive: true,
    upgrade: null,
    expectsContinue: false,
  };
}

export const somePeer = (address: string | null = '192.0.2.1'): Peer => ({
  transport: address === null ? 'unix' : 'tcp',
  address,
});

/** The refusal that it ends in. */
export async function refusalOf(work: () => unknown): Promise<Refusal> {
  try {
    await work();
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    throw fault;
  }
  throw new Error('it was not refused');
}

export interface Told {
  readonly status: number;
  readonly identity: Identity | null;
  readonly message: string;
  readonly challenges: readonly string[];
}

/** Listens on a path, or with TLS options on a port of loopback. Gives the place. */
export async function listenWith(
  authenticators: readonly Authenticator[],
  where: { path: string } | { tls: tls.TlsOptions } | { tcp: true },
): Promise<number> {
  const peers = new WeakMap<object, Peer>();
  const answer = (request: http.IncomingMessage, response: http.ServerResponse) => {
    const peer = peers.get(request.socket) as Peer;
    (async () => identify(authenticators, headOf(...request.rawHeaders), peer))().then(
      (identity) => response.end(JSON.stringify(identity)),
      (fault: unknown) => {
        const refusal = fault instanceof Refusal ? fault : new Refusal('own-fault', String(fault));
        if (refusal.status === 401) response.setHeader('WWW-Authenticate', [...challengesOf(refusal, authenticators)]);
        response.writeHead(refusal.status).end(renderRefusal(refusal));
      },
    );
  };
  const welcome = (socket: net.Socket, transport: Peer['transport']) => {
    const peer = { transport, address: socket.remoteAddress ?? null };
    peers.set(socket, peer);
    for (const authenticator of authenticators) authenticator.accepted?.(socket, peer);
  };
  let server: http.Server;
  if ('tls' in where) {
    server = https.createServer(where.tls, answer);
    server.on('secureConnection', (socket: net.Socket) => welcome(socket, 'tls'));
  } else {
    server = http.createServer(answer);
    server.on('connection', (socket) => welcome(socket, 'path' in where ? 'unix' : 'tcp'));
  }
  await new Promise<void>((resolve) => {
    if ('path' in where) server.listen(where.path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' ? (address as net.AddressInfo).port : 0;
}

/** One call, as `http.request` takes it. */
export function ask(options: https.RequestOptions): Promise<Told> {
  return new Promise((resolve, reject) => {
    const request = (options.protocol === 'https:' ? https : http).request({ agent: false, ...options }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as { message?: string };
        const challenges: string[] = [];
        for (let i = 0; i < answer.rawHeaders.length; i += 2) {
          if (answer.rawHeaders[i]?.toLowerCase() === 'www-authenticate') challenges.push(answer.rawHeaders[i + 1]!);
        }
        const status = answer.statusCode as number;
        const identity = status === 200 ? (body as unknown as Identity) : null;
        resolve({ status, identity, message: body.message ?? '', challenges });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

export async function until(condition: () => unknown, withinMs: number): Promise<number> {
  const begin = performance.now();
  for (;;) {
    try {
      if (await condition()) return performance.now() - begin;
    } catch {
      // Not yet.
    }
    if (performance.now() - begin > withinMs) throw new Error(`did not come true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
