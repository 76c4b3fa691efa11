// Berthgate with policies in front of a real engine, and calls to it as a client makes them.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { serveInFrontOf } from '../engine/in-process.ts';
import { docker, type TestEngine } from '../engines/index.ts';

export interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it as it likes
  readonly json: any;
}

export interface Judged {
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Leaves the answer open until `close`. */
  open(method: string, path: string): Promise<{ readonly status: number; close(): void }>;
  log(): readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<void>;
}

const api = '/v1.41';

/** Who a client is, is said by a plugin: the calls are of these users in turn. */
async function authenticatorOf(users: readonly string[]): Promise<unknown> {
  const file = join(await mkdtemp(join(tmpdir(), 'berthgate-user-')), 'fixed.mjs');
  const create = `() => { let at = 0; const users = ${JSON.stringify(users)};
    return { identify: () => ({ user: users[at++ % users.length] }) }; }`;
  await writeFile(
    file,
    `export default { kind: 'authenticator', name: 'fixed', options: (given) => given, create: ${create} };`,
  );
  return file;
}

/** Ends with the test. */
export function judged(engine: string, user: string, ...policies: readonly unknown[]): Promise<Judged> {
  return judgedAs(engine, [user], { policies });
}

/** The same for calls of several users, and what else the listener says. */
export async function judgedAs(
  engine: string,
  users: readonly string[],
  listener: Readonly<Record<string, unknown>>,
): Promise<Judged> {
  const served = await serveInFrontOf(engine, { auth: [await authenticatorOf(users)], ...listener });
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await served.stop();
  };
  onTestFinished(stop);
  return {
    ask: (method, path, body) => ask(served.socket, method, path, body),
    open: (method, path) => open(served.socket, method, path),
    log: served.log,
    stop,
  };
}

function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const call = request({ socketPath, method, path: `${api}${path}`, headers, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        let json: { readonly message?: string } | null = null;
        try {
          json = JSON.parse(text) as { readonly message?: string };
        } catch {
          // Not every answer is one document.
        }
        const code = answer.headers['berthgate-refusal'] as string | undefined;
        resolve({ status: answer.statusCode ?? 0, code, message: json?.message ?? text, json });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function open(socketPath: string, method: string, path: string): Promise<{ status: number; close(): void }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path: `${api}${path}`, agent: false }, (answer) => {
      answer.on('error', () => {});
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, close: () => call.destroy() });
    });
    call.on('error', reject);
    call.end();
  });
}

/** What tests of a user have left: told by our own label. */
export async function removeAllOf(engine: TestEngine, user: string): Promise<void> {
  const filter = ['--filter', `label=berthgate.user=${user}`];
  const containers = await docker(engine, ['ps', '-aq', ...filter]);
  if (containers !== '') await docker(engine, ['rm', '-fv', ...containers.split('\n')]);
  const networks = await docker(engine, ['network', 'ls', '-q', ...filter]);
  if (networks !== '') await docker(engine, ['network', 'rm', ...networks.split('\n')]);
  const volumes = await docker(engine, ['volume', 'ls', '-q', ...filter]);
  if (volumes !== '') await docker(engine, ['volume', 'rm', ...volumes.split('\n')]);
}
