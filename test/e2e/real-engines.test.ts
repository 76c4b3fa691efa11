// The ground that every end-to-end test stands on: engines, commands and registry are what the tests take them for.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  askEngine,
  canStartEngines,
  compareVersions,
  describeEachEngine,
  docker,
  dockerCli,
  dockerClis,
  engines,
  freePort,
  hasRegistry,
  makeDockerConfig,
  newestEngine,
  run,
  spawnDocker,
  startEngine,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';

/** Names of this run only: somebody else may use the same engine. */
function ownName(what: string): string {
  return `ground-${process.pid}-${what}`;
}

describeEachEngine('a real engine', (engine) => {
  test('says its version and what it can do', async () => {
    expect((await askEngine(engine.host, 'GET', '/_ping')).text).toBe('OK');
    if (engine.control !== undefined) expect(engine.version).toMatch(new RegExp(`^${engine.name}\\.`));
    expect(engine.hasSubpaths).toBe(compareVersions(engine.apiVersion, '1.45') >= 0);
    expect(engine.hasBuildKit).toBe(true);
    expect(engine.keepsImagesInContainerd).toBe(false);
  });

  test('runs busybox with every docker command, and takes its input', async () => {
    for (const cli of dockerClis) {
      const result = await dockerCli(engine, ['run', '--rm', '-i', 'busybox', 'tr', 'a-z', 'A-Z'], {
        cli,
        input: 'berthgate\n',
      });
      expect(result, cli.name).toMatchObject({ code: 0, stdout: 'BERTHGATE\n' });
    }
  });

  test('gives the exit code of the container', async () => {
    expect((await dockerCli(engine, ['run', '--rm', 'busybox', 'sh', '-c', 'exit 7'])).code).toBe(7);
  });

  test('sees the temporary folder at the same path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-ground-'));
    await writeFile(join(folder, 'file'), 'from the host');
    expect(await docker(engine, ['run', '--rm', '-v', `${folder}:/here`, 'busybox', 'cat', '/here/file'])).toBe(
      'from the host',
    );
    await rm(folder, { recursive: true });
  });

  test('publishes ports on the host, and lets containers of a network find each other', async () => {
    const [network, web] = [ownName('net'), ownName('web')];
    await docker(engine, ['network', 'create', '--subnet', `${engine.subnetPrefix}.77.0/24`, network]);
    await docker(
      engine,
      'run -d -p 127.0.0.1::80 --network'
        .split(' ')
        .concat(network, '--name', web, 'busybox')
        .concat('httpd -f -h /etc'.split(' ')),
    );
    const address = await docker(engine, ['port', web, '80']);
    const root = /^root:/;
    expect(await (await fetch(`http://${address}/passwd`, { signal: AbortSignal.timeout(10_000) })).text()).toMatch(
      root,
    );
    expect(
      await docker(engine, ['run', '--rm', '--network', network, 'busybox', 'wget', '-qO-', `http://${web}/passwd`]),
    ).toMatch(root);
    await docker(engine, ['rm', '-f', web]);
    await docker(engine, ['network', 'rm', network]);
  });

  test('builds with BuildKit and with the classic builder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-ground-'));
    await writeFile(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo built > /word\nCMD ["cat", "/word"]\n');
    for (const kit of ['1', '0']) {
      const name = ownName(`image-${kit}`);
      await docker(engine, ['build', '-t', name, folder], { env: { DOCKER_BUILDKIT: kit } });
      expect(await docker(engine, ['run', '--rm', name])).toBe('built');
      await docker(engine, ['rmi', name]);
    }
    await rm(folder, { recursive: true });
  });

  test('brings compose projects up and down', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-ground-'));
    await writeFile(
      join(folder, 'compose.yaml'),
      'services:\n  one:\n    image: busybox\n    command: echo composed\n',
    );
    const compose = ['compose', '--project-name', ownName('compose'), '--project-directory', folder];
    const { code, stdout } = await dockerCli(engine, [...compose, 'up']);
    expect(code).toBe(0);
    expect(stdout).toContain('composed');
    await docker(engine, [...compose, 'down']);
    await rm(folder, { recursive: true });
  });
});

describe.skipIf(!hasRegistry() || engines().length === 0)('a registry on loopback', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    const { stdout } = await run('htpasswd', ['-nbB', 'alice', 'secret']);
    registry = await startRegistry({ htpasswd: stdout, port: await freePort() });
  });
  afterAll(() => registry.stop());

  test.for(engines())('takes and gives images, only to those who logged in [$name]', async (engine: TestEngine) => {
    const image = `${registry.host}/ground/${engine.name}:1`;
    const env = { DOCKER_CONFIG: makeDockerConfig() };
    await docker(engine, ['tag', 'busybox', image]);
    expect((await dockerCli(engine, ['push', image], { env })).code).not.toBe(0);
    await docker(engine, ['login', '-u', 'alice', '--password-stdin', registry.host], { env, input: 'secret' });
    await docker(engine, ['push', image], { env });
    await docker(engine, ['rmi', image]);
    await docker(engine, ['pull', image], { env });
    await docker(engine, ['rmi', image]);
    expect(registry.log()).toContain(`/v2/ground/${engine.name}/manifests/1`);
  });
});

describe.skipIf(!canStartEngines())('an engine of its own', () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await startEngine('20.10-faults');
  });
  afterAll(() => engine.control?.stop());

  test('is killed under its clients, comes back, and knows its containers', async () => {
    const name = ownName('survivor');
    await docker(engine, ['run', '-d', '--init', '--name', name, '--restart', 'always', 'busybox', 'sleep', '600']);
    const events = spawnDocker(engine, ['events']);
    const ended = new Promise((resolve) => events.once('close', resolve));
    await engine.control?.kill();
    await ended;
    await expect(askEngine(engine.host, 'GET', '/_ping')).rejects.toThrow();
    await engine.control?.start();
    expect(await docker(engine, ['exec', name, 'echo', 'back'])).toBe('back');
  });

  test('takes new settings while it runs', async () => {
    await engine.control?.configure({ 'registry-mirrors': ['http://127.0.0.1:9/'] });
    expect((await askEngine(engine.host, 'GET', '/info')).text).toContain('http://127.0.0.1:9/');
  });

  test('leaves the others alone', async () => {
    const other = newestEngine();
    expect(other?.name).not.toBe(engine.name);
    expect((await askEngine(other?.host ?? '', 'GET', '/_ping')).text).toBe('OK');
  });
});
