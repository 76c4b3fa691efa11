/**
 * Debian's docker-registry as two registries with an image of one name, one that asks for a password, and one in the place
 * of Docker Hub; and Berthgate with all its ways to them.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveListeners } from '../engine/in-process.ts';
import {
  run as command,
  docker,
  dockerCli,
  freePort,
  makeDockerConfig,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';

const run = randomBytes(3).toString('hex');
export const APP = `team/cached-${run}`;
export const ONE = 'one.example.org';
export const OTHER = 'other.example.org:5000';
export const CLOSED = 'closed.example.org';

type Names = 'one' | 'other' | 'closed' | 'hub';
type Served = Awaited<ReturnType<typeof serveListeners<'alice' | 'bob'>>>;

export interface Registries {
  readonly by: Readonly<Record<Names, TestRegistry>>;
  /** Requests that a registry has answered, of a method, for what the path says. */
  requests(name: Names, method: string, path: string): number;
  stop(): Promise<void>;
}

export async function startRegistries(engine: TestEngine): Promise<Registries> {
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  const [one, other, closed, hub] = await Promise.all([
    startRegistry(),
    startRegistry(),
    startRegistry({ htpasswd }),
    startRegistry(),
  ]);
  const by = { one, other, closed, hub };
  for (const [name, registry] of Object.entries(by)) await fill(engine, registry, name);
  return {
    by,
    requests: (name, method, path) =>
      by[name]
        .log()
        .split('\n')
        .filter((line) => line.includes(`"${method} /v2/${APP}/${path}`)).length,
    stop: async () => void (await Promise.all(Object.values(by).map((registry) => registry.stop()))),
  };
}

/** With an image that says whose it is, straight from an engine. */
async function fill(engine: TestEngine, registry: TestRegistry, word: string): Promise<void> {
  const image = `${registry.host}/${APP}:1`;
  const env = { DOCKER_CONFIG: makeDockerConfig() };
  await docker(engine, ['build', '-q', '--no-cache', '-t', image, '-'], {
    input: `FROM busybox\nRUN head -c 3000000 /dev/urandom >/large && echo ${word} >/word\n`,
    env: { DOCKER_BUILDKIT: '0' },
  });
  if (word === 'closed') {
    await docker(engine, ['login', '-u', 'alice', '--password-stdin', registry.host], { env, input: 'secret' });
  }
  await docker(engine, ['push', '-q', image], { env });
  await docker(engine, ['rmi', image]);
}

export interface Site {
  readonly served: Served;
  /** `127.0.0.1:40123`, each. */
  readonly mirror: string;
  readonly proxy: string;
  /** An address of loopback where port 443 is ours. */
  readonly names: string;
  stop(): Promise<void>;
}

export async function serve(engine: TestEngine, { by }: Registries): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-cache-'));
  const [mirror, gateway, proxy] = [
    `127.0.0.1:${await freePort()}`,
    `127.0.0.1:${await freePort()}`,
    `127.0.0.1:${await freePort()}`,
  ];
  const names = `127.77.${randomBytes(2).join('.')}`;
  const served = await serveListeners(
    engine.host,
    { alice: { namespace: `rc-${run}` }, bob: { namespace: `rc-${run}-b` } },
    {
      engines: [{ name: 'engine', url: engine.host, gateway }],
      cache: { store: join(folder, 'store') },
      registry: {
        mirror: `http://${mirror}`,
        proxy: `http://${proxy}`,
        impersonate: `${names}:443`,
        upstreams: [
          { host: ONE, url: by.one.url },
          { host: OTHER, url: by.other.url },
          { host: CLOSED, url: by.closed.url },
          { host: 'docker.io', url: by.hub.url },
        ],
      },
    },
  );
  const stop = async (): Promise<void> => {
    await served.stop();
    for (const namespace of [`rc-${run}`, `rc-${run}-b`])
      await dockerCli(engine, ['network', 'rm', `${namespace}.bridge`]);
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  return { served, mirror, proxy, names, stop };
}
