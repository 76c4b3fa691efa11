/** Engines that pull through the registry cache. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compareVersions,
  describeEachEngine,
  docker,
  dockerCli,
  engines,
  hasRegistry,
  makeDockerConfig,
  newestEngine,
  startEngine,
  type TestEngine,
} from '../engines/index.ts';
import { APP, CLOSED, ONE, OTHER, type Registries, type Site, serve, startRegistries } from './registry-site.ts';

let registries: Registries;

beforeAll(async () => {
  const engine = newestEngine();
  if (hasRegistry() && engine !== undefined) registries = await startRegistries(engine);
});
afterAll(() => registries?.stop());

describe.skipIf(!hasRegistry())('the registry cache', () => {
  describeEachEngine('with an engine', (engine) => {
    let site: Site;
    beforeAll(async () => {
      site = await serve(engine, registries);
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
        if (turn === 1) fetched = registries.requests('one', 'GET', 'blobs/');
      }
      expect(fetched).toBeGreaterThan(0);
      expect(registries.requests('one', 'GET', 'blobs/')).toBe(fetched);
      const closed = await dockerCli(engine, ['pull', `${site.mirror}/${CLOSED}/${APP}:1`]);
      expect(closed.code).not.toBe(0);
    });

    test('a namespace pulls from what is there, and what is private only with its own password', async () => {
      const [alice, bob] = (['alice', 'bob'] as const).map((who) => ({
        host: `unix://${site.served.sockets[who]}`,
      })) as [{ host: string }, { host: string }];
      const before = registries.requests('one', 'GET', 'blobs/');
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
        if (turn === 1) fetched = registries.requests('closed', 'GET', 'blobs/');
      }
      const refused = await dockerCli(bob, ['pull', `${CLOSED}/${APP}:1`]);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/unauthorized|denied|no basic auth/) });
      expect(registries.requests('one', 'GET', 'blobs/')).toBe(before);
      expect(fetched).toBeGreaterThan(0);
      expect(registries.requests('closed', 'GET', 'blobs/')).toBe(fetched);
    });
  });

  describe('with the registry gone', () => {
    // An engine that keeps what it has had by its digests asks nobody for it again.
    const engine = engines().findLast((one) => !one.keepsImagesInContainerd);
    test.skipIf(engine === undefined)(
      'what was pulled is there, and what was not is an error that names it',
      async () => {
        const site = await serve(engine as TestEngine, registries);
        try {
          const image = `${site.mirror}/${ONE}/${APP}:1`;
          await docker(engine as TestEngine, ['pull', '-q', image]);
          await docker(engine as TestEngine, ['rmi', image]);
          await registries.by.one.stop();
          await docker(engine as TestEngine, ['pull', '-q', image]);
          await docker(engine as TestEngine, ['rmi', image]);
          const missing = await dockerCli(engine as TestEngine, ['pull', `${site.mirror}/${ONE}/${APP}:2`]);
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
      const site = await serve(engine, registries);
      try {
        await engine.control?.configure({ 'registry-mirrors': [`http://${site.mirror}`] });
        let fetched = 0;
        const before = registries.requests('hub', 'GET', 'blobs/');
        for (const turn of [1, 2]) {
          await docker(engine, ['pull', '-q', `${APP}:1`]);
          expect(await docker(engine, ['run', '--rm', `${APP}:1`, 'cat', '/word'])).toBe('hub');
          await docker(engine, ['rmi', `${APP}:1`]);
          if (turn === 1) fetched = registries.requests('hub', 'GET', 'blobs/');
        }
        expect(fetched).toBeGreaterThan(before);
        // BuildKit asks the same mirror, with `?ns=`.
        if (compareVersions(engine.apiVersion, '1.44') >= 0) {
          const input = `FROM ${APP}:1\nRUN cat /word >/copied\n`;
          const env = { DOCKER_BUILDKIT: '1' };
          await docker(engine, ['build', '-q', '--pull', '--no-cache', '-t', 'copied', '-'], { input, env });
          expect(await docker(engine, ['run', '--rm', 'copied', 'cat', '/copied'])).toBe('hub');
          await docker(engine, ['rmi', 'copied']);
        }
        expect(registries.requests('hub', 'GET', 'blobs/')).toBe(fetched);
      } finally {
        await engine.control?.configure({ 'registry-mirrors': [] });
        await site.stop();
        await engine.control?.stop();
      }
    });
  }
});
