/** Clients that know nothing of Berthgate, by each way that they have: skopeo, and containerd's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run as command, hasRegistry, newestEngine, type TestEngine } from '../engines/index.ts';
import {
  APP,
  CLOSED,
  choosePlaces,
  HOSTS,
  ONE,
  OTHER,
  type Registries,
  type Site,
  serve,
  startRegistries,
} from './registry-site.ts';

const engine = newestEngine();
const SKOPEO = '/usr/bin/skopeo';
const CTR = '/usr/bin/ctr';
const containerd = engine?.socket.replace(/docker\.sock$/, 'exec/containerd/containerd.sock') ?? '';

/** No package of Debian has it. */
function hasBuildKit(): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['buildkitd', 'buildctl', 'runc'].every((name) => folders.some((one) => existsSync(join(one, name))));
}

describe.skipIf(!hasRegistry() || engine === undefined)('the registry cache', () => {
  let registries: Registries;
  let site: Site;
  let folder = '';
  beforeAll(async () => {
    registries = await startRegistries();
    for (const tag of ['1', 'hosts', 'prefix', 'proxy', 'dns']) await registries.put(tag);
    site = await serve([engine as TestEngine], registries, await choosePlaces());
    folder = await mkdtemp(join(tmpdir(), 'berthgate-clients-'));
    await writeFile(join(folder, 'ca.crt'), await (await fetch(`http://${site.proxy}/ca.crt`)).text());
    const hosts = [ONE, OTHER.replace(/:.*/, ''), CLOSED].map((name) => `${site.names} ${name}\n`).join('');
    await writeFile(join(folder, 'hosts'), hosts);
  });
  afterAll(async () => {
    await site?.stop();
    await registries?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  type Way = 'proxy' | 'dns' | 'mirror';

  const environmentOf = (way: Way): Record<string, string> => ({
    SSL_CERT_FILE: join(folder, 'ca.crt'),
    ...(way === 'proxy' ? { HTTPS_PROXY: `http://${site.proxy}` } : {}),
  });

  /** As the program would be run on a host that is set up for the way. */
  function runAs(way: Way, program: string, args: readonly string[]): ReturnType<typeof command> {
    const env = { PATH: process.env.PATH ?? '', HOME: folder, ...environmentOf(way) };
    if (way !== 'dns') return command(program, args, { env });
    const bind = 'mount --bind "$0" /etc/hosts && exec "$@"';
    return command('unshare', ['-m', 'sh', '-c', bind, join(folder, 'hosts'), program, ...args], { env });
  }

  /** The same for what goes on until it is ended. */
  function startAs(way: 'proxy', program: string, args: readonly string[]): ChildProcess {
    const env = { PATH: process.env.PATH ?? '', HOME: folder, ...environmentOf(way) };
    return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { env, stdio: 'ignore' });
  }

  /** Gives what is in the image's own layer, or what skopeo says where it cannot have it. */
  async function copy(image: string, way: Way, credentials = ''): Promise<string> {
    const to = await mkdtemp(join(folder, 'copy-'));
    const creds = credentials === '' ? ['--src-no-creds'] : ['--src-creds', credentials];
    const insecure = way === 'mirror' ? ['--src-tls-verify=false'] : [];
    const args = ['copy', '-q', ...creds, ...insecure, `docker://${image}`, `dir:${to}`];
    const { code, stderr } = await runAs(way, SKOPEO, args);
    if (code !== 0) return stderr;
    const words: string[] = [];
    for (const name of await readdir(to)) {
      const { stdout } = await command('tar', ['-xOzf', join(to, name), 'word']);
      if (stdout !== '') words.push(stdout.trim());
    }
    return words.join();
  }

  for (const way of ['proxy', 'dns'] as const) {
    test.skipIf(!existsSync(SKOPEO))(`skopeo pulls by the registries' own names (${way})`, async () => {
      for (let turn = 0; turn < 2; turn++) {
        expect(await copy(`${ONE}/${APP}:1`, way)).toBe('one');
        expect(await copy(`${CLOSED}/${APP}:1`, way, 'alice:secret')).toBe('closed');
      }
      // A name with a port is reached through the proxy; DNS tells of no ports.
      if (way === 'proxy') expect(await copy(`${OTHER}/${APP}:1`, way)).toBe('other');
      expect(await copy(`${CLOSED}/${APP}:1`, way)).toMatch(/unauthorized|authentication required/);
      expect(await copy(`${CLOSED}/${APP}:1`, way, 'alice:wrong')).toMatch(/unauthorized|authentication required/);
      // A configuration and a layer, for both ways and all turns.
      expect(registries.requests('one', 'GET', 'blobs/')).toBe(2);
      expect(registries.requests('closed', 'GET', 'blobs/')).toBe(2);
    });
  }

  test.skipIf(!existsSync(SKOPEO))('skopeo pulls by names that begin with the registry', async () => {
    expect(await copy(`${site.mirror}/${ONE}/${APP}:1`, 'mirror')).toBe('one');
    expect(await copy(`${site.mirror}/${OTHER.replace(':', '__')}/${APP}:1`, 'mirror')).toBe('other');
  });

  test.skipIf(!existsSync(SKOPEO))('skopeo pulls by such names with the password of the registry', async () => {
    const closed = `${site.login}/${CLOSED}/${APP}:1`;
    expect(await copy(closed, 'mirror', `${CLOSED}/alice:secret`)).toBe('closed');
    // A password for another registry, or for none, is shown to nobody.
    for (const credentials of ['', `${CLOSED}/alice:wrong`, `${ONE}/alice:secret`, 'alice:secret'])
      expect(await copy(closed, 'mirror', credentials)).toMatch(/unauthorized|denied|authentication required/);
  });

  test.skipIf(!existsSync(SKOPEO))('skopeo pulls by mirrors in registries.conf', async () => {
    const mirrors = [
      ['docker.io', site.mirror],
      [HOSTS.one, `${site.mirror}/${HOSTS.one}`],
    ];
    const conf = mirrors.map(
      ([name, at]) => `[[registry]]\nlocation = "${name}"\n[[registry.mirror]]\nlocation = "${at}"\ninsecure = true\n`,
    );
    await mkdir(join(folder, '.config/containers'), { recursive: true });
    await writeFile(join(folder, '.config/containers/registries.conf'), conf.join(''));
    expect(await copy(`docker.io/${APP}:1`, 'mirror')).toBe('hub');
    expect(await copy(`${HOSTS.one}/${APP}:1`, 'mirror')).toBe('one');
  });

  test.skipIf(!existsSync(SKOPEO))('skopeo pushes through the proxy, and pulls what it has pushed', async () => {
    const from = join(folder, 'pushed');
    await mkdir(from);
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      SSL_CERT_FILE: join(folder, 'ca.crt'),
      HTTPS_PROXY: `http://${site.proxy}`,
    };
    const skopeo = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await command(SKOPEO, ['copy', '-q', ...args], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    };
    await skopeo('--src-creds', 'alice:secret', `docker://${CLOSED}/${APP}:1`, `dir:${from}`);
    await skopeo('--dest-creds', 'alice:secret', `dir:${from}`, `docker://${CLOSED}/team/pushed:1`);
    expect(await copy(`${CLOSED}/team/pushed:1`, 'proxy', 'alice:secret')).toBe('closed');
  });

  test.skipIf(!existsSync(CTR) || !existsSync(containerd))('containerd pulls by each way', async () => {
    const hosts = join(folder, 'certs.d');
    await mkdir(join(hosts, '_default'), { recursive: true });
    const setup = await (await fetch(`http://${site.proxy}/setup/containerd`)).text();
    await writeFile(join(hosts, '_default/hosts.toml'), setup);
    const space = `berthgate-${APP.split('-').at(-1)}`;
    const ctr = (way: Way, ...args: string[]) => runAs(way, CTR, ['-a', containerd, '-n', space, ...args]);
    const list = async (...args: string[]): Promise<string[]> =>
      (await ctr('mirror', ...args)).stdout.split('\n').filter(Boolean);
    /** What the image says of itself, or why it could not be had. */
    async function pull(way: Way, image: string, ...options: string[]): Promise<string> {
      const { code, stderr } = await ctr(way, 'images', 'pull', ...options, image);
      if (code !== 0) return stderr;
      const target = (await list('images', 'ls', `name==${image}`))[1]?.match(/sha256:\S+/)?.[0] ?? '';
      const manifest = JSON.parse((await ctr('mirror', 'content', 'get', target)).stdout);
      const config = JSON.parse((await ctr('mirror', 'content', 'get', manifest.config.digest)).stdout);
      return config.config.Labels.word;
    }
    const byHosts = ['--hosts-dir', hosts];
    const [prefixed, password] = [`${site.mirror}/${CLOSED}/${APP}:prefix`, ['--user', `${CLOSED}/alice:secret`]];
    try {
      expect(await pull('mirror', `${HOSTS.one}/${APP}:hosts`, ...byHosts)).toBe('one');
      expect(await pull('mirror', `${OTHER}/${APP}:hosts`, ...byHosts)).toBe('other');
      expect(await pull('mirror', `${HOSTS.closed}/${APP}:hosts`, ...byHosts)).toMatch(/failed to resolve/);
      expect(await pull('mirror', `${site.mirror}/${ONE}/${APP}:prefix`, '--plain-http')).toBe('one');
      expect(await pull('mirror', prefixed, '--plain-http', ...password)).toBe('closed');
      expect(await pull('mirror', prefixed, '--plain-http')).toMatch(/401|authorization failed/);
      for (const way of ['proxy', 'dns'] as const) {
        expect(await pull(way, `${ONE}/${APP}:${way}`)).toBe('one');
        expect(await pull(way, `${CLOSED}/${APP}:${way}`, '--user', 'alice:secret')).toBe('closed');
        expect(await pull(way, `${CLOSED}/${APP}:${way}`)).toMatch(/401|authorization failed/);
      }
    } finally {
      await ctr('mirror', 'images', 'rm', '--sync', ...(await list('images', 'ls', '-q')));
      const snapshots = (await list('snapshots', 'ls')).slice(1).map((line) => line.split(' ')[0] ?? '');
      for (const key of snapshots) await ctr('mirror', 'snapshots', 'rm', key);
      const contents = await list('content', 'ls', '-q');
      if (contents.length > 0) await ctr('mirror', 'content', 'rm', ...contents);
      await ctr('mirror', 'namespaces', 'rm', space);
    }
  });

  // From here on the registries go.
  test.skipIf(!hasBuildKit())(
    'BuildKit by itself pulls by each way, and with the registries gone what it has had (where buildkitd is on the PATH)',
    async () => {
      const at = await mkdtemp(join(folder, 'buildkit-'));
      const mirrored = [HOSTS.one, HOSTS.closed].map(
        (name) => `[registry."${name}"]\n  mirrors = ["${site.mirror}"]\n`,
      );
      const setup = await (await fetch(`http://${site.proxy}/setup/buildkit`)).text();
      await writeFile(join(at, 'buildkitd.toml'), [setup, ...mirrored, ''].join('\n'));
      const auth = (pair: string): object => ({ auth: Buffer.from(pair).toString('base64') });
      const auths = { [CLOSED]: auth('alice:secret'), [site.login]: auth(`${CLOSED}/alice:secret`) };
      await writeFile(join(at, 'config.json'), JSON.stringify({ auths }));
      const socket = `unix://${at}/buildkitd.sock`;
      const kept = ['--root', join(at, 'root'), '--oci-worker-snapshotter', 'native', '--oci-worker-net', 'host'];
      const daemon = startAs('proxy', 'buildkitd', ['--config', join(at, 'buildkitd.toml'), '--addr', socket, ...kept]);
      const buildctl = (config: string, ...args: string[]) =>
        command('buildctl', ['--addr', socket, ...args], {
          env: { PATH: process.env.PATH ?? '', HOME: at, DOCKER_CONFIG: config },
        });
      /** What the image says of itself in a build from it, or why it could not be had. */
      async function build(image: string, config = '/nonexistent'): Promise<string> {
        const [context, out] = [await mkdtemp(join(at, 'context-')), await mkdtemp(join(at, 'out-'))];
        await writeFile(
          join(context, 'Dockerfile'),
          `FROM ${image} AS base\nFROM scratch\nCOPY --from=base /word /word\n`,
        );
        const locals = ['--local', `context=${context}`, '--local', `dockerfile=${context}`];
        const { code, stderr } = await buildctl(
          config,
          ...['build', '--progress', 'plain', '--no-cache', '--frontend', 'dockerfile.v0', ...locals],
          ...['--output', `type=local,dest=${out}`],
        );
        return code === 0 ? await readFile(join(out, 'word'), 'utf8') : stderr;
      }
      // An image of its own for each way: of one that it has, BuildKit asks for no more than its digest.
      const prefixed = (registry: string): string => `${registry.replace(':', '__')}/${APP}:prefix`;
      async function buildAll(): Promise<void> {
        expect(await build(`${APP}:1`)).toBe('hub');
        expect(await build(`${HOSTS.one}/${APP}:hosts`)).toBe('one');
        expect(await build(`${site.mirror}/${prefixed(ONE)}`)).toBe('one');
        expect(await build(`${site.mirror}/${prefixed(OTHER)}`)).toBe('other');
        expect(await build(`${site.login}/${prefixed(CLOSED)}`, at)).toBe('closed');
        expect(await build(`${ONE}/${APP}:proxy`)).toBe('one');
        expect(await build(`${OTHER}/${APP}:proxy`)).toBe('other');
        expect(await build(`${CLOSED}/${APP}:proxy`, at)).toBe('closed');
        expect(await build(`${CLOSED}/${APP}:proxy`)).toMatch(/401|authorization failed/);
        expect(await build(`${HOSTS.closed}/${APP}:hosts`)).toMatch(/failed to resolve|no such host/);
      }
      try {
        await expect.poll(async () => (await buildctl(at, 'debug', 'workers')).code, { timeout: 60_000 }).toBe(0);
        await buildAll();
        const asked = () =>
          Object.values(registries.by).map(({ log }) => [...log().matchAll(/"GET \S+\/blobs\//g)].length);
        const before = asked();
        await buildctl(at, 'prune', '--all');
        await buildAll();
        expect(asked()).toEqual(before);
        await Promise.all(Object.values(registries.by).map((registry) => registry.stop()));
        await buildctl(at, 'prune', '--all');
        await buildAll();
        for (const image of [`${site.mirror}/${ONE}/${APP}`, `${HOSTS.one}/${APP}`, `${ONE}/${APP}`]) {
          expect(await build(`${image}:none`)).toMatch(/the registry one\.(hosts\.)?example\.org cannot be reached/);
        }
      } finally {
        daemon.kill('SIGTERM');
        await once(daemon, 'exit');
      }
    },
  );

  test.skipIf(!existsSync(SKOPEO))(
    'with the registries gone, skopeo has what was pulled, and is told what is not there',
    async () => {
      const ways = [
        ['proxy', `${ONE}/${APP}`, ONE],
        ['dns', `${ONE}/${APP}`, ONE],
        ['mirror', `${site.mirror}/${ONE}/${APP}`, ONE],
        ['mirror', `${HOSTS.one}/${APP}`, HOSTS.one],
      ] as const;
      await Promise.all(Object.values(registries.by).map((registry) => registry.stop()));
      await Promise.all(
        ways.map(async ([way, image, registry]) => {
          expect(await copy(`${image}:1`, way)).toBe('one');
          expect(await copy(`${image}:none`, way)).toContain(`the registry ${registry} cannot be reached`);
        }),
      );
      // What is private, for who had the right to it.
      const closed = `${site.login}/${CLOSED}/${APP}:1`;
      expect(await copy(closed, 'mirror', `${CLOSED}/alice:secret`)).toBe('closed');
      expect(await copy(closed, 'mirror', `${CLOSED}/alice:wrong`)).toContain(
        `the registry ${CLOSED} cannot be reached`,
      );
    },
  );
});
