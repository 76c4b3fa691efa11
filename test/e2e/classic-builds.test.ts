// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
// Builds by the classic builder, judged by what their Dockerfiles take from elsewhere while the context passes.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { describeEachEngine, docker, dockerCli } from '../engines/index.ts';
import { shapesOn } from './build-shapes.ts';
import { contentsOf } from './image-contents.ts';

const run = `clb-${randomBytes(3).toString('hex')}`;
const base = `${run}-base`;
const triggering = `${run}-triggers`;
/** Names that the policy does not allow, and an allowed one that leads to them. */
const denied = `${run}x`;
const leading = `${run}-leads`;

const shapes = shapesOn(base, triggering);

describeEachEngine(
  'classic builds',
  (engine) => {
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-classic-'));
    const env = { DOCKER_BUILDKIT: '0' };
    let berthgate: InProcess;
    let deniedId = '';

    beforeAll(async () => {
      const made: Readonly<Record<string, string>> = {
        [base]: 'FROM busybox\nRUN mkdir -p /base && echo base >/base/f && chmod 4711 /base/f\n',
        [triggering]: `FROM ${base}\nONBUILD WORKDIR /app\nONBUILD COPY x /app/\nONBUILD COPY --from=${base} /base /app/base\n`,
        [denied]: 'FROM busybox\nLABEL denied=yes\n',
        [leading]: `FROM busybox\nONBUILD COPY --from=${denied} /etc/group /d\n`,
      };
      for (const [name, input] of Object.entries(made)) {
        await docker(engine, ['build', '-t', name, '-'], { env, input });
      }
      deniedId = await docker(engine, ['image', 'inspect', '-f', '{{.Id}}', denied]);
      berthgate = await serveInFrontOf(engine.host, {
        policies: ['conservative', { use: 'images', build: { allow: ['busybox', `${run}-*`] } }],
      });
    });
    afterAll(async () => {
      await berthgate?.stop();
      await dockerCli(engine, ['rmi', '-f', triggering, leading, denied, base]);
      rmSync(folder, { recursive: true });
    });

    const contextOf = (name: string, files: Readonly<Record<string, string>>): string => {
      const context = join(folder, name.replace(/\W/g, '-'));
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(context, file)), { recursive: true });
        writeFileSync(join(context, file), text);
      }
      return context;
    };
    const through = (): string => `unix://${berthgate.socket}`;

    test.for(Object.entries(shapes))(
      '%s builds the same as without Berthgate',
      async ([name, { files, args = [] }]) => {
        const context = contextOf(name, files);
        const tag = `${run}-${name.replace(/\W/g, '-')}-${engine.name}`.toLowerCase();
        const hosts = [engine.host, through()];
        const built = await Promise.all(
          hosts.map(async (host, index) => {
            const given = args.map((arg) => (arg.endsWith('ockerfile') ? join(context, arg) : arg));
            const command = ['build', '--no-cache', '--force-rm', '-t', `${tag}:${index}`, ...given, context];
            const { code, stdout } = await dockerCli(host, command, { env, timeoutMs: 120_000 });
            const told = stdout.replace(/\b[0-9a-f]{12}\b/g, 'ID').replaceAll(`${tag}:${index}`, 'TAG');
            return { code, told, image: code === 0 ? await contentsOf(engine, `${tag}:${index}`) : null };
          }),
        );
        await dockerCli(engine, ['rmi', '-f', `${tag}:0`, `${tag}:1`]);
        expect(built[1]).toEqual(built[0]);
        expect(built[0]?.code === 0).toBe(
          !/^a step that fails|that is none|heredoc/.test(name) || built[0]?.image !== null,
        );
      },
    );

    test.for([
      ['FROM', `FROM ${denied}\n`],
      ['FROM by an argument', `ARG X=b\nFROM \${X:+${denied}}\n`],
      ['COPY --from', `FROM busybox\nCOPY --from=${denied} /etc/group /\n`],
      ['a later stage', `FROM busybox AS a\nFROM a\nFROM ${denied}\n`],
      ['FROM by id', 'FROM ID\n'],
      ['FROM by the beginning of an id', 'FROM SHORT\n'],
      ['a trigger', `FROM ${leading}\n`],
    ] as const)('an image that is not allowed is refused before a step is run: %s', async ([, dockerfile]) => {
      const input = dockerfile.replace('ID', deniedId).replace('SHORT', deniedId.slice('sha256:'.length, 19));
      const control = await dockerCli(engine, ['build', '--no-cache', '-'], { env, input });
      expect([control.code, control.stderr]).toEqual([0, expect.any(String)]);
      const judged = await dockerCli(through(), ['build', '--no-cache', '-'], { env, input });
      expect(judged.code).toBe(1);
      expect(judged.stderr).toMatch(/refused by policy images: Dockerfile:\d+ .*must not be built from/);
      expect(judged.stdout).not.toContain('Step');
    });

    test('an address is fetched by no ADD, whoever brings it', async () => {
      const added = await dockerCli(through(), ['build', '-'], {
        env,
        input: 'FROM busybox\nENV U=http://127.0.0.1:1/\nADD ${U}x /x\n',
      });
      expect([added.code, added.stderr]).toEqual([
        1,
        expect.stringContaining('Dockerfile:3 must not ADD http://127.0.0.1:1/x'),
      ]);
      const name = `${run}-fetches`;
      await docker(engine, ['build', '-t', name, '-'], {
        env,
        input: 'FROM busybox\nONBUILD ADD http://127.0.0.1:1/ /x\n',
      });
      try {
        const triggered = await dockerCli(through(), ['build', '-'], { env, input: `FROM ${name}\n` });
        expect([triggered.code, triggered.stderr]).toEqual([1, expect.stringContaining('must not ADD')]);
        // The control: the engine itself tries.
        const control = await dockerCli(engine, ['build', '-'], { env, input: `FROM ${name}\n` });
        expect(control.stderr + control.stdout).toMatch(/127\.0\.0\.1:1.*refused/);
      } finally {
        await dockerCli(engine, ['rmi', '-f', name]);
      }
    });

    test('a Dockerfile that is a link is read where it leads, and a packed context is unpacked', async () => {
      const context = contextOf('linked', { 'real.Dockerfile': `FROM ${denied}\n` });
      symlinkSync('real.Dockerfile', join(context, 'Dockerfile'));
      const { code, stderr } = await dockerCli(through(), ['build', '--compress', context], { env });
      expect([code, stderr]).toEqual([1, expect.stringMatching(/Dockerfile:1 .*x:latest must not be built from/)]);
    });
  },
  ({ name }) => name !== '26.1',
);
