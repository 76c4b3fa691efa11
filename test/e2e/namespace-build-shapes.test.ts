// Dockerfiles of real projects' shapes, built by BuildKit in a namespace and straight on the engine: the same files, modes, owners,
// contents and configurations; pushed with a fixed date, the same digest; and nothing that is told names the gateway.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  type TestRegistry,
} from '../engines/index.ts';
import { type Shape, shapesOn } from './build-shapes.ts';

const HOST = 'r.example.org:5000';
const OURS = /127\.0\.0\.|u_image|[cs]_[0-9a-f]{32}/;
const run = `nsh-${randomBytes(3).toString('hex')}`;
const [base, triggering] = [`${run}-base`, `${run}-triggers`];
const BASES: readonly (readonly [string, string])[] = [
  [base, 'FROM busybox\nRUN mkdir -p /base && echo base >/base/f && chmod 4711 /base/f\n'],
  [triggering, `FROM ${base}\nONBUILD WORKDIR /app\nONBUILD COPY x /app/\n`],
];
const folder = mkdtempSync(join(tmpdir(), 'berthgate-build-shapes-'));
const auth = Buffer.from('alice:secret').toString('base64');

/** What the classic builder has not. */
const more: Readonly<Record<string, Shape>> = {
  'mounts of caches, secrets, agents and images': {
    files: {
      Dockerfile: `# syntax=docker/dockerfile:1\nFROM busybox AS one\nRUN --mount=type=cache,target=/c --mount=type=secret,id=word --mount=type=ssh --mount=from=${base},target=/b date >/c/now && cut -c1-3 /run/secrets/word >/word && test -S "$SSH_AUTH_SOCK" && cat /b/base/f >>/word\nFROM scratch\nCOPY --link --chmod=640 --from=one /word /\n`,
    },
  },
  'platforms and their arguments': {
    files: {
      Dockerfile: `FROM --platform=$BUILDPLATFORM ${base} AS b\nARG TARGETOS TARGETARCH\nRUN echo $TARGETOS/$TARGETARCH >/p\nFROM ${base}\nCOPY --from=b --chown=3:4 /p /p\nCOPY <<-EOF /h\n\tone\nEOF\n`,
    },
  },
};

const shapes = Object.entries({ ...shapesOn(base, triggering), ...more }).filter(
  ([, { failsOn }]) => failsOn === undefined,
);
const failing = ['a step that fails', 'an instruction that is none'];
const targets = shapes
  .filter(([name]) => !failing.includes(name))
  .map(([name, shape]) => [name.toLowerCase().replace(/\W/g, '-'), shape] as const);

let registry: TestRegistry | undefined;

beforeAll(async () => {
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  registry = await startRegistry({ htpasswd });
  writeFileSync(join(folder, 'secret'), 'hidden');
  const { privateKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  writeFileSync(join(folder, 'key'), privateKey, { mode: 0o600 });
  for (const [name, { files }] of targets) {
    write(join(folder, 'through', name), files);
    // Without Berthgate the engine would ask a registry for what reads the file.
    const plain = Object.entries(files).map(([file, text]) => [file, text.replace('# syntax=docker/', '# ')]);
    write(join(folder, 'direct', name), Object.fromEntries(plain));
  }
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await registry?.stop();
});

function write(context: string, files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(context, file)), { recursive: true });
    writeFileSync(join(context, file), text);
  }
  return context;
}

