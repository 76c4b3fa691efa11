// `berthgate namespaces` for the administrator of a running server, in front of real engines.

import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import {
  type CommandResult,
  describeEachEngine,
  docker,
  dockerCli,
  freePort,
  run,
  type TestEngine,
} from '../engines/index.ts';
import { type Killable, startKillable } from './killed.ts';

const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

describeEachEngine(
  'berthgate namespaces',
  (engine: TestEngine) => {
    const ns = `adm-${randomBytes(3).toString('hex')}`;
    let killable: Killable | undefined;
    let gateway = '';
    const it = (): Killable => killable as Killable;
    const through = (): string => `unix://${it().socket}`;
    const namespaces = (...args: readonly string[]): Promise<CommandResult> =>
      run(process.execPath, [program, 'namespaces', ...args, '--config', it().config]);
    const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${ns}`] }));
    /** What the engine itself has of it. */
    async function onEngine(): Promise<number> {
      const listed = await Promise.all(
        [
          `/containers/json?all=1&filters=${filters}`,
          `/networks?filters=${filters}`,
          `/volumes?filters=${filters}`,
        ].map(async (path) =>
          (await ask(engine.socket, 'GET', path)).json<unknown[] | { Volumes: unknown[] | null }>(),
        ),
      );
      return listed.flatMap((list) => (Array.isArray(list) ? list : (list.Volumes ?? []))).length;
    }
    async function imagesOnEngine(): Promise<readonly string[]> {
      const listed = (await ask(engine.socket, 'GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
      return listed.flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => tag.startsWith(`${gateway}/${ns}/`));
    }
    const build = (tag: string, step: string): Promise<string> =>
      docker(through(), ['build', '-q', '-t', tag, '-'], {
        env: { DOCKER_BUILDKIT: '0' },
        input: `FROM busybox\nRUN echo ${step} >/step\n`,
        timeoutMs: 120_000,
      });

    async function fill(): Promise<void> {
      await docker(through(), ['network', 'create', 'net']);
      await docker(through(), ['volume', 'create', 'data']);
      await docker(through(), [
        'run',
        '-d',
        '--name',
        'web',
        '--network',
        'net',
        '-v',
        'data:/data',
        '-v',
        '/anon',
        'busybox',
        'sleep',
        '600',
      ]);
      await docker(through(), ['run', '-d', '--name', 'paused', 'busybox', 'sleep', '600']);
      await docker(through(), ['pause', 'paused']);
      await docker(through(), ['create', '--name', 'never', '-v', '/anon', 'busybox', 'true']);
      await build('app:1', 'former');
      await build('app:1', 'later');
      await docker(through(), ['tag', 'app:1', 'example.org/team/app:2']);
      await docker(through(), ['create', '--name', 'built', 'example.org/team/app:2']);
      await docker(through(), ['run', '-d', '--rm', '--name', 'auto', '-v', '/anon', 'busybox', 'sleep', '600']);
    }

    beforeAll(async () => {
      gateway = `127.0.0.1:${await freePort()}`;
      killable = await startKillable(engine, ns, [], gateway);
    });

    afterAll(async () => {
      await namespaces('rm', ns, '--yes').catch(() => {});
      await killable?.stop();
    });

    test('lists and shows what each has, by the names of its clients', async () => {
      await fill();
      const listed = JSON.parse((await namespaces('list', '--json')).stdout) as { namespace: string }[];
      const found = listed.find(({ namespace }) => namespace === ns);
      expect(found).toEqual({
        engine: 'engine',
        namespace: ns,
        containers: { running: 2, total: 5 },
        networks: 2,
        volumes: 4,
        images: 2,
        lastUse: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      });
      expect((await namespaces('list')).stdout).toMatch(new RegExp(`^${ns} +engine +2/5 +2 +4 +2 +\\d{4}-`, 'm'));
      const shown = (await namespaces('show', ns)).stdout;
      expect(shown).toMatch(/^container +web +engine +running +[0-9a-f]{64}$/m);
      expect(shown).toMatch(/^container +never +engine +created +[0-9a-f]{64}$/m);
      expect(shown).toMatch(new RegExp(`^volume +data +engine +- +${ns}\\.data$`, 'm'));
      expect(shown).toMatch(/^network +bridge +engine +- +[0-9a-f]{64}$/m);
      expect(shown).toMatch(new RegExp(`^image +app:1 +engine +- +${gateway}/${ns}/docker.io/library/app:1$`, 'm'));
      expect(shown).toMatch(/^image +example.org\/team\/app:2 +engine/m);
      // The former image has lost its name to the later one.
      expect(shown).toMatch(/^image +<none> +engine/m);
      expect(await namespaces('show', 'nobody-has-it')).toMatchObject({
        code: 1,
        stderr: 'berthgate: no namespace nobody-has-it\n',
      });
    });

    test('is for the owner of the server alone, and asks before it removes', async () => {
      expect(lstatSync(it().admin).mode & 0o777).toBe(0o600);
      const refused = await namespaces('rm', ns);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toContain('say --yes');
      expect((await namespaces('rm', 'Not/A/Name', '--yes')).code).toBe(2);
      expect(await onEngine()).toBe(11);
    });

    test('goes on where it was when the server was killed, and lets nothing in meanwhile', async () => {
      let meanwhile: CommandResult | undefined;
      it().before(/^DELETE .*\/containers\//, async () => {
        meanwhile = await dockerCli(through(), ['create', '--name', 'late', 'busybox', 'true']);
      });
      it().before(/^DELETE .*\/networks\//, () => it().kill());
      const interrupted = await namespaces('rm', ns, '--yes');
      expect(interrupted.code).toBe(1);
      expect(interrupted.stdout).toContain('engine: removed container web\n');
      expect(interrupted.stderr).toContain('run it again');
      expect(meanwhile?.stderr).toContain('the namespace is being removed');
      expect(await onEngine()).toBeGreaterThan(0);
      await it().start();
      const done = await namespaces('rm', ns, '--yes');
      expect(done).toMatchObject({ code: 0, stderr: '' });
      expect(done.stdout).toMatch(/^engine: removed volume data$/m);
      expect(done.stdout).toMatch(/^engine: removed image app:1$/m);
      expect(done.stdout).toMatch(/^removed .* volumes, 3 images$/m);
      expect(await onEngine()).toBe(0);
      expect(await imagesOnEngine()).toEqual([]);
      expect((await namespaces('rm', ns, '--yes')).stdout).toBe('removed nothing: there was nothing\n');
      // And it is open again.
      await docker(through(), ['run', '--rm', 'busybox', 'true']);
    });

    test('ends the commands that run, takes others off its networks, and says what is left and why', async () => {
      const outsider = `${ns}-outsider`;
      await docker(through(), ['network', 'create', 'net']);
      await docker(through(), ['volume', 'create', 'held']);
      await build('app:1', 'held');
      const app = `${gateway}/${ns}/docker.io/library/app:1`;
      await docker(through(), ['run', '-d', '--name', 'web', 'busybox', 'sleep', '600']);
      const exec = dockerCli(through(), ['exec', 'web', 'sleep', '600']);
      await docker(engine.host, [
        'run',
        '-d',
        '--name',
        outsider,
        '-v',
        `${ns}.held:/held`,
        '--network',
        `${ns}.net`,
        app,
        'sleep',
        '600',
      ]);
      try {
        const done = await namespaces('rm', ns, '--yes', '--json');
        expect(done.code).toBe(1);
        expect((await exec).code).toBe(137);
        const lines = done.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
        expect(lines.at(-1)).toEqual({ step: 'done', complete: false });
        expect(lines.at(-3)).toMatchObject({ step: 'left', thing: { kind: 'volume', name: 'held' } });
        expect(lines.at(-3).reason).toContain('in use');
        expect(lines.at(-2)).toMatchObject({ step: 'left', thing: { kind: 'image', name: 'app:1' } });
        expect(lines.at(-2).reason).toContain('container');
        expect(await docker(engine.host, ['inspect', '-f', '{{.State.Running}}', outsider])).toBe('true');
      } finally {
        await docker(engine.host, ['rm', '-f', outsider]);
      }
      expect((await namespaces('rm', ns, '--yes')).stdout).toContain('removed 1 volume, 1 image\n');
      expect(await onEngine()).toBe(0);
    });
  },
  (engine) => engine.socket !== '',
);
