// Builds with both builders: contexts, secrets, outputs, failures, caches.
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeThrough, type Way } from './through.ts';

const MIB = 1024 * 1024;
const LARGE_MIB = 500;
const folder = mkdtempSync(join(tmpdir(), 'berthgate-builds-'));
const large = join(folder, 'large');
let largeSum = '';

beforeAll(() => {
  const sum = createHash('md5');
  const file = openSync(large, 'w');
  const piece = randomBytes(MIB);
  for (let i = 0; i < LARGE_MIB; i++) {
    piece.writeUInt32BE(i, 0);
    sum.update(piece);
    writeSync(file, piece);
  }
  largeSum = sum.digest('hex');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** BuildKit knows a context by its path and asks only for what is new in it: each way needs its own. */
function context(way: Way, what: string, dockerfile: string, files: Readonly<Record<string, string>> = {}): string {
  const own = join(folder, way.own(`${way.engine.name}-${way.cli.name}-${what}`));
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'Dockerfile'), dockerfile);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
  return own;
}

const classic = { DOCKER_BUILDKIT: '0' };
const buildKit = { DOCKER_BUILDKIT: '1' };

describeThrough('builds', (ways) => {
  /** What came in over Berthgate's listeners so far. */
  const received = async (): Promise<number> => {
    const lines = (await ways.berthgate.metrics()).matchAll(/^berthgate_received_bytes_total\{.*\} (\S+)$/gm);
    return [...lines].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  };

  test('the classic builder takes a context of 500 MB', async () => {
    const before = await received();
    const came = await ways.same(async (way) => {
      const own = context(way, 'classic', 'FROM busybox\nCOPY large /large\nRUN md5sum /large >/sum\n');
      linkSync(large, join(own, 'large'));
      const name = way.own('classic');
      const args = ['build', '--no-cache', '-t', name, own];
      const { code } = await way.docker(args, { env: classic, silent: true, timeoutMs: 170_000 });
      const { stdout } = await way.docker(['run', '--rm', name, 'cat', '/sum']);
      await way.docker(['rmi', name], { silent: true });
      return [code, stdout];
    });
    expect(came).toEqual([0, `${largeSum}  /large\n`]);
    expect(await received()).toBeGreaterThan(before + LARGE_MIB * MIB);
  });

  test('BuildKit takes a context of 500 MB', async () => {
    const before = await received();
    const came = await ways.same(async (way) => {
      const dockerfile = 'FROM busybox\nRUN --mount=type=bind,target=/context md5sum /context/large >/sum\n';
      const own = context(way, 'buildkit', dockerfile);
      linkSync(large, join(own, 'large'));
      const name = way.own('buildkit');
      const args = ['build', '--no-cache', '-t', name, own];
      const { code } = await way.docker(args, { env: buildKit, silent: true, timeoutMs: 170_000 });
      const { stdout } = await way.docker(['run', '--rm', name, 'cat', '/sum']);
      await way.docker(['rmi', name], { silent: true });
      return [code, stdout];
    });
    expect(came).toEqual([0, `${largeSum}  /context/large\n`]);
    expect(await received()).toBeGreaterThan(before + LARGE_MIB * MIB);
  });

  test('both builders take arguments, targets, labels, other Dockerfiles and ignored files', async () => {
    await ways.same(
      async (way) => {
        const dockerfile =
          'FROM busybox AS one\nARG WORD\nRUN echo $WORD >/word\nCOPY . /files\nFROM one AS two\nRUN echo never >/two\n';
        const files = { '.dockerignore': 'ignored\n', ignored: 'x', kept: 'y', 'Other.dockerfile': dockerfile };
        const own = context(way, 'options', 'FROM no-such-image', files);
        for (const env of [classic, buildKit]) {
          const name = way.own(`options-${env.DOCKER_BUILDKIT}`);
          const args = [
            'build',
            '-f',
            join(own, 'Other.dockerfile'),
            '--build-arg',
            'WORD=told',
            '--target',
            'one',
          ].concat('--label', 'a=b c', '-t', `${name}:1`, '-t', `${name}:2`, '--memory', '512m', own);
          await way.docker(args, { env, silent: true });
          await way.docker(['run', '--rm', `${name}:2`, 'sh', '-c', 'cat /word; ls -A /files; ls /two']);
          await way.docker(['inspect', '--format', '{{json .Config.Labels}}', `${name}:1`]);
          await way.docker(['rmi', `${name}:1`, `${name}:2`], { silent: true });
        }
      },
      { clis: 'all', except: [[/-\d+\.\d+-options\S*/g, 'FOLDER']] },
    );
  });

  test('a context comes from standard input, as a tar and as a Dockerfile', async () => {
    await ways.same(
      async (way) => {
        for (const env of [classic, buildKit]) {
          const name = way.own(`stdin-${env.DOCKER_BUILDKIT}`);
          const input = `FROM busybox\nRUN echo ${way.own('x')} >/word\nCMD cat /word\n`;
          await way.docker(['build', '-t', name, '-'], { env, input, silent: true });
          await way.docker(['run', '--rm', name]);
          await way.docker(['rmi', name], { silent: true });
        }
      },
      { clis: 'all' },
    );
  });

  test('a build that fails says so and where, with both builders', async () => {
    await ways.same(
      async (way) => {
        const own = context(way, 'fails', 'FROM busybox\nRUN echo before; exit 13\n');
        const missing = context(way, 'missing', 'FROM busybox\nCOPY no-such-file /\n');
        for (const env of [classic, buildKit]) {
          const failed = await way.docker(['build', '--no-cache', own], { env, silent: true });
          expect(failed.stdout + failed.stderr).toMatch(
            /(returned a non-zero code|did not complete successfully|executor failed running).*13/s,
          );
          await way.docker(['build', missing], { env, silent: true });
          await way.docker(['build', join(own, 'no-such-folder')], { env, silent: true });
        }
      },
      { clis: 'all' },
    );
  });

  test('the classic builder tells each step', async () => {
    await ways.same(
      async (way) => {
        const own = context(way, 'steps', `FROM busybox\nENV A=${way.own('a')}\nRUN echo a step; echo another line\n`);
        const name = way.own('steps');
        await way.docker(['build', '--no-cache', '-t', name, own], { env: classic });
        await way.docker(['build', '-q', '-t', name, own], { env: classic });
        await way.docker(['rmi', name], { silent: true });
      },
      {
        except: [
          [/context\s+[\d.]+ ?[kM]?B/g, 'context SIZE'],
          [/-\d+\.\d+-steps/g, ''],
          [/sha256:[0-9a-f]+/g, 'ID'],
        ],
      },
    );
  });

  test('buildx hands in secrets and hands out files', async () => {
    const came = await ways.same(async (way) => {
      const lines = 'FROM busybox AS b\nRUN --mount=type=secret,id=word cat /run/secrets/word | tr a-z A-Z >/out\n';
      const own = context(way, 'buildx', `${lines}FROM scratch\nCOPY --from=b /out /out\n`, { secret: 'hidden' });
      const secret = `id=word,src=${join(own, 'secret')}`;
      const out = join(own, 'result');
      const args = ['buildx', 'build', '--no-cache', '--secret', secret];
      await way.docker([...args, '--output', out, own], { silent: true });
      const tar = await way.docker([...args, '--output', '-', own], { silent: true });
      await way.docker([...args, '--load', '-t', way.own('buildx'), own], { silent: true });
      await way.docker(['image', 'inspect', '--format', '{{len .RootFS.Layers}}', way.own('buildx')]);
      await way.docker(['rmi', way.own('buildx')], { silent: true });
      return [readFileSync(join(out, 'out'), 'utf8'), tar.bytes.includes('HIDDEN')];
    });
    expect(came).toEqual(['HIDDEN', true]);
  });

  test('buildx lists and inspects builders, tells disk usage and prunes by a filter', async () => {
    await ways.same(async (way) => {
      const listed = await way.docker(['buildx', 'ls'], { silent: true });
      expect(listed.stdout).toMatch(/default\b.*docker/);
      expect(listed.stdout).toMatch(/running/);
      const inspected = await way.docker(['buildx', 'inspect', 'default'], { silent: true });
      await way.docker(['buildx', 'du'], { silent: true });
      await way.docker(['buildx', 'du', '--verbose', '--filter', 'id=no-such-id'], { silent: true });
      await way.docker(['buildx', 'prune', '-f', '--filter', 'id=no-such-id']);
      await way.docker(['builder', 'prune', '-f', '--filter', 'id=no-such-id']);
      return /Platforms:.*/.exec(inspected.stdout)?.[0];
    });
  });

  test('a build that its client leaves is ended, and the next one works', async () => {
    await ways.same(async (way) => {
      const own = context(way, 'left', `FROM busybox\nRUN echo ${way.own('')} begun; sleep 600\n`);
      for (const env of [classic, buildKit]) {
        const running = way.watch(['build', '--no-cache', ...(env === buildKit ? ['--progress', 'plain'] : []), own], {
          env,
        });
        await running.said(/begun\n/);
        running.signal('SIGINT');
        const { code } = await running.end();
        // Straight on an engine too, the classic client exits with 0 now and then.
        if (env === buildKit) expect(code).not.toBe(0);
      }
      const name = way.own('next');
      const next = context(way, 'next', `FROM busybox\nRUN echo ${way.own('')}\n`);
      for (const env of [classic, buildKit]) {
        await way.docker(['build', '-t', name, next], { env, silent: true });
        await way.docker(['rmi', name], { silent: true });
      }
    });
  });
});
