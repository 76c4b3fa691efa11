/** The program as it is installed, and processes of it that end with the test. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
let built: string | undefined;

/** The path of main.js. Below the repository, so that its dependencies are found. */
export function builtProgram(): string {
  if (built !== undefined) return built;
  const folder = join(root, '.cache', `program-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(
    process.execPath,
    [
      tsc,
      '-p',
      join(root, 'tsconfig.build.json'),
      '--declaration',
      'false',
      '--noCheck',
      '--outDir',
      join(folder, 'dist'),
    ],
    { stdio: 'pipe' },
  );
  built = join(folder, 'dist/main.js');
  return built;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bg-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Running {
  readonly child: ChildProcess;
  readonly exit: Promise<Exit>;
  out = '';
  err = '';
  ended = false;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (bytes) => {
      this.out += String(bytes);
    });
    child.stderr?.on('data', (bytes) => {
      this.err += String(bytes);
    });
    this.exit = new Promise((settle) => {
      child.on('close', (code, signal) => {
        this.ended = true;
        settle({ code, signal });
      });
    });
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await this.exit;
    });
  }

  /** DOCKER_HOST by the name of the listener. */
  hosts(): ReadonlyMap<string, string> {
    return new Map(
      [...this.out.matchAll(/^export DOCKER_HOST=(\S+)(?: DOCKER_TLS_VERIFY=1)? {2}# (\S+)$/gm)].map(
        ([, host, name]) => [name!, host!],
      ),
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async hears(pattern: RegExp): Promise<void> {
    await until(
      () => pattern.test(this.err) || pattern.test(this.out),
      () => `${pattern} is not in: ${this.out}${this.err}`,
    );
  }
}

export async function until(holds: () => boolean, orElse: () => string, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(orElse());
    await new Promise((settle) => setTimeout(settle, 10));
  }
}

export function startBerthgate(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [builtProgram(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  return new Running(child);
}

/** Serves when this resolves. */
export async function serve(config: string, args: readonly string[] = []): Promise<Running> {
  const running = startBerthgate(['serve', '--config', config, ...args]);
  await until(
    () => running.out.includes('DOCKER_HOST') || running.ended,
    () => `does not serve: ${running.err}`,
  );
  if (running.ended) throw new Error(`did not serve: ${running.err}`);
  return running;
}

export interface ListenerLines {
  readonly name: string;
  readonly url: string;
  readonly more?: string;
}

export function writeConfig(folder: string, engine: string, listeners: readonly ListenerLines[], more = ''): string {
  const file = join(folder, 'berthgate.yaml');
  const entries = listeners.map(
    (one) => `
  - name: ${one.name}
    url: ${one.url}
    auth: [anonymous]
    namespace: null
    policies: []
    ${one.more ?? ''}`,
  );
  writeFileSync(
    file,
    `state: ${join(folder, 'state')}
engines: [{ name: local, url: "unix://${engine}" }]
listeners:${entries.join('')}
${more}
`,
  );
  return file;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One call on a connection of its own, or on one of `agent`. */
export function call(host: string, path: string, options: http.RequestOptions = {}): Promise<Answer> {
  const where = host.startsWith('unix://')
    ? { socketPath: host.slice(7) }
    : { host: new URL(host).hostname, port: new URL(host).port };
  return new Promise((settle, reject) => {
    const request = http.request({ agent: false, path, timeout: 60_000, ...where, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => {
        body += text;
      });
      response.on('end', () => settle({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.end();
  });
}
