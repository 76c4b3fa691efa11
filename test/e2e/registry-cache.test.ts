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
import { LIES } from './lying-registry.ts';
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
const TAGS = ['mirrors', 'hosts', 'prefix', 'login', 'proxy', 'dns', 'gateway', 'build', 'build-dns', 'hosts-build'];

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

    test('a push by the proxy and by DNS: only with the password, and what was pushed is pulled', async () => {
      for (const registry of [CLOSED, DNS.closed]) {
        const image = `${registry}/${APP}-of-${name.replace(/[^a-z0-9]/g, '')}:pushed`;
        await docker(engine(), ['tag', 'busybox:latest', image]);
        const stranger = await dockerCli(engine(), ['push', image]);
        expect(stranger.code).not.toBe(0);
        expect(stranger.stderr).toMatch(/no basic auth|unauthorized|denied|authorization failed|401/);
        const env = { DOCKER_CONFIG: await login(engine(), registry) };
        const said = await docker(engine(), ['push', image], { env });
        const [digest] = /sha256:[0-9a-f]{64}(?= size)/.exec(said) ?? [];
        await docker(engine(), ['rmi', image]);
        expect(await docker(engine(), ['pull', image], { env })).toContain(`Digest: ${digest}`);
        await docker(engine(), ['rmi', image]);
      }
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

  const eachEngine = (check: (engine: TestEngine, slug: string) => Promise<unknown>): Promise<unknown> =>
    Promise.all([...engines.values()].map((engine) => check(engine, engine.name.replace(/[^a-z0-9]/g, ''))));

  test('of a registry that lies nothing false is had, and what is true afterwards is', async () => {
    const { liar } = registries;
    const lies = {
      'wrong-bytes': /EOF|answers with other bytes than sha256:/,
      'short-bytes': /EOF|answers with other bytes than sha256:/,
      'wrong-digest': /answers with other bytes than sha256:0000|manifest unknown|:0{64} not found/,
      'redirect-loop': /redirects too often/,
    };
    await eachEngine((engine, slug) =>
      Promise.all(
        (Object.keys(lies) as (keyof typeof lies)[]).map(async (lie) => {
          const tag = `${lie}-${slug}`;
          await registries.putTrue(tag);
          const image = `${site.mirror}/${LIES}/lies/${lie}/${slug}:${tag}`;
          const { code, stderr } = await dockerCli(engine, ['pull', image]);
          expect({ lie, code }).toEqual({ lie, code: 1 });
          expect(stderr).toMatch(lies[lie]);
          // The control: it was for the lie alone, of which nothing was kept.
          expect(liar.told).toContain(tag);
          liar.honest.add(tag);
          expect(await word(engine, image)).toBe('true');
        }),
      ),
    );
  });

  test('a password goes along no redirect and to no foreign realm, and signatures that have died are asked for anew', async () => {
    const { liar } = registries;
    const auth = Buffer.from('alice:secret').toString('base64');
    const shown = () => liar.askedElsewhere.filter(({ authorization }) => authorization === `Basic ${auth}`);
    await eachEngine(async (engine, slug) => {
      const [alice, config] = [site.socket('alice', engine), makeDockerConfig()];
      await writeFile(join(config, 'config.json'), JSON.stringify({ auths: { [LIES]: { auth } } }));
      await registries.putTrue(`dead-signature-${slug}`);
      const image = `${LIES}/lies/dead-signature/${slug}:dead-signature-${slug}`;
      expect(await word(alice, image, config)).toBe('true');
      expect(liar.told).toContain(`dead-signature-${slug}`);
      const env = { DOCKER_CONFIG: config };
      const { stderr } = await dockerCli(alice, ['pull', `${LIES}/lies/foreign-realm/${slug}:1`], { env });
      expect(stderr).toContain('they were not sent');
    });
    expect(liar.asked.some(({ authorization }) => authorization === `Basic ${auth}`)).toBe(true);
    expect(liar.askedElsewhere.length).toBeGreaterThan(0);
    expect(liar.askedElsewhere.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    // The control: an engine by itself shows it to whom it is sent to.
    const env = { DOCKER_CONFIG: makeDockerConfig() };
    const [engine] = engines.values();
    await dockerCli(engine as TestEngine, ['login', '-u', 'alice', '--password-stdin', liar.host], {
      input: 'secret',
      env,
    });
    expect(shown()).not.toEqual([]);
  });

  test('a registry with no pulls left, or asked too much at once: what is there is given, the rest is not said to be missing', async () => {
    const { liar } = registries;
    await eachEngine(async (engine, slug) => {
      for (const lie of ['no-pulls-left', 'too-many-at-once'] as const) {
        const tag = `${lie}-${slug}`;
        await registries.putTrue(tag);
        const image = `${site.mirror}/${LIES}/lies/${lie}/${slug}`;
        liar.honest.add(tag);
        expect(await word(engine, `${image}:${tag}`)).toBe('true');
        liar.honest.delete(tag);
        expect(await word(engine, `${image}:${tag}`)).toBe('true');
        const { code, stderr } = await dockerCli(engine, ['pull', `${image}:gone`]);
        expect({ lie, code }).toEqual({ lie, code: 1 });
        expect(stderr).toContain(`the registry ${LIES} has had too many requests (429)`);
        expect(liar.told).toContain(tag);
      }
    });
    const told = site.log().filter(({ msg }) => msg === 'the registry has few pulls left');
    expect(told).toMatchObject([
      { level: 'warn', registry: LIES, account: 'none', limit: 100, remaining: 9 },
      { level: 'warn', registry: LIES, account: 'clients' },
    ]);
  });

  test('each blob was asked of its registry once', () => {
    for (const { log } of Object.values(registries.by)) {
      const asked = [...log().matchAll(/"GET (\/v2\/team\/cached-\S+\/blobs\/\S+) /g)].map(([, path]) => path);
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.sort()).toEqual([...new Set(asked)].sort());
    }
  });

  test('with the registries gone, what was pulled is there by each way, and what was not is an error that names its registry', async () => {
    // While it can be asked. A login is to the registry itself.
    const config = await login(engines.get('28.5-pulls') as TestEngine, CLOSED);
    await Promise.all(Object.values(registries.by).map((registry) => registry.stop()));
    await eachEngine(async (engine) => {
      const alice = site.socket('alice', engine);
      const ways: readonly (readonly [string, TestEngine | string, string, string, string])[] = [
        ['mirrors', engine, 'docker.io', APP, 'hub'],
        ...(engine.keepsImagesInContainerd
          ? ([['hosts', engine, HOSTS.one, `${HOSTS.one}/${APP}`, 'one']] as const)
          : []),
        ['prefix', engine, ONE, `${site.mirror}/${ONE}/${APP}`, 'one'],
        ['proxy', engine, ONE, `${ONE}/${APP}`, 'one'],
        ['dns', engine, DNS.one, `${DNS.one}/${APP}`, 'one'],
        ['gateway', alice, ONE, `${ONE}/${APP}`, 'one'],
      ];
      for (const [way, host, registry, name, said] of ways) {
        expect(await word(host, `${name}:${way}`)).toBe(said);
        const { code, stderr } = await dockerCli(host, ['pull', `${name}:none`]);
        expect({ way, code }).toEqual({ way, code: 1 });
        // By a mirror without the image, an engine goes to the registry itself at last.
        if (way !== 'hosts') expect(stderr).toContain(`the registry ${registry} cannot be reached`);
        else expect(stderr).toContain(registry);
      }
      // Also what is private, for who had the right to it.
      expect(await word(engine, `${CLOSED}/${APP}:proxy`, config)).toBe('closed');
      await expectRefused(engine, `${CLOSED}/${APP}:proxy`);
    });
  });
});
