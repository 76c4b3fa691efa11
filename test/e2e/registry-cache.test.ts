/**
 * Engines that pull through the registry cache: Debian's docker-registry as two registries with an image of one name, one
 * that asks for a password, and one in the place of Docker Hub.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import {
  run as command,
  describeEachEngine,
  docker,
  dockerCli,
  freePort,
  hasRegistry,
  makeDockerConfig,
  newestEngine,
  startEngine,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';

const run = randomBytes(3).toString('hex');
const APP = `team/cached-${run}`;
const ONE = 'one.example.org';
const OTHER = 'other.example.org:5000';
const CLOSED = 'closed.example.org';

type Names = 'one' | 'other' | 'closed' | 'hub';
type Served = Awaited<ReturnType<typeof serveListeners<'alice' | 'bob'>>>;

let registries: Record<Names, TestRegistry> | undefined;

beforeAll(async () => {
  const engine = newestEngine();
  if (!hasRegistry() || engine === undefined) return;
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  const [one, other, closed, hub] = await Promise.all([
    startRegistry(),
    startRegistry(),
    startRegistry({ htpasswd }),
    startRegistry(),
  ]);
  registries = { one, other, closed, hub };
  for (const [name, registry] of Object.entries(registries)) await fill(engine, registry, name);
});
afterAll(() => Promise.all(Object.values(registries ?? {}).map((registry) => registry.stop())));

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

interface Site {
  readonly served: Served;
  readonly mirror: string;
  stop(): Promise<void>;
}

async function serve(engine: TestEngine): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-cache-'));
  const [mirror, gateway] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const at = (name: Names): string => registries?.[name].url ?? '';
  const served = await serveListeners(
    engine.host,
    { alice: { namespace: `rc-${run}` }, bob: { namespace: `rc-${run}-b` } },
    {
      engines: [{ name: 'engine', url: engine.host, gateway }],
      cache: { store: join(folder, 'store') },
      registry: {
        mirror: `http://${mirror}`,
        upstreams: [
          { host: ONE, url: at('one') },
          { host: OTHER, url: at('other') },
          { host: CLOSED, url: at('closed') },
          { host: 'docker.io', url: at('hub') },
        ],
      },
    },
  );
  const stop = async (): Promise<void> => {
    await served.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { served, mirror, stop };
}

/** Requests that the registry has answered, of a method, for what the path says. */
function requests(name: Names, method: string, path: string): number {
  return (registries?.[name].log() ?? '').split('\n').filter((line) => line.includes(`"${method} /v2/${APP}/${path}`))
    .length;
}