/** A bake of all of them, with an output of each. */
function bakeFile(contexts: string, outputOf: (name: string) => string): string {
  const target = ([name, { args = [] }]: (typeof targets)[number]): readonly [string, object] => {
    const said = (flag: string): readonly string[] => args.flatMap((arg, at) => (args[at - 1] === flag ? [arg] : []));
    const pairs = (flag: string) => Object.fromEntries(said(flag).map((pair) => pair.split('=')));
    return [
      name,
      {
        context: join(folder, contexts, name),
        dockerfile: said('-f')[0] ?? 'Dockerfile',
        args: pairs('--build-arg'),
        labels: pairs('--label'),
        target: said('--target')[0],
        tags: [`${run}-${name}`],
        secret: [`id=word,src=${folder}/secret`],
        ssh: [`default=${folder}/key`],
        output: [outputOf(name)],
      },
    ];
  };
  const file = join(folder, `${randomBytes(4).toString('hex')}.json`);
  const group = { default: { targets: targets.map(([name]) => name) } };
  writeFileSync(file, JSON.stringify({ group, target: Object.fromEntries(targets.map(target)) }));
  return file;
}

describe.skipIf(!hasRegistry())('shapes of builds by BuildKit', () => {
  describeEachEngine(
    'in a namespace',
    (engine) => {
      let served: Awaited<ReturnType<typeof serveListeners<'alice'>>>;
      let gateway = '';
      const config = makeDockerConfig();
      const env = {
        DOCKER_BUILDKIT: '1',
        DOCKER_CONFIG: config,
        BUILDKIT_PROGRESS: 'plain',
        BUILDX_BAKE_ENTITLEMENTS_FS: '0',
      };
      const hosts = (): readonly string[] => [engine.host, `unix://${served.sockets.alice}`];
      const done = async (host: string, args: readonly string[], more: object = {}): Promise<string> => {
        const { code, stdout, stderr } = await dockerCli(host, args, { timeoutMs: 150_000, env: { ...env, ...more } });
        expect(code, `docker ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
        if (host !== engine.host) expect(stdout + stderr).not.toMatch(OURS);
        return stdout + stderr;
      };

      beforeAll(async () => {
        writeFileSync(
          join(config, 'config.json'),
          JSON.stringify({ auths: { [HOST]: { auth }, [registry?.host ?? '']: { auth } } }),
        );
        gateway = `127.0.0.1:${await freePort()}`;
        served = await serveListeners(
          engine.host,
          { alice: { namespace: run, policies: ['conservative'] } },
          {
            engines: [{ name: 'engine', url: engine.host, gateway }],
            images: { shared: ['busybox'] },
            registry: { upstreams: [{ host: HOST, url: registry?.url }] },
          },
        );
        for (const host of hosts()) {
          for (const [name, text] of BASES) {
            const context = write(mkdtempSync(join(folder, 'base-')), { Dockerfile: text });
            await done(host, ['build', '--tag', name, context]);
          }
        }
      });
      afterAll(async () => {
        await served?.stop();
        const listed = await ask(engine.socket, 'GET', '/images/json');
        const tags = listed.json<{ RepoTags: string[] | null }[]>().flatMap(({ RepoTags }) => RepoTags ?? []);
        const ours = tags.filter((tag) => tag.startsWith(`${gateway}/`) || tag.includes(run));
        if (ours.length > 0) await docker(engine, ['rmi', '--force', ...ours]);
      });

      test(`${targets.length} of them give the same`, async () => {
        const results = [];
        for (const host of hosts()) {
          const contexts = host === engine.host ? 'direct' : 'through';
          const out = mkdtempSync(join(folder, 'out-'));
          const metadata = join(out, 'metadata.json');
          await done(host, [
            'buildx',
            'bake',
            '--metadata-file',
            metadata,
            '--file',
            bakeFile(contexts, () => 'type=docker'),
          ]);
          await done(host, [
            'buildx',
            'bake',
            '--file',
            bakeFile(contexts, (name) => `type=tar,dest=${out}/${name}.tar`),
          ]);
          const told = readFileSync(metadata, 'utf8');
          if (host !== engine.host) expect(told).not.toMatch(OURS);
          const said = JSON.parse(told) as Record<string, Record<string, unknown>>;
          const images = targets.map(([name]) => `${run}-${name}`);
          const inspected = await done(host, ['image', 'inspect', ...images]);
          const configs = (JSON.parse(inspected) as { Config: object; Architecture: string }[]).map(
            ({ Config }) => Config,
          );
          const history = await done(host, [
            'history',
            '--no-trunc',
            '--format',
            '{{.CreatedBy}} {{.Size}}',
            `${run}-two-stages`,
          ]);
          results.push({
            history,
            configs,
            said: targets.map(([name]) =>
              Object.keys(said[name] ?? {})
                .filter((key) => !key.includes('build.'))
                .sort(),
            ),
          });
          for (const [at, [name]] of targets.entries()) {
            const tar = join(out, `${name}.tar`);
            const list = await command('tar', ['-tvf', tar, '--numeric-owner', '--full-time', '--utc']);
            const sums = await command('sh', ['-c', `tar -xOf ${tar} | sha256sum`]);
            const files = list.stdout.replace(/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? /g, ' ') + sums.stdout;
            results.push([name, at, files]);
          }
        }
        const half = results.length / 2;
        expect(results.slice(half)).toEqual(results.slice(0, half));
        expect(half).toBe(targets.length + 1);
      });

      test('pushed with a fixed date, it has the digest that it has without Berthgate', async () => {
        const context = write(join(folder, 'dated'), {
          Dockerfile: `FROM busybox AS one\nRUN cp /f /g 2>/dev/null; echo of-one >/one && touch -d @1 /one\nFROM busybox\nCOPY file /file\nCOPY --from=one /one /one\nENV A=b\nLABEL c=d\nCMD ["cat", "/file"]\n`,
          file: 'a file',
        });
        utimesSync(join(context, 'file'), 1, 1);
        const digests: string[] = [];
        for (const [host, name] of [
          [engine.host, `${registry?.host}/${run}/direct-${engine.name}`],
          [hosts()[1] ?? '', `${HOST}/${run}/through-${engine.name}`],
        ] as const) {
          const out = join(folder, `${digests.length}-${engine.name}.json`);
          // With images in containerd an engine by itself attests what nobody has asked for.
          const given = ['--no-cache', '--provenance=false', '--push', '--tag', name, '--metadata-file', out];
          await done(host, ['buildx', 'build', ...given, context], { SOURCE_DATE_EPOCH: '1000000000' });
          const told = readFileSync(out, 'utf8');
          if (host !== engine.host) expect(told).not.toMatch(OURS);
          const path = name.slice(name.indexOf('/') + 1);
          const answer = await fetch(`${registry?.url}/v2/${path}/manifests/latest`, {
            headers: {
              authorization: `Basic ${auth}`,
              accept:
                'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json',
            },
          });
          expect(answer.status).toBe(200);
          digests.push(answer.headers.get('docker-content-digest') ?? '');
        }
        expect(digests[0]).toMatch(/^sha256:/);
        expect(digests[1]).toBe(digests[0]);
      });

      test('what fails says the same', async () => {
        const said = [];
        for (const host of hosts()) {
          for (const name of failing) {
            const { files } = shapesOn(base, triggering)[name] as Shape;
            const context = write(mkdtempSync(join(folder, 'failing-')), files);
            const { code, stderr } = await dockerCli(host, ['build', '--no-cache', context], {
              timeoutMs: 120_000,
              env,
            });
            expect(code).toBe(1);
            // Where a source policy has changed what a step is made of, BuildKit does not find its line again.
            said.push(
              stderr
                .replace(/^Dockerfile:\d+\n-+\n[\s\S]*?\n-+\n/m, '')
                .slice(stderr.indexOf('\n------\n'))
                .replace(/^ > .*$/m, ' > STEP')
                .replace(/\d+\.\d+s?/g, 'TIME')
                .replace(/sha256:[0-9a-f]+/g, 'ID'),
            );
          }
        }
        expect(said.slice(2)).toEqual(said.slice(0, 2));
      });
    },
    ({ version, socket }) => socket !== '' && Number(version.split('.')[0]) >= 24,
  );
});
