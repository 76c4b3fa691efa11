// What people build with BuildKit is the same under `conservative` as straight on the engine: files, modes and owners.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeGuarded } from '../attacks/guarded.ts';
import { dockerCli, run } from '../engines/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-buildkit-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Files = Readonly<Record<string, string>>;

function context(files: Files): string {
  const own = mkdtempSync(join(folder, 'context-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(own, name)), { recursive: true });
    writeFileSync(join(own, name), text);
  }
  return own;
}

const secret = join(folder, 'secret');
writeFileSync(secret, 'hidden');

const builds: Readonly<Record<string, { readonly files: Files; readonly args?: readonly string[] }>> = {
  'several stages': {
    files: {
      Dockerfile:
        'FROM busybox AS base\nWORKDIR /app\nFROM base AS made\nCOPY src/ .\nRUN cat a b >all && chmod 750 all && chown 1000:50 all\nFROM scratch\nCOPY --from=made /app/all /all\nCOPY --from=busybox /bin/true /bin/other\n',
      'src/a': 'a',
      'src/b': 'b',
    },
  },
  'arguments in FROM, a target and a platform': {
    files: {
      Dockerfile:
        'ARG BASE=nobody\nARG TAG=latest\nFROM --platform=$BUILDPLATFORM $BASE:$TAG AS one\nARG WORD\nRUN echo "$WORD" >/word\nFROM scratch AS out\nCOPY --from=one /word /\nFROM nobody AS never\n',
    },
    args: ['--build-arg', 'BASE=busybox', '--build-arg', 'WORD=said', '--target', 'out', '--platform', 'linux/amd64'],
  },
  'heredocs and another name of the file': {
    files: {
      'docker/Other.dockerfile':
        'FROM busybox AS one\nRUN <<EOF\nset -e\nmkdir /out\necho one >/out/one\nEOF\nCOPY <<-"TWO" /out/two\n\t$two\nTWO\nFROM scratch\nCOPY --link --from=one /out /\n',
    },
    args: ['--file', 'docker/Other.dockerfile'],
  },
  'mounts of caches, secrets and other stages': {
    files: {
      Dockerfile:
        'FROM busybox AS one\nRUN --mount=type=cache,target=/cache --mount=type=secret,id=word --mount=type=tmpfs,target=/t --mount=from=busybox,source=/bin,target=/b date >/cache/now && cut -c1-3 /run/secrets/word >/word && /b/true\nFROM scratch\nCOPY --from=one /word /\n',
    },
    args: ['--secret', `id=word,src=${secret}`],
  },
  'ignored files, links and a named context': {
    files: {
      Dockerfile: 'FROM scratch\nCOPY . /all\nCOPY --from=more . /more\nLABEL a=b\nONBUILD COPY x /x\n',
      '.dockerignore': 'not-*\n',
      'not-this': '1',
      this: '2',
      'more/file': '3',
    },
    args: ['--build-context', 'more=docker-image://busybox:latest', '--label', 'c=d'],
  },
};

describeGuarded(
  'BuildKit under conservative',
  ['conservative'],
  (guarded) => {
    const { direct, own } = guarded;
    const docker = async (socket: string, args: readonly string[], cwd: string): Promise<string> => {
      const { code, stdout, stderr } = await dockerCli(`unix://${socket}`, args, { timeoutMs: 120_000, cwd });
      expect(code, `docker ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
      return stdout + stderr;
    };

    test.each(Object.entries(builds))('builds %s', async (_name, { files, args = [] }) => {
      const lists: string[] = [];
      for (const socket of [direct, guarded.through]) {
        const where = context(files);
        const tar = join(where, 'out.tar');
        await docker(
          socket,
          ['buildx', 'build', '--no-cache', ...args, '--output', `type=tar,dest=${tar}`, '.'],
          where,
        );
        const listed = await run('tar', ['--numeric-owner', '--full-time', '--utc', '-tvf', tar]);
        const sums = await run('sh', ['-c', `tar -xOf ${tar} | md5sum`]);
        // The times are those of the build, but for what an image brings.
        lists.push(listed.stdout.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d /g, ' TIME ') + sums.stdout);
      }
      expect(lists[0]?.split('\n').length).toBeGreaterThan(2);
      expect(lists[1]).toBe(lists[0]);
    });

    test('gives an image the same id as directly, and is served from the same cache', async () => {
      const where = context({ Dockerfile: 'FROM busybox\nRUN date >/now\n' });
      const ids: string[] = [];
      for (const [socket, name] of [
        [guarded.through, own('first')],
        [direct, own('second')],
        [guarded.through, own('third')],
      ] as const) {
        // Provenance, which an engine with images in containerd adds by itself, says when a build began.
        const given = ['--progress', 'plain', '--provenance=false', '--tag', name];
        const said = await docker(socket, ['build', ...given, where], where);
        if (ids.length > 0) expect(said).toMatch(/RUN date .*\n.*CACHED/);
        ids.push(await docker(socket, ['image', 'inspect', '--format', '{{.Id}}', name], where));
      }
      expect(new Set(ids).size).toBe(1);
      await docker(direct, ['rmi', own('first'), own('second'), own('third')], where);
    });

    test('bakes targets that are made of each other', async () => {
      const bake = `group "default" { targets = ["top"] }
target "top" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nCOPY --from=base /word /again"
  output = ["type=cacheonly"]
}
target "base" { dockerfile-inline = "FROM busybox\\nRUN echo baked >/word" }
`;
      const where = context({ 'docker-bake.hcl': bake });
      expect(await docker(guarded.through, ['buildx', 'bake', '--no-cache', '--progress', 'plain'], where)).toMatch(
        /\[top/,
      );
    });

    test('builds for compose, and follows, lists and inspects what is built', async () => {
      const where = context({
        'compose.yaml': `services: {app: {build: {context: ., args: {WORD: composed}}, image: ${own('composed')}}}`,
        Dockerfile: 'FROM busybox\nARG WORD\nENV WORD=$WORD\nCMD ["sh", "-c", "echo $WORD"]\n',
      });
      const compose = ['compose', '--project-name', own('project'), '--project-directory', where];
      await docker(guarded.through, [...compose, 'build'], where);
      expect(await docker(guarded.through, [...compose, 'run', '--rm', 'app'], where)).toContain('composed');
      await docker(guarded.through, [...compose, 'down', '--rmi', 'all'], where);
      await docker(guarded.through, ['buildx', 'ls'], where);
      await docker(guarded.through, ['buildx', 'inspect'], where);
      await docker(guarded.through, ['buildx', 'du'], where);
      expect(await docker(guarded.through, ['buildx', 'history', 'ls'], where)).toContain('Completed');
    });

    test('says what failed as it does directly', async () => {
      const said: string[] = [];
      for (const socket of [direct, guarded.through]) {
        const where = context({ Dockerfile: 'FROM busybox\nRUN echo to-the-user && exit 3\n' });
        const { code, stderr } = await dockerCli(
          `unix://${socket}`,
          ['build', '--no-cache', '--progress', 'plain', where],
          {
            timeoutMs: 120_000,
          },
        );
        expect(code).toBe(1);
        said.push(stderr.slice(stderr.indexOf('ERROR')).replace(/\d+\.\d+s?/g, 'TIME'));
      }
      expect(said[0]).toContain('exit code: 3');
      expect(said[1]).toBe(said[0]);
    });
  },
  ({ version }) => Number(version.split('.')[0]) >= 24,
);