describe.skipIf(!hasRegistry())('the registry cache', () => {
  describeEachEngine('with an engine', (engine) => {
    let site: Site;
    beforeAll(async () => {
      site = await serve(engine);
    });
    afterAll(async () => {
      for (const who of ['alice', 'bob'] as const) {
        const host = `unix://${site.served.sockets[who]}`;
        for (const name of [ONE, OTHER, CLOSED]) await dockerCli({ host }, ['rmi', '-f', `${name}/${APP}:1`]);
      }
      await site.stop();
    });
    const word = (target: string | { readonly host: string }, image: string): Promise<string> =>
      docker(target, ['run', '--rm', image, 'cat', '/word']);

    test('names that begin with the registry are two images where they are two, and are fetched once', async () => {
      let fetched = 0;
      for (const turn of [1, 2]) {
        for (const [registry, says] of [
          [ONE, 'one'],
          [OTHER.replace(':', '__'), 'other'],
        ] as const) {
          const image = `${site.mirror}/${registry}/${APP}:1`;
          await docker(engine, ['pull', '-q', image]);
          expect(await word(engine, image)).toBe(says);
          await docker(engine, ['rmi', image]);
        }
        // The second time nothing is fetched.
        if (turn === 1) fetched = requests('one', 'GET', 'blobs/');
      }
      expect(fetched).toBeGreaterThan(0);
      expect(requests('one', 'GET', 'blobs/')).toBe(fetched);
      const closed = await dockerCli(engine, ['pull', `${site.mirror}/${CLOSED}/${APP}:1`]);
      expect(closed.code).not.toBe(0);
    });

    test('a namespace pulls from what is there, and what is private only with its own password', async () => {
      const [alice, bob] = (['alice', 'bob'] as const).map((who) => ({
        host: `unix://${site.served.sockets[who]}`,
      })) as [{ host: string }, { host: string }];
      const before = requests('one', 'GET', 'blobs/');
      for (const who of [alice, bob]) {
        await docker(who, ['pull', '-q', `${ONE}/${APP}:1`]);
        expect(await word(who, `${ONE}/${APP}:1`)).toBe('one');
      }
      const env = { DOCKER_CONFIG: makeDockerConfig() };
      await docker(alice, ['login', '-u', 'alice', '--password-stdin', CLOSED], { env, input: 'secret' });
      let fetched = 0;
      for (const turn of [1, 2]) {
        await docker(alice, ['pull', '-q', `${CLOSED}/${APP}:1`], { env });
        expect(await word(alice, `${CLOSED}/${APP}:1`)).toBe('closed');
        await docker(alice, ['rmi', `${CLOSED}/${APP}:1`]);
        if (turn === 1) fetched = requests('closed', 'GET', 'blobs/');
      }
      const refused = await dockerCli(bob, ['pull', `${CLOSED}/${APP}:1`]);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/unauthorized|denied|no basic auth/) });
      expect(requests('one', 'GET', 'blobs/')).toBe(before);
      expect(fetched).toBeGreaterThan(0);
      expect(requests('closed', 'GET', 'blobs/')).toBe(fetched);
    });
  });

  describe('with the registry gone', () => {
    test.skipIf(newestEngine() === undefined)(
      'what was pulled is there, and what was not is an error that names it',
      async () => {
        const engine = newestEngine() as TestEngine;
        const site = await serve(engine);
        const mine = await startRegistry({ port: await freePort() });
        await fill(engine, mine, 'gone');
        try {
          const image = `${site.mirror}/${ONE}/${APP}:1`;
          await docker(engine, ['pull', '-q', image]);
          await docker(engine, ['rmi', image]);
          await registries?.one.stop();
          await docker(engine, ['pull', '-q', image]);
          await docker(engine, ['rmi', image]);
          const missing = await dockerCli(engine, ['pull', `${site.mirror}/${ONE}/${APP}:2`]);
          expect(missing.stderr).toContain(`the registry ${ONE} cannot be reached`);
        } finally {
          await site.stop();
        }
      },
    );
  });

  for (const name of ['20.10-faults', '28.5-faults']) {
    const here = newestEngine()?.control !== undefined;
    test.skipIf(!here)(`an engine with registry-mirrors pulls what Docker Hub has [${name}]`, async () => {
      const engine = await startEngine(name);
      const site = await serve(engine);
      try {
        await engine.control?.configure({ 'registry-mirrors': [`http://${site.mirror}`] });
        let fetched = 0;
        const before = requests('hub', 'GET', 'blobs/');
        for (const turn of [1, 2]) {
          await docker(engine, ['pull', '-q', `${APP}:1`]);
          expect(await docker(engine, ['run', '--rm', `${APP}:1`, 'cat', '/word'])).toBe('hub');
          await docker(engine, ['rmi', `${APP}:1`]);
          if (turn === 1) fetched = requests('hub', 'GET', 'blobs/');
        }
        expect(fetched).toBeGreaterThan(before);
        expect(requests('hub', 'GET', 'blobs/')).toBe(fetched);
      } finally {
        await engine.control?.configure({ 'registry-mirrors': [] });
        await site.stop();
        await engine.control?.stop();
      }
    });
  }
});
