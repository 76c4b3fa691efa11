// Two users build with BuildKit on one engine, each in a namespace: their names, their images, a private registry, and no cache in common.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import {
  type CommandResult,
  run as command,
  describeEachEngine,
  docker,
  dockerCli,
  freePort,
  hasRegistry,
  makeDockerConfig,
  startRegistry,
  type TestRegistry,
} from '../engines/index.ts';

type Who = 'alice' | 'bob' | 'denied' | 'listed';

const HOST = 'r.example.org:5000';
const run = randomBytes(3).toString('hex');
const folder = mkdtempSync(join(tmpdir(), 'berthgate-ns-builds-'));

let registry: TestRegistry | undefined;

beforeAll(async () => {
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  registry = await startRegistry({ htpasswd });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await registry?.stop();
});

function context(files: Readonly<Record<string, string>>): string {
  const own = mkdtempSync(join(folder, 'context-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, name)), { recursive: true });
    writeFileSync(join(own, name), text);
  }
  return own;
}

describe.skipIf(!hasRegistry())('builds by BuildKit in namespaces', () => {
  describeEachEngine(
    'on an engine',
    (engine) => {
      const [mine, theirs] = [`bld-${run}`, `bld-${run}-b`];
      let served: Awaited<ReturnType<typeof serveListeners<Who>>> | undefined;
      let gateway = '';
      // Alice can log in to the registry; Bob has nothing to show.
      const shown = makeDockerConfig();
      const configs = { alice: shown, bob: makeDockerConfig(), denied: shown, listed: shown };
      writeFileSync(
        join(configs.alice, 'config.json'),
        JSON.stringify({ auths: { [HOST]: { auth: Buffer.from('alice:secret').toString('base64') } } }),
      );
      const at = (who: Who, ...args: readonly string[]): Promise<CommandResult> =>
        dockerCli(`unix://${served?.sockets[who]}`, args, { timeoutMs: 120_000, env: { DOCKER_CONFIG: configs[who] } });
      const done = async (who: Who, ...args: readonly string[]): Promise<string> => {
        const { code, stdout, stderr } = await at(who, ...args);
        expect(code, `docker ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
        return stdout + stderr;
      };
      const build = (who: Who, dockerfile: string, ...args: readonly string[]): Promise<CommandResult> =>
        at(who, 'build', '--progress', 'plain', ...args, context({ Dockerfile: dockerfile, file: 'a file' }));
      const built = async (who: Who, dockerfile: string, ...args: readonly string[]): Promise<string> => {
        const { code, stdout, stderr } = await build(who, dockerfile, ...args);
        expect(code, stdout + stderr).toBe(0);
        // Nothing of the engine's names is told.
        expect(stdout + stderr).not.toMatch(/127\.0\.0\.|u_image|c_[0-9a-f]{40}/);
        return stdout + stderr;
      };

      beforeAll(async () => {
        gateway = `127.0.0.1:${await freePort()}`;
        served = await serveListeners(
          engine.host,
          {
            alice: { namespace: mine, policies: ['conservative'] },
            bob: { namespace: theirs, policies: ['conservative'] },
            denied: { namespace: `${mine}-d`, policies: [{ use: 'images', build: { deny: [`${HOST}/**`] } }] },
            listed: { namespace: `${mine}-l`, policies: [{ use: 'images', build: { allow: ['busybox', 'team/*'] } }] },
          },
          {
            engines: [{ name: 'engine', url: engine.host, gateway }],
            images: { shared: ['busybox'] },
            registry: { upstreams: [{ host: HOST, url: registry?.url }] },
            firewall: { apply: false },
          },
        );
        // A private image that is nowhere but in the registry.
        const name = `${registry?.host}/team/base:1`;
        const where = context({ Dockerfile: `FROM busybox\nRUN echo ${run} >/private\n` });
        await docker(engine.host, ['build', '--tag', name, where]);
        const config = makeDockerConfig();
        const auth = Buffer.from('alice:secret').toString('base64');
        writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { [registry?.host ?? '']: { auth } } }));
        await docker(engine.host, ['push', name], { env: { DOCKER_CONFIG: config } });
        await docker(engine.host, ['rmi', name]);
      });
      afterAll(async () => {
        await served?.stop();
        const { stdout } = await dockerCli(engine.host, ['images', '--format', '{{.Repository}}:{{.Tag}}']);
        const left = stdout.split('\n').filter((name) => name.startsWith(`${gateway}/`));
        if (left.length > 0) await docker(engine.host, ['rmi', '--force', ...left]);
      });

      test('the same name is another image for each, and each runs its own', async () => {
        for (const who of ['alice', 'bob'] as const) {
          const said = await built(who, `FROM busybox\nRUN echo ${who} >/who\nCMD ["cat", "/who"]\n`, '--tag', 'app');
          expect(said).toMatch(/naming to .*app/);
        }
        expect(await done('alice', 'run', '--rm', 'app')).toBe('alice\n');
        expect(await done('bob', 'run', '--rm', 'app')).toBe('bob\n');
        expect(await done('alice', 'images', '--format', '{{.Repository}}')).toBe('app\nbusybox\n');
      });

      test('what was built before is built from, by FROM and by COPY', async () => {
        await built('alice', 'FROM busybox\nRUN echo first >/first\n', '--tag', 'team/first:1');
        await built('alice', 'FROM team/first:1\nRUN cp /first /second\n', '--tag', 'second');
        await built('alice', 'FROM busybox\nCOPY --from=team/first:1 /first /third\n', '--tag', 'third');
        expect(await done('alice', 'run', '--rm', 'second', 'cat', '/second')).toBe('first\n');
        expect(await done('alice', 'run', '--rm', 'third', 'cat', '/third')).toBe('first\n');
        const { code, stderr } = await build('bob', 'FROM team/first:1\n');
        expect(code).not.toBe(0);
        expect(stderr).not.toContain('bld-');
      });

      test('a private image is built from with the own credentials, and by nobody without', async () => {
        await built('alice', `FROM ${HOST}/team/base:1\nRUN cp /private /mine\n`, '--tag', 'of-private');
        expect(await done('alice', 'run', '--rm', 'of-private', 'cat', '/mine')).toBe(`${run}\n`);
        for (const dockerfile of [
          `FROM ${HOST}/team/base:1\n`,
          `FROM busybox\nCOPY --from=${HOST}/team/base:1 /private /x\n`,
          `FROM busybox\nRUN --mount=from=${HOST}/team/base:1,target=/x cat /x/private\n`,
        ]) {
          const { code, stderr } = await build('bob', dockerfile);
          expect(code, stderr).not.toBe(0);
          expect(stderr).toContain(`${HOST}/team/base:1`);
        }
      });

      test.each([
        ["the engine's name of another's image", (): string => `${gateway}/${mine}/docker.io/library/app:latest`],
        [
          'a guessed capability',
          (): string => `${gateway.replace('0.1:', '0.2:')}/c_${'0'.repeat(40)}/docker.io/library/app`,
        ],
      ])('%s leads nowhere', async (_name, image) => {
        await built('alice', 'FROM busybox\nRUN echo secret >/secret\n', '--tag', 'app');
        const { code, stderr } = await build('bob', `FROM busybox\nCOPY --from=${image()} /secret /x\n`);
        expect(code).not.toBe(0);
        expect(stderr).toMatch(/denied by policy/);
      });

      test('what a policy denies is not found by way of the gateway either', async () => {
        // The control: who is not denied builds from it.
        await built('alice', `FROM ${HOST}/team/base:1\n`);
        await built('denied', 'FROM busybox\n');
        for (const dockerfile of [
          `FROM ${HOST}/team/base:1\n`,
          `FROM busybox\nCOPY --from=${HOST}/team/base:1 / /x\n`,
        ]) {
          const { code, stderr } = await build('denied', dockerfile);
          expect(code).not.toBe(0);
          expect(stderr).toContain('denied by policy');
        }
      });

      test('what a policy does not list is not built from, whatever it is called', async () => {
        await built('listed', 'FROM busybox\nRUN echo listed >/f\n', '--tag', 'team/listed:1');
        await built('listed', 'FROM busybox\nRUN echo other >/f\n', '--tag', 'other');
        await built('listed', 'FROM team/listed:1\nCOPY --from=busybox /bin/true /x\n', '--tag', 'team/listed:2');
        const engineName = `${gateway}/${mine}-l/docker.io/library/other:latest`;
        // The control: that is where it is, and without a list it is built from.
        await docker(engine.host, ['image', 'inspect', engineName]);
        for (const image of [`${HOST}/team/base:1`, 'other', engineName, `${gateway}/${mine}-l/u_image:x`]) {
          for (const dockerfile of [`FROM ${image}\n`, `FROM busybox\nCOPY --from=${image} / /x\n`]) {
            const { code, stderr } = await build('listed', dockerfile);
            expect([image, code], stderr).toEqual([image, 1]);
            expect(stderr).toContain('denied by policy');
          }
        }
      });

      test('a build is cached for its owner, and for nobody else', async () => {
        const dockerfile = `FROM busybox\nRUN head -c 16 /dev/urandom | md5sum >/random # ${run}\n`;
        const random = async (who: Who): Promise<string> => {
          await built(who, dockerfile, '--tag', 'random');
          return done(who, 'run', '--rm', 'random', 'cat', '/random');
        };
        const first = await random('alice');
        expect(await random('alice')).toBe(first);
        expect(await random('bob')).not.toBe(first);
      });

      test('a cache from elsewhere is left out, and what is built goes to its registry', async () => {
        const cache = mkdtempSync(join(folder, 'cache-'));
        const digest = `sha256:${'0'.repeat(64)}`;
        const manifest = {
          mediaType: 'application/vnd.oci.image.index.v1+json',
          digest,
          size: 2,
          annotations: { 'org.opencontainers.image.ref.name': 'latest' },
        };
        writeFileSync(join(cache, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
        const image = `${HOST}/${run}/pushed-${engine.name}`;
        const args = ['--cache-from', `type=local,src=${cache}`, '--cache-from', image, '--cache-to', 'type=inline'];
        const dockerfile = `FROM busybox\nRUN echo ${run} >/cached\n`;
        const where = context({ Dockerfile: dockerfile });
        // The control: the engine takes what it is given, and keeps for everybody what it finds there.
        const control = await dockerCli(engine.host, ['buildx', 'build', '--progress', 'plain', ...args, where]);
        expect(control.stderr).toContain('importing cache manifest from local:');
        const said = await built('alice', dockerfile, ...args, '--push', '--tag', image);
        expect(said).not.toContain('importing cache manifest');
        expect(said).toContain('[berthgate] --cache-from is left out');
        await done('alice', 'rmi', image);
        expect(await done('alice', 'run', '--rm', image, 'cat', '/cached')).toContain(run);
        expect((await build('bob', dockerfile, '--push', '--tag', image)).code).toBe(1);
      });

      test('mounts of caches are of the namespace', async () => {
        const dockerfile = (step: string): string =>
          `FROM busybox\nRUN --mount=type=cache,id=common,target=/cache ${step} # ${randomBytes(4).toString('hex')}\n`;
        await built('alice', dockerfile('echo poison >/cache/word'));
        expect(await built('alice', dockerfile('cat /cache/word'))).toContain('poison');
        expect(await built('bob', dockerfile('ls -l /cache | wc -l; test ! -e /cache/word'))).not.toContain('poison');
      });

      test('an image without a name is kept for its owner, and hidden from others', async () => {
        const where = context({ Dockerfile: `FROM busybox\nRUN echo ${run} >/unnamed\n` });
        const id = (await done('alice', 'build', '--quiet', where)).trim();
        expect(await done('alice', 'run', '--rm', id, 'cat', '/unnamed')).toBe(`${run}\n`);
        expect((await at('bob', 'run', '--rm', id, 'true')).code).toBe(125);
        expect((await at('bob', 'image', 'inspect', id)).code).toBe(1);
      });

      test('secrets, outputs, targets that are made of each other, and compose work', async () => {
        const secret = join(folder, 'secret');
        writeFileSync(secret, 'hidden');
        const out = mkdtempSync(join(folder, 'out-'));
        await built(
          'alice',
          'FROM busybox AS one\nRUN --mount=type=secret,id=word cut -c1-3 /run/secrets/word >/word\nFROM scratch\nCOPY --from=one /word /\n',
          '--secret',
          `id=word,src=${secret}`,
          '--output',
          `type=local,dest=${out}`,
        );
        expect((await command('cat', [join(out, 'word')])).stdout).toBe('hid\n');
        const bake = `target "default" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nRUN cat /private"
}
target "base" { dockerfile-inline = "FROM ${HOST}/team/base:1\\nRUN --mount=type=cache,target=/c true" }
`;
        await done('alice', 'buildx', 'bake', '--file', join(context({ 'docker-bake.hcl': bake }), 'docker-bake.hcl'));
        const project = context({
          'compose.yaml': 'services: {app: {build: ., image: composed, command: [cat, /word]}}',
          Dockerfile: 'FROM busybox\nRUN echo composed >/word\n',
        });
        const compose = ['compose', '--project-name', 'project', '--project-directory', project];
        await done('alice', ...compose, 'build');
        expect(await done('alice', ...compose, 'run', '--rm', 'app')).toContain('composed');
        await done('alice', ...compose, 'down');
      });

      test("the past, the cache and the progress of others' builds are not seen", async () => {
        await built('alice', 'FROM busybox\nRUN true\n', '--tag', 'seen');
        const [ref = ''] = (await done('alice', 'buildx', 'history', 'ls', '--format', '{{.Ref}}')).split('\n');
        expect(ref).toMatch(/[a-z0-9]{20}/);
        expect(await done('bob', 'buildx', 'history', 'ls', '--format', '{{.Ref}}')).not.toContain(
          ref.split('/').at(-1),
        );
        expect(await done('bob', 'buildx', 'du')).toMatch(/Total:\s+0B/);
        // The engine itself has both.
        const { stdout } = await dockerCli(engine.host, ['buildx', 'history', 'ls', '--format', '{{.Ref}}']);
        expect(stdout).toContain(ref.split('/').at(-1));
      });
    },
    ({ version, socket }) => socket !== '' && Number(version.split('.')[0]) >= 24,
  );
});
