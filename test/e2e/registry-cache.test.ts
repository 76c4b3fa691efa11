/**
 * Engines of each generation that pull through the registry cache by each of its ways: of registries with images of one
 * name, over HTTP and HTTPS, what is public and what is not. Each blob leaves its registry once.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  askEngine,
  canStartEngines,
  docker,
  dockerCli,
  hasRegistry,
  makeDockerConfig,
  startEngine,
  type TestEngine,
} from '../engines/index.ts';
import {
  APP,
  CLOSED,
  choosePlaces,
  DNS,
  HOSTS,
  ONE,
  OTHER,
  type Places,
  type Registries,
  type Site,
  serve,
  startRegistries,
} from './registry-site.ts';

const NAMES = ['20.10-pulls', '26.1-pulls', '28.5-pulls', '28.5-containerd-pulls'] as const;
/** A tag for each way, since an engine that has had an image would not ask for it again. */
const TAGS = [
  'mirrors',
  'hosts',
  'prefix',
  'login',
  'proxy',
  'dns',
  'gateway',
  'build',
  'build-dns',
  'hosts-build',
  'gone',
];

describe.skipIf(!hasRegistry() || !canStartEngines())('the registry cache', () => {
  let registries: Registries;
  let engines: ReadonlyMap<string, TestEngine> = new Map();
  let site: Site;
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berthgate-pulls-'));
    // Engines ask what is on loopback for no certificate.
    const outside = Object.values(networkInterfaces()).flatMap((all = []) => all);
    const names = outside.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    const chosen = await choosePlaces();
    const places: Places = { ...chosen, names: names ?? chosen.names };
    const hosts = join(folder, 'hosts');
    await writeFile(
      hosts,
      ['127.0.0.1 localhost', ...Object.values(DNS).map((name) => `${places.names} ${name}`), ''].join('\n'),
    );
    const environment = [
      `HTTPS_PROXY=http://${places.proxy}`,
      'NO_PROXY=localhost,127.0.0.0/8,::1,.dns.example.org,.hosts.example.org',
      `SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:${folder}`,
    ];
    const [started, ready] = await Promise.all([
      Promise.all(NAMES.map((name) => startEngine(name, { environment, hosts }))),
      startRegistries(),
    ]);
    registries = ready;
    for (const tag of TAGS) await registries.put(tag);
    engines = new Map(started.map((engine) => [engine.name, engine]));
    site = await serve(started, registries, places);
    await writeFile(join(folder, 'ca.crt'), await (await fetch(`http://${site.proxy}/ca.crt`)).text());
    const said = await (await fetch(`http://${site.proxy}/setup/systemd`)).text();
    expect(said).toContain(`Environment=${environment[0]}\n`);
  });
  afterAll(async () => {
    await site?.stop();
    await registries?.stop();
    await Promise.all([...engines.values()].map((engine) => engine.control?.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  /** What an image says of itself; it is gone afterwards. */
  async function word(host: string | TestEngine, image: string, config?: string): Promise<string> {
    const env: Record<string, string> = config === undefined ? {} : { DOCKER_CONFIG: config };
    await docker(host, ['pull', '-q', image], { env });
    const at = typeof host === 'string' ? host : host.host;
    const { text } = await askEngine(at, 'GET', `/images/${image}/json`);
    await askEngine(at, 'DELETE', `/images/${image}`);
    return JSON.parse(text).Config.Labels.word;
  }

  async function login(host: string | TestEngine, registry: string, user = 'alice'): Promise<string> {
    const config = makeDockerConfig();
    const env = { DOCKER_CONFIG: config };
    await docker(host, ['login', '-u', user, '--password-stdin', registry], { env, input: 'secret' });
    return config;
  }

  async function expectRefused(host: string | TestEngine, image: string): Promise<void> {
    const { code, stderr } = await dockerCli(host, ['pull', image]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/unauthorized|denied|no basic auth|authorization failed|401/);
  }

  describe.each(NAMES)('with an engine [%s]', (name) => {
    const engine = (): TestEngine => engines.get(name) as TestEngine;

    test('registry-mirrors: what Docker Hub has', async () => {
      await engine().control?.configure({ 'registry-mirrors': [`http://${site.mirror}`] });
      expect(await word(engine(), `${APP}:mirrors`)).toBe('hub');
    });

    // Engines read these files where BuildKit or containerd asks for images, from 25.0 on.
    test.runIf(name.startsWith('28.5'))('hosts.toml: any registry, and no way to what is private', async () => {
      const setup = await (await fetch(`http://${site.proxy}/setup/containerd`)).text();
      for (const registry of Object.values(HOSTS)) {
        const certs = join(dirname(engine().socket), 'etc/certs.d', registry);
        await mkdir(certs, { recursive: true });
        await writeFile(join(certs, 'hosts.toml'), setup);
      }
      if (engine().keepsImagesInContainerd) {
        expect(await word(engine(), `${HOSTS.one}/${APP}:hosts`)).toBe('one');
        expect((await dockerCli(engine(), ['pull', `${HOSTS.closed}/${APP}:hosts`])).code).not.toBe(0);
      }
      expect(await built([`${HOSTS.one}/${APP}:hosts-build`])).toEqual(['one']);
    });

    test('the registry in the name: images of one name are two', async () => {
      expect(await word(engine(), `${site.mirror}/${ONE}/${APP}:prefix`)).toBe('one');
      expect(await word(engine(), `${site.mirror}/${OTHER.replace(':', '__')}/${APP}:prefix`)).toBe('other');
      await expectRefused(engine(), `${site.mirror}/${CLOSED}/${APP}:prefix`);
    });

    test('the registry in the name, with its password', async () => {
      const closed = `${site.login}/${CLOSED}/${APP}:login`;
      const config = await login(engine(), site.login, `${CLOSED}/alice`);
      expect(await word(engine(), closed, config)).toBe('closed');
      expect(await word(engine(), `${site.login}/${ONE}/${APP}:login`, config)).toBe('one');
      expect(await word(engine(), `${site.login}/${ONE}/${APP}:login`)).toBe('one');
      await expectRefused(engine(), closed);
    });

    test('the proxy: each registry by its own name, and what is private with its password', async () => {
      expect(await word(engine(), `${ONE}/${APP}:proxy`)).toBe('one');
      expect(await word(engine(), `${OTHER}/${APP}:proxy`)).toBe('other');
      const config = await login(engine(), CLOSED);
      expect(await word(engine(), `${CLOSED}/${APP}:proxy`, config)).toBe('closed');
      await expectRefused(engine(), `${CLOSED}/${APP}:proxy`);
    });

    test('DNS: the same without a proxy', async () => {
      expect(await word(engine(), `${DNS.one}/${APP}:dns`)).toBe('one');
      const config = await login(engine(), DNS.closed);
      expect(await word(engine(), `${DNS.closed}/${APP}:dns`, config)).toBe('closed');
      await expectRefused(engine(), `${DNS.closed}/${APP}:dns`);
    });

    test('a namespace: each registry by its own name, and what is private only with its own password', async () => {
      const [alice, bob] = [site.socket('alice', engine()), site.socket('bob', engine())];
      expect(await word(alice, `${ONE}/${APP}:gateway`)).toBe('one');
      expect(await word(bob, `${OTHER}/${APP}:gateway`)).toBe('other');
      const config = await login(alice, CLOSED);
      expect(await word(alice, `${CLOSED}/${APP}:gateway`, config)).toBe('closed');
      await expectRefused(bob, `${CLOSED}/${APP}:gateway`);
    });

    test('BuildKit: one build from images by each way', async () => {
      const [hub, prefix] = [`${APP}:build`, `${site.mirror}/${ONE}/${APP}:build`];
      const [proxy, dns] = [`${OTHER}/${APP}:build`, `${DNS.one}/${APP}:build-dns`];
      expect(await built([hub, prefix, proxy, dns])).toEqual(['hub', 'one', 'other', 'one']);
    });

    /** What images say of themselves in a build from all of them. */
    async function built(images: readonly string[]): Promise<readonly string[]> {
      const input = [
        ...images.map((image, i) => `FROM ${image} AS from${i}`),
        'FROM scratch',
        ...images.map((_, i) => `COPY --from=from${i} /word /${i}`),
      ].join('\n');
      const made = await mkdtemp(join(folder, 'built-'));
      await docker(engine(), ['build', '-q', '--no-cache', '-o', made, '-'], { input, env: { DOCKER_BUILDKIT: '1' } });
      return Promise.all(images.map((_, i) => readFile(join(made, String(i)), 'utf8')));
    }
  });

  test('each blob was asked of its registry once', () => {
    for (const { log } of Object.values(registries.by)) {
      const asked = [...log().matchAll(/"GET (\/v2\/\S+\/blobs\/\S+) /g)].map(([, path]) => path);
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.sort()).toEqual([...new Set(asked)].sort());
    }
  });

  test('with the registry gone, what was pulled is there, and what was not is an error that names it', async () => {
    const engine = engines.get('28.5-pulls') as TestEngine;
    expect(await word(engine, `${site.mirror}/${ONE}/${APP}:gone`)).toBe('one');
    await registries.by.one.stop();
    expect(await word(engine, `${site.mirror}/${ONE}/${APP}:gone`)).toBe('one');
    const missing = await dockerCli(engine, ['pull', `${site.mirror}/${ONE}/${APP}:none`]);
    expect(missing.stderr).toContain(`the registry ${ONE} cannot be reached`);
    // Also what is private, for who had the right to it.
    const config = await login(engine, CLOSED);
    await registries.by.closed.stop();
    expect(await word(engine, `${CLOSED}/${APP}:proxy`, config)).toBe('closed');
    await expectRefused(engine, `${CLOSED}/${APP}:proxy`);
  });
});
