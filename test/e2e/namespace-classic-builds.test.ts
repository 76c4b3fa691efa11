// Builds by the classic builder in namespaces, from the docker command to real engines, with a registry that asks for a password.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import { ask } from '../engine/raw-client.ts';
import {
  run as command,
  describeEachEngine,
  docker,
  dockerCli,
  freePort,
  hasRegistry,
  makeDockerConfig,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';
import { shapesOn } from './build-shapes.ts';
import { contentsOf } from './image-contents.ts';

const HOST = 'r.example.org:5000';
const run = `nsb-${randomBytes(3).toString('hex')}`;
const base = `${run}-base`;
const triggering = `${run}-triggers`;
const env = { DOCKER_BUILDKIT: '0' };
/** An image that gets `.dockerignore` itself; what becomes of it stands in a test of its own. */
const SAYS_MORE = 'exclusions that leave themselves';
const BASES: Readonly<Record<string, string>> = {
  [base]: 'FROM busybox\nRUN mkdir -p /base && echo base >/base/f && chmod 4711 /base/f\n',
  [triggering]: `FROM ${base}\nONBUILD WORKDIR /app\nONBUILD COPY x /app/\n`,
};

let registry: TestRegistry | undefined;

beforeAll(async () => {
  if (!hasRegistry()) return;
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  registry = await startRegistry({ htpasswd });
});
afterAll(() => registry?.stop());

describe.skipIf(!hasRegistry())('builds in namespaces', () => {
  describeEachEngine(
    'on an engine',
    (engine: TestEngine) => {
      const folder = mkdtempSync(join(tmpdir(), 'berthgate-builds-'));
      let served: Awaited<ReturnType<typeof serveListeners<'alice' | 'bob'>>>;
      let gateway = '';
      const at = (who: 'alice' | 'bob') => ({ host: `unix://${served.sockets[who]}` });
      const engineName = (who: 'alice' | 'bob', name: string): string =>
        `${gateway}/${run}-${who}/docker.io/library/${name}`;
      const build = (who: 'alice' | 'bob' | 'engine', args: readonly string[], input: string, more = {}) =>
        dockerCli(who === 'engine' ? engine : at(who), ['build', ...args, '-'], {
          env: { ...env, ...more },
          input,
          timeoutMs: 120_000,
        });

      beforeAll(async () => {
        gateway = `127.0.0.1:${await freePort()}`;
        served = await serveListeners(
          engine.host,
          { alice: { namespace: `${run}-alice` }, bob: { namespace: `${run}-bob` } },
          {
            engines: [{ name: 'engine', url: engine.host, gateway }],
            images: { shared: ['busybox'] },
            registry: { upstreams: [{ host: HOST, url: registry?.url }] },
          },
        );
        for (const [name, input] of Object.entries(BASES)) {
          await docker(engine, ['build', '-q', '-t', name, '-'], { env, input, timeoutMs: 120_000 });
          await docker(at('alice'), ['build', '-q', '-t', name, '-'], { env, input, timeoutMs: 120_000 });
        }
      });
      afterAll(async () => {
        const listed = await ask(engine.socket, 'GET', '/images/json');
        const tags = listed.json<{ RepoTags: string[] | null }[]>().flatMap(({ RepoTags }) => RepoTags ?? []);
        const ours = tags.filter((tag) => tag.startsWith(`${gateway}/`) || tag.startsWith(run));
        if (ours.length > 0) await dockerCli(engine, ['rmi', '-f', ...ours]);
        await served?.stop();
        // Default networks go by themselves a minute after their last container, but not without Berthgate.
        await dockerCli(engine, ['network', 'rm', `${run}-alice.bridge`, `${run}-bob.bridge`]);
        rmSync(folder, { recursive: true });
      });

      const shapes = Object.entries(shapesOn(base, triggering));
      test.for(shapes.filter(([name]) => name !== SAYS_MORE))(
        '%s builds the same as without Berthgate',
        async ([name, { files, args = [] }]) => {
          const context = join(folder, name.replace(/\W/g, '-'));
          for (const [file, text] of Object.entries(files)) {
            mkdirSync(dirname(join(context, file)), { recursive: true });
            writeFileSync(join(context, file), text);
          }
          const tag = `${run}-${name.replace(/\W/g, '-')}`.toLowerCase();
          const given = args.map((arg) => (arg.endsWith('ockerfile') ? join(context, arg) : arg));
          const command = ['build', '--no-cache', '--force-rm', '-t', tag, ...given, context];
          const images = [
            [engine.host, tag],
            [at('alice').host, engineName('alice', tag)],
          ] as const;
          const results = await Promise.all(
            images.map(async ([host, image]) => {
              const { code, stdout, stderr } = await dockerCli(host, command, { env, timeoutMs: 120_000 });
              // Before engine 23 a heredoc's FROM is one, whose image is looked for before the first step.
              const fault = name === 'a heredoc' ? '' : stderr;
              const told = `${stdout}${fault}`.replace(/\b[0-9a-f]{12}\b/g, 'ID');
              return { code, told, image: code === 0 ? await contentsOf(engine, image) : null };
            }),
          );
          expect(results[1]).toEqual(results[0]);
        },
      );

      test('a .dockerignore that an image gets says one name more, where no pattern fits it', async () => {
        const { files } = shapesOn(base, triggering)[SAYS_MORE] ?? { files: {} };
        const context = mkdtempSync(join(folder, 'more-'));
        for (const [ignore, expected] of [
          [files['.dockerignore'] ?? '', `${files['.dockerignore']}\nDockerfile.berthgate.log\n`],
          ['*.log\n', '*.log\n'],
        ] as const) {
          writeFileSync(join(context, '.dockerignore'), ignore);
          writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY . /src\n');
          await docker(at('alice'), ['build', '-q', '-t', `${run}-more`, context], { env, timeoutMs: 120_000 });
          const inside = ['run', '--rm', `${run}-more`, 'sh', '-c', 'cd /src && ls -A && cat .dockerignore'];
          expect(`${await docker(at('alice'), inside)}\n`).toBe(`.dockerignore\nDockerfile\n${expected}`);
        }
      });

      test('two users build two images of one name, and an image without a name is its builder’s alone', async () => {
        for (const who of ['alice', 'bob'] as const) {
          const { code } = await build(who, ['-t', `${run}-same`], `FROM busybox\nRUN echo ${who} >/who\n`);
          expect(code).toBe(0);
        }
        for (const who of ['alice', 'bob'] as const)
          expect(await docker(at(who), ['run', '--rm', `${run}-same`, 'cat', '/who'])).toBe(who);
        const { stdout } = await build('alice', [], `FROM busybox\nRUN echo ${run} >/unnamed\n`);
        expect(stdout).not.toMatch(/Successfully tagged|127\./);
        const [, id = ''] = /Successfully built ([0-9a-f]+)/.exec(stdout) ?? [];
        expect(await docker(at('alice'), ['run', '--rm', id, 'cat', '/unnamed'])).toBe(run);
        expect(await docker(at('alice'), ['images', '-q', '-f', 'dangling=true'])).toContain(id);
        expect((await dockerCli(at('bob'), ['run', '--rm', id, 'true'])).code).not.toBe(0);
      });

      test('steps are taken from what the namespace has built, and from nobody else', async () => {
        const dockerfile = `FROM busybox AS one\nRUN echo ${run} >/a\nRUN echo b >>/a\nFROM busybox\nCOPY --from=one /a /a\nRUN cat /a\n`;
        const cached = (stdout: string): number => stdout.match(/Using cache/g)?.length ?? 0;
        expect(cached((await build('alice', ['-t', `${run}-cached`], dockerfile)).stdout)).toBe(0);
        expect(cached((await build('alice', ['-t', `${run}-cached`], dockerfile)).stdout)).toBe(4);
        expect(cached((await build('bob', ['-t', `${run}-cached`], dockerfile)).stdout)).toBe(0);
        // The control: the engine has them for everybody.
        expect(cached((await build('engine', ['-t', `${run}-cached`], dockerfile)).stdout)).toBe(4);
        const named = ['--cache-from', `${run}-cached`, '-t', `${run}-again`];
        expect(cached((await build('alice', named, dockerfile)).stdout)).toBeGreaterThan(0);
      });

      test('an image of a registry is pulled with the credentials of the build, and not without', async () => {
        const image = `${HOST}/team/base-${engine.name}`;
        const config = makeDockerConfig();
        const auth = Buffer.from('alice:secret').toString('base64');
        writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { [HOST]: { auth } } }));
        const loggedIn = { DOCKER_CONFIG: config };
        await docker(at('alice'), ['build', '-q', '-t', image, '-'], {
          env,
          input: `FROM busybox\nRUN echo ${run} >/p\n`,
        });
        await docker(at('alice'), ['push', image], { env: loggedIn });
        for (const dockerfile of [
          `FROM ${image}\nRUN cat /p\n`,
          `FROM busybox\nCOPY --from=${image} /p /p\nRUN cat /p\n`,
        ]) {
          const denied = await build('bob', [], dockerfile);
          expect([denied.code, denied.stderr]).toEqual([
            1,
            expect.stringMatching(/denied|unauthorized|no basic auth|not found/),
          ]);
          expect(denied.stdout + denied.stderr).not.toMatch(/127\.0\.0\.|Step/);
        }
        const built = await build('bob', ['-t', `${run}-on`], `ARG I=${image}\nFROM $I\nRUN cat /p\n`, loggedIn);
        expect(built.stdout).toContain(`\n${run}\n`);
        expect(built.stdout).toContain('Step 2/3 : FROM $I\n');
        expect(built.stdout + built.stderr).not.toContain('127.0.0.');
        const again = await build('bob', ['--pull'], `FROM ${image}\nRUN cat /p\n`);
        expect(again.code).toBe(1);
      });

      test("another's image is built from by no name, no id, and no trigger", async () => {
        const name = `${run}-secret`;
        expect((await build('alice', ['-t', name], `FROM busybox\nRUN echo ${run} >/secret\n`)).code).toBe(0);
        const id = await docker(at('alice'), ['image', 'inspect', '-f', '{{.Id}}', name]);
        const spellings = [engineName('alice', name), id, id.slice(7), id.slice(7, 19)];
        for (const spelling of spellings) {
          for (const dockerfile of [`FROM ${spelling}\n`, `FROM busybox\nCOPY --from=${spelling} /secret /\n`]) {
            expect([spelling, (await build('engine', [], dockerfile)).code]).toEqual([spelling, 0]);
            const stolen = await build('bob', [], dockerfile);
            expect([spelling, stolen.code]).toEqual([spelling, 1]);
            expect(stolen.stdout).not.toContain('Step');
          }
          const cache = await build('bob', ['--cache-from', spelling], `FROM busybox\nRUN echo ${run} >/secret\n`);
          expect(cache.stdout).not.toContain('Using cache');
        }
        const trigger = `FROM busybox\nONBUILD COPY --from=${id} /secret /\n`;
        expect((await build('bob', ['-t', `${run}-trigger`], trigger)).code).toBe(0);
        const triggered = await build('bob', [], `FROM ${run}-trigger\n`);
        expect([triggered.code, triggered.stderr]).toEqual([1, expect.stringContaining('by a trigger (ONBUILD)')]);
        const own = await build('bob', [], `${trigger.replace('busybox', 'busybox AS a')}FROM a\n`);
        expect([own.code, own.stderr]).toEqual([1, expect.stringContaining('by a trigger (ONBUILD)')]);
        expect((await build('engine', [], `FROM ${engineName('bob', `${run}-trigger`)}\n`)).code).toBe(0);
      });

      test('steps run in the network of the namespace, and no list shows their containers', async () => {
        await docker(at('alice'), ['run', '-d', '--name', `${run}-web`, 'busybox', 'sleep', '600']);
        const probe = `FROM busybox\nRUN nslookup ${run}-web 127.0.0.11 | grep Name; ip route\n`;
        try {
          const own = await build('alice', ['--rm=false', '--no-cache', '-t', `${run}-probe`], probe);
          expect(own.stdout).toMatch(new RegExp(`Name:\\s+${run}-web`));
          const other = await build('bob', ['--rm=false', '--no-cache', '-t', `${run}-probe`], probe);
          expect(other.stdout).not.toContain('Name:');
          expect(other.stdout).toMatch(/default via 10\./);
          const [, left = '-'] = /Running in ([0-9a-f]{12})/.exec(own.stdout) ?? [];
          expect(await docker(engine, ['ps', '-aq'])).toContain(left);
          for (const who of ['alice', 'bob'] as const) expect(await docker(at(who), ['ps', '-aq'])).not.toContain(left);
          expect((await build('bob', ['--network', `container:${run}-web`], probe)).code).toBe(1);
          const host = await build('bob', ['--network', 'host'], probe);
          expect([host.code, host.stderr]).toEqual([1, expect.stringContaining('networkmode')]);
          const none = await build(
            'bob',
            ['--network', 'none', '--no-cache'],
            'FROM busybox\nRUN ip -o link | wc -l\n',
          );
          expect(none.stdout).toContain('\n1\n');
          await docker(at('bob'), ['network', 'create', `${run}-net`]);
          const named = await build('bob', ['--network', `${run}-net`, '--no-cache'], 'FROM busybox\nRUN ip route\n');
          expect(named.stdout).toContain('default via');
          for (const { stdout } of [own, other]) {
            const containers = [...stdout.matchAll(/Running in ([0-9a-f]{12})/g)].map(([, id]) => id as string);
            await docker(engine, ['rm', '-f', ...containers]);
          }
          await docker(at('bob'), ['network', 'rm', `${run}-net`]);
        } finally {
          await dockerCli(at('alice'), ['rm', '-f', `${run}-web`]);
        }
      });

      test('compose, and a library that knows no .dockerignore, build as on an engine of one’s own', async () => {
        const context = mkdtempSync(join(folder, 'compose-'));
        writeFileSync(join(context, 'compose.yaml'), 'services:\n  web:\n    build: .\n    command: cat /src/word\n');
        writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY . /src\n');
        writeFileSync(join(context, '.dockerignore'), 'Dockerfile\n');
        writeFileSync(join(context, 'word'), run);
        const compose = ['compose', '--project-name', run, '--project-directory', context];
        await docker(at('alice'), [...compose, 'build'], { env, timeoutMs: 120_000 });
        const up = await docker(at('alice'), [...compose, 'up', '--no-log-prefix'], { env, timeoutMs: 120_000 });
        expect(up).toContain(run);
        await docker(at('alice'), [...compose, 'down'], { env, timeoutMs: 120_000 });

        const { bytes } = await command('tar', ['-C', context, '-c', '.']);
        const library = new Docker({ socketPath: served.sockets.alice });
        const stream = new PassThrough();
        stream.end(bytes);
        const lines = await new Promise<{ stream?: string }[]>((resolve, reject) => {
          library.buildImage(stream, { t: `${run}-library` }).then((answer) => {
            library.modem.followProgress(answer, (fault, output) => (fault === null ? resolve(output) : reject(fault)));
          }, reject);
        });
        expect(lines.map((line) => line.stream).join('')).toContain(`Successfully tagged ${run}-library:latest`);
        expect(await docker(at('alice'), ['run', '--rm', `${run}-library`, 'ls', '-A', '/src'])).toBe(
          '.dockerignore\ncompose.yaml\nword',
        );
      });

      test('labels of ours are set by no Dockerfile, whatever spells them', async () => {
        for (const dockerfile of [
          'FROM busybox\nLABEL berthgate.namespace=x\n',
          'FROM busybox\nARG A=berthgate\nLABEL "$A.namespace"=x\n',
        ]) {
          expect((await build('engine', ['-t', `${run}-labelled`], dockerfile)).code).toBe(0);
          const refused = await build('alice', [], dockerfile);
          expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('berthgate.namespace')]);
        }
      });

      test('an address that leads elsewhere, and BuildKit, are refused with what helps', async () => {
        const remote = await ask(served.sockets.alice, 'POST', '/build?remote=http%3A%2F%2F127.0.0.1%3A1%2Fx.tar');
        expect([remote.status, remote.text]).toEqual([403, expect.stringContaining('contexts that the client sends')]);
        const answer = await ask(served.sockets.alice, 'POST', '/build?version=2', { body: '' });
        expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('BuildKit')]);
      });
    },
    ({ name }) => name !== '26.1',
  );
});
