/** Clients that know nothing of Berthgate: skopeo by the proxy and by DNS, containerd by `hosts.toml` with `?ns=`. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run as command, hasRegistry, newestEngine, type TestEngine } from '../engines/index.ts';
import { APP, CLOSED, ONE, OTHER, type Registries, type Site, serve, startRegistries } from './registry-site.ts';

const engine = newestEngine();
const SKOPEO = '/usr/bin/skopeo';
const CTR = '/usr/bin/ctr';
const containerd = engine?.socket.replace(/docker\.sock$/, 'exec/containerd/containerd.sock') ?? '';

describe.skipIf(!hasRegistry() || engine === undefined)('the registry cache', () => {
  let registries: Registries;
  let site: Site;
  let folder = '';
  beforeAll(async () => {
    registries = await startRegistries(engine as TestEngine);
    site = await serve(engine as TestEngine, registries);
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

  /** Gives what is in the image's own layer, or what skopeo says where it cannot have it. */
  async function copy(image: string, way: 'proxy' | 'dns' | 'prefix', credentials = ''): Promise<string> {
    const to = await mkdtemp(join(folder, 'copy-'));
    const creds = credentials === '' ? ['--src-no-creds'] : ['--src-creds', credentials];
    const insecure = way === 'prefix' ? ['--src-tls-verify=false'] : [];
    const args = ['copy', '-q', ...creds, ...insecure, `docker://${image}`, `dir:${to}`];
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      SSL_CERT_FILE: join(folder, 'ca.crt'),
      ...(way === 'proxy' ? { HTTPS_PROXY: `http://${site.proxy}` } : {}),
    };
    const bound = [
      '-m',
      'sh',
      '-c',
      'mount --bind "$0" /etc/hosts && exec "$@"',
      join(folder, 'hosts'),
      SKOPEO,
      ...args,
    ];
    const { code, stderr } =
      way === 'dns' ? await command('unshare', bound, { env }) : await command(SKOPEO, args, { env });
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
      // A configuration, busybox and a layer of its own, for both ways and all turns.
      expect(registries.requests('one', 'GET', 'blobs/')).toBe(3);
      expect(registries.requests('closed', 'GET', 'blobs/')).toBe(3);
    });
  }

  test.skipIf(!existsSync(SKOPEO))('skopeo pulls by names that begin with the registry', async () => {
    expect(await copy(`${site.mirror}/${ONE}/${APP}:1`, 'prefix')).toBe('one');
    expect(await copy(`${site.mirror}/${OTHER.replace(':', '__')}/${APP}:1`, 'prefix')).toBe('other');
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

  test.skipIf(!existsSync(CTR) || !existsSync(containerd))(
    'containerd pulls by hosts.toml, any registry, and goes round it for what is private',
    async () => {
      const hosts = join(folder, 'certs.d');
      await mkdir(join(hosts, '_default'), { recursive: true });
      const setup = await (await fetch(`http://${site.proxy}/setup/containerd`)).text();
      await writeFile(join(hosts, '_default/hosts.toml'), setup);
      const space = `berthgate-${APP.split('-').at(-1)}`;
      const ctr = (...args: string[]) => command(CTR, ['-a', containerd, '-n', space, ...args]);
      try {
        for (const name of [ONE, OTHER]) {
          const pulled = await ctr('images', 'pull', '--hosts-dir', hosts, `${name}/${APP}:1`);
          expect(pulled).toMatchObject({ code: 0 });
        }
        const listed = (await ctr('images', 'ls', '-q')).stdout;
        expect(listed).toContain(`${ONE}/${APP}:1`);
        expect((await ctr('images', 'pull', '--hosts-dir', hosts, `${CLOSED}/${APP}:1`)).code).not.toBe(0);
      } finally {
        for (const name of [ONE, OTHER]) await ctr('images', 'rm', '--sync', `${name}/${APP}:1`);
        for (const digest of (await ctr('content', 'ls', '-q')).stdout.split('\n').filter(Boolean))
          await ctr('content', 'rm', digest);
        for (const key of (await ctr('snapshots', 'ls')).stdout
          .split('\n')
          .slice(1)
          .map((line) => line.split(' ')[0] ?? '')) {
          if (key !== '') await ctr('snapshots', 'rm', key);
        }
        await ctr('namespaces', 'rm', space);
      }
    },
  );
});
