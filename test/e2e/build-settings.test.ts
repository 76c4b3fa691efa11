// What a listener says of builds: whose cache they share, and how long they may take; by both builders.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import { ask } from '../engine/raw-client.ts';
import { type CommandResult, describeEachEngine, docker, dockerCli, freePort } from '../engines/index.ts';

type Who = 'first' | 'second' | 'stranger' | 'hurried' | 'fetching' | 'plain';

const run = `bst-${randomBytes(3).toString('hex')}`;
const folder = mkdtempSync(join(tmpdir(), 'berthgate-build-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** In the network of the engine: a repository, a context, and a file under every other name. */
class Site {
  readonly asked: string[] = [];
  port = 0;
  private readonly server = http.createServer((request, answer) => {
    this.asked.push(String(request.url));
    if (request.url?.startsWith('/app.git/') === true) answerGit(request, answer);
    else if (request.url === '/context.tar') answer.end(readFileSync(join(folder, 'context.tar')));
    else answer.end('from the inside');
  });

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** As git's own server of HTTP does, a program of CGI. */
function answerGit(request: http.IncomingMessage, answer: http.ServerResponse): void {
  const { pathname, search } = new URL(String(request.url), 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  request.pipe(backend.stdin);
  void buffer(backend.stdout).then((bytes) => {
    const end = bytes.indexOf('\r\n\r\n');
    for (const line of bytes.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') answer.statusCode = Number.parseInt(value, 10);
      else answer.setHeader(name, value);
    }
    answer.end(bytes.subarray(end + 4));
  });
}

/** The same context as a repository and as an archive. */
function makeSources(): void {
  const source = join(folder, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'Dockerfile'), 'FROM scratch\nCOPY word /word\n');
  writeFileSync(join(source, 'word'), 'of the context');
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', source, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args]);
  git('init', '--quiet', '--initial-branch=main');
  git('add', '.');
  git('commit', '--quiet', '--message=one');
  git('clone', '--quiet', '--bare', '.', join(folder, 'app.git'));
  execFileSync('tar', ['-C', source, '-cf', join(folder, 'context.tar'), 'Dockerfile', 'word']);
}

const hasGit = spawnSync('git', ['--version']).status === 0;
if (hasGit) makeSources();
const [site, other] = [new Site(), new Site()];
beforeAll(() => Promise.all([site.open(), other.open()]));
afterAll(() => {
  site.close();
  other.close();
});

describeEachEngine(
  'settings of builds',
  (engine) => {
    let served: Awaited<ReturnType<typeof serveListeners<Who>>>;
    let gateway = '';
    const builders = Number(engine.version.split('.')[0]) >= 24 ? (['0', '1'] as const) : (['0'] as const);
    const at = (who: Who, args: readonly string[], builder = '0'): Promise<CommandResult> =>
      dockerCli(`unix://${served.sockets[who]}`, args, {
        env: { DOCKER_BUILDKIT: builder, BUILDKIT_PROGRESS: 'plain' },
        timeoutMs: 120_000,
      });
    const build = (who: Who, builder: string, dockerfile: string, ...args: readonly string[]) => {
      const context = mkdtempSync(join(folder, 'context-'));
      writeFileSync(join(context, 'Dockerfile'), dockerfile);
      return at(who, ['build', ...args, context], builder);
    };

    beforeAll(async () => {
      gateway = `127.0.0.1:${await freePort()}`;
      served = await serveListeners(
        engine.host,
        {
          first: { namespace: `${run}-1`, builds: { cacheScope: `${run}-owner` } },
          second: { namespace: `${run}-2`, builds: { cacheScope: `${run}-owner` } },
          stranger: { namespace: `${run}-3`, builds: { cacheScope: `${run}-stranger` } },
          hurried: { namespace: `${run}-4`, builds: { maxTime: '1s' } },
          fetching: {
            namespace: `${run}-5`,
            policies: ['conservative'],
            builds: { urls: [`127.0.0.1:${site.port}`] },
          },
          plain: { builds: { maxTime: '1s' } },
        },
        {
          engines: [{ name: 'engine', url: engine.host, gateway }],
          images: { shared: ['busybox'] },
        },
      );
    });
    afterAll(async () => {
      await served?.stop();
      const listed = await ask(engine.socket, 'GET', '/images/json');
      const tags = listed.json<{ RepoTags: string[] | null }[]>().flatMap(({ RepoTags }) => RepoTags ?? []);
      const ours = tags.filter((tag) => tag.startsWith(`${gateway}/`));
      if (ours.length > 0) await docker(engine, ['rmi', '--force', ...ours]);
      for (const number of [1, 2, 3, 4, 5]) await dockerCli(engine, ['network', 'rm', `${run}-${number}.bridge`]);
    });

    describe.each(builders)('with DOCKER_BUILDKIT=%s', (builder) => {
      test('a build of an owner is cached in another namespace of the same one, and for nobody else', async () => {
        const word = `${run}-${builder}`;
        const dockerfile = `FROM busybox AS made\nRUN head -c 16 /dev/urandom | md5sum >/made # ${word}\nFROM busybox\nCOPY --from=made /made /\nRUN cp /made /copy\n`;
        const made = async (who: Who): Promise<string> => {
          const { code, stdout, stderr } = await build(who, builder, dockerfile, '--tag', 'app');
          expect(code, stdout + stderr).toBe(0);
          expect(stdout + stderr).not.toMatch(/127\.0\.0\.|s_[0-9a-f]{32}/);
          const ran = await at(who, ['run', '--rm', 'app', 'cat', '/copy']);
          expect(ran.code, ran.stderr).toBe(0);
          return ran.stdout;
        };
        const first = await made('first');
        // As when a job has ended.
        const { stdout: ids } = await at('first', ['images', '--quiet', '--filter', 'reference=app']);
        await at('first', ['rmi', '--force', ...ids.trim().split('\n')]);
        await at('first', ['image', 'prune', '--force', '--all']);
        expect((await at('first', ['images', '--quiet', '--filter', 'reference=app'])).stdout).toBe('');
        expect(await made('second')).toBe(first);
        expect(await made('stranger')).not.toBe(first);
        // What keeps it for the owner is nobody's image.
        for (const who of ['first', 'stranger'] as const)
          expect((await at(who, ['images', '--all'])).stdout).not.toMatch(/s_[0-9a-f]{32}|cache/);
      });

      test.each(['hurried', 'fetching', 'plain'] as const)(
        'a build fetches from the hosts that are listed alone (%s)',
        async (who) => {
          const add = (port: number): string => `FROM scratch\nADD http://127.0.0.1:${port}/word /word\n`;
          expect((await build(who, builder, add(other.port), '--no-cache')).stderr).toMatch(
            /denied by policy|must not ADD http/,
          );
          expect(other.asked).toEqual([]);
          const { code, stderr } = await build(who, builder, add(site.port), '--no-cache');
          expect([who, code], stderr).toEqual([who, who === 'fetching' ? 0 : 1]);
          expect(site.asked.splice(0).length > 0).toBe(who === 'fetching');
        },
      );

      test.runIf(builder === '1' && hasGit)(
        'a repository and an archive are contexts, and a repository is added, from the hosts that are listed alone',
        async () => {
          const add = ({ port }: Site): readonly string[] => {
            const context = mkdtempSync(join(folder, 'adding-'));
            writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nADD http://127.0.0.1:${port}/app.git /\n`);
            return [context];
          };
          const sources = [
            ({ port }: Site) => [`http://127.0.0.1:${port}/app.git#main`],
            ({ port }: Site) => [`http://127.0.0.1:${port}/context.tar`],
            add,
          ];
          const fetch = (who: Who, context: readonly string[]) =>
            at(who, ['build', '--no-cache', '--output', 'type=tar,dest=-', ...context], builder);
          for (const source of sources) {
            for (const [who, from] of [
              ['first', site],
              ['fetching', other],
            ] as const) {
              const { code, stderr } = await fetch(who, source(from));
              expect([code, stderr]).toEqual([1, expect.stringMatching(/denied by policy|refused by policy/)]);
              expect(from.asked).toEqual([]);
            }
            const { code, stdout, stderr } = await fetch('fetching', source(site));
            expect(code, stderr).toBe(0);
            expect(site.asked.splice(0)).not.toEqual([]);
            expect(stdout).toContain('of the context');
          }
        },
      );

      test.runIf(builder === '1')('a Dockerfile asks for no other frontend than those that are listed', async () => {
        const dockerfile = (image: string): string => `# syntax=${image}\nFROM scratch\nCOPY Dockerfile /\n`;
        expect((await build('first', builder, dockerfile('docker/dockerfile:1'))).code).toBe(0);
        const { code, stderr } = await build('first', builder, dockerfile(`127.0.0.1:${other.port}/frontend`));
        expect([code, stderr]).toEqual([1, expect.stringMatching(/berthgate: # syntax=127.* is not served here/)]);
        expect(other.asked).toEqual([]);
      });

      test.each(['hurried', 'plain'] as const)('a build that takes too long is ended (%s)', async (who) => {
        const { code, stdout, stderr } = await build(who, builder, 'FROM busybox\nRUN sleep 3600\n');
        expect(code, stdout).toBe(1);
        expect(stderr).toMatch(
          /berthgate: .*the build has taken longer than 1 s \(an administrator sets builds.maxTime\)/,
        );
      });
    });
  },
  ({ socket }) => socket !== '',
);
