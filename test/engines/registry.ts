// A real registry (Debian's docker-registry) on loopback, with its own temporary folder: where tests pull from and push to.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TestRegistry {
  /** As in an image's name: `127.0.0.1:40123`. */
  readonly host: string;
  readonly url: string;
  /** What it logged so far: every request, one a line. */
  log(): string;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** A fixed port, for a registry that goes away and comes back. */
  readonly port?: number;
  /** Where its data lie, for a registry that comes back with what it had. Default: a new folder, removed by `stop`. */
  readonly folder?: string;
  /** Lines `user:bcrypt-hash`, as of `htpasswd -nbB`: then it asks for a password. */
  readonly htpasswd?: string;
  /** Files. Then it speaks TLS only. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Then it takes the tokens of this realm only: its URL, and the file of the certificate that they are signed with. */
  readonly token?: { readonly realm: string; readonly certificate: string };
  /** The URL of another registry: then it is a pull-through cache of that one. */
  readonly upstream?: string;
}

const program = '/usr/bin/docker-registry';

/** Whether Debian's docker-registry is installed. */
export function hasRegistry(): boolean {
  return existsSync(program);
}

/** Up and answering. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const scratch = await mkdtemp(join(tmpdir(), 'berthgate-registry-'));
  const host = `127.0.0.1:${options.port ?? (await freePort())}`;
  const url = `${options.tls === undefined ? 'http' : 'https'}://${host}`;
  const config = join(scratch, 'config.json');
  if (options.htpasswd !== undefined) await writeFile(join(scratch, 'htpasswd'), options.htpasswd);
  // Its configuration is YAML, and JSON is YAML.
  await writeFile(config, JSON.stringify(settings(options, host, scratch)));
  // It must not outlive a test run that is killed.
  const bound = 'exec setpriv --pdeathsig KILL "$0" serve "$1"';
  const child = spawn('/bin/sh', ['-c', bound, program, config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', OTEL_TRACES_EXPORTER: 'none' },
  });
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  async function stop(): Promise<void> {
    child.kill('SIGKILL');
    await ended;
    await rm(scratch, { recursive: true, force: true });
  }
  for (let tries = 0; !/listening on/.test(log); tries++) {
    if (child.exitCode !== null || tries >= 400) {
      await stop();
      throw new Error(`docker-registry did not come up on ${host}\n${log}`);
    }
    await sleep(25);
  }
  return { host, url, log: () => log, stop };
}

function settings(options: RegistryOptions, host: string, scratch: string): object {
  const { folder = join(scratch, 'data'), htpasswd, tls, token, upstream } = options;
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true }, maintenance: null },
    http: {
      addr: host,
      secret: 'the same after a restart',
      ...(tls === undefined ? {} : { tls: { certificate: tls.certificate, key: tls.key } }),
    },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: join(scratch, 'htpasswd') } } }),
    ...(token === undefined
      ? {}
      : {
          auth: {
            token: { realm: token.realm, service: 'registry', issuer: 'realm', rootcertbundle: token.certificate },
          },
        }),
    ...(upstream === undefined ? {} : { proxy: { remoteurl: upstream } }),
  };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(address)));
    });
  });
}
