// `berthgate run -- COMMAND` as a person runs it, in front of real engines: what the command gets, and what is left of it.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import {
  type CommandResult,
  run as command,
  describeEachEngine,
  docker,
  dockerClis,
  dockerEnvironment,
  hasRegistry,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';
import { ALL, kinds, leftOf, runConfig, serving } from './run-site.ts';
import { Watched } from './watched.ts';

const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const HOST = 'r.example.org:5000';
const mark = `mark-${randomBytes(4).toString('hex')}`;
const OWN_FAULT = 125;

/** Everything of it is labelled, so that what nobody owns is seen too. */
const BUILD = (steps: string): string =>
  `docker build -t app --label ${mark}=app - <<END\nFROM ${HOST}/base:1\nLABEL ${mark}=step\nRUN echo 1 >/one\n${steps}\nEND`;
const MAKE = `
docker network create net
docker volume create data
docker run -d --name web --network net -v data:/data -v /anon --label ${mark} app sleep 600
docker create --label ${mark} --entrypoint true ${HOST}/base:1`;

let registry: TestRegistry | undefined;

beforeAll(async () => {
  if (hasRegistry()) registry = await startRegistry();
});
afterAll(() => registry?.stop());

describe.skipIf(!hasRegistry())('berthgate run', () => {
  describeEachEngine(
    'on an engine',
    (engine: TestEngine) => {
      let folder = '';
      const isClassic = engine.name.startsWith('20.10');
      const env = (): Record<string, string> => {
        const { DOCKER_HOST: _, ...plain } = dockerEnvironment(engine);
        const path = `${folder}/bin:${plain.PATH}`;
        return { ...plain, PATH: path, DOCKER_BUILDKIT: isClassic ? '0' : '1' };
      };
      const args = (...more: readonly string[]): readonly string[] => [
        program,
        'run',
        '--config',
        join(folder, 'berthgate.yaml'),
        ...more,
      ];
      const through = (script: string, ...options: readonly string[]): Promise<CommandResult> =>
        command(process.execPath, args(...options, '--', 'sh', '-ec', script), { env: env(), timeoutMs: 170_000 });
      /** Left running. */
      const begin = (script: string, ...options: readonly string[]): Watched => {
        const line = ['--', 'sh', '-ec', `echo JOB $BERTHGATE_JOB\n${script}`];
        const running = new Watched(process.execPath, args(...options, ...line), { env: env() });
        onTestFinished(() => running.kill());
        return running;
      };
      const jobOf = async (running: Watched): Promise<string> =>
        (await running.said(/^JOB (j-[0-9a-f]{20})$/m))[1] as string;

      const left = (job: string): Promise<readonly string[]> => leftOf(engine, job, mark);

      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), 'berthgate-run-'));
        await mkdir(join(folder, 'bin'));
        await symlink(dockerClis.at(-1)?.path ?? '', join(folder, 'bin/docker'));
        const config = await runConfig(folder, engine, { host: HOST, url: registry?.url });
        await writeFile(join(folder, 'berthgate.yaml'), JSON.stringify(config));
        // A job's image gets to a registry as any other.
        const pushed = await through(
          `docker build -q -t ${HOST}/base:1 - <<END\nFROM busybox\nRUN echo base-${mark} >/base\nEND\ndocker push -q ${HOST}/base:1`,
        );
        expect(`${pushed.code} ${pushed.stderr}`).toMatch(/^0 /);
      });
      afterAll(async () => {
        if (folder !== '') await rm(folder, { recursive: true, force: true });
      });

      test('a command builds, pulls and runs as always, and afterwards the engine is as it was', async () => {
        // As the first command of all has built it.
        const again = isClassic
          ? ''
          : `docker build --progress=plain - 2>&1 <<END\nFROM busybox\nRUN echo base-${mark} >/base\nEND\n`;
        const running = begin(
          `${again}docker pull -q ${HOST}/base:1\n${BUILD('RUN echo 2 >/two')}${MAKE}\ndocker ps --format 'seen {{.Names}}'\nread wait\nexit 7`,
        );
        const job = await jobOf(running);
        if (!isClassic) await running.said(/echo base-.*\n#\d+ CACHED/, 120_000);
        await running.said(/^seen web$/m, 120_000);
        const during = await left(job);
        expect(kinds(during)).toEqual(ALL);
        expect(during).toContain(`container /${job}.web`);
        expect(await readdir(join(folder, 'state/instances'))).toHaveLength(1);
        running.type('\n');
        expect((await running.end(60_000)).code).toBe(7);
        expect(await left(job)).toEqual([]);
        expect(await readdir(join(folder, 'state/instances'))).toEqual([]);
      });

      test('nothing is seen of what else the engine has, and none of it is touched', async () => {
        const outside = `${mark}-outside`;
        await docker(engine, ['run', '-d', '--name', outside, 'busybox', 'sleep', '600']);
        try {
          const { stdout, code } = await through(
            `docker ps -aq; docker volume ls -q; docker rm -f ${outside} 2>&1 | tail -1; docker run --name ${outside} busybox echo inside`,
          );
          expect(code).toBe(0);
          expect(stdout).toMatch(/no such container/i);
          expect(stdout.trim().split('\n').at(-1)).toBe('inside');
          expect(stdout.trim().split('\n')).toHaveLength(2);
          expect(await docker(engine, ['inspect', '-f', '{{.State.Running}}', outside])).toBe('true');
        } finally {
          await docker(engine, ['rm', '-f', outside]);
        }
      });

      test('an image of somebody is not the job’s because a step speaks of it as the builder does', async () => {
        const theirs = `${mark}-theirs`;
        await docker(engine, ['create', '--name', theirs, 'busybox']);
        try {
          const id = (await docker(engine, ['commit', theirs, theirs])).slice('sha256:'.length, 'sha256:'.length + 12);
          const { stdout } = await through(
            `DOCKER_BUILDKIT=0 docker build -t app - <<END\nFROM busybox\nRUN ["echo", " ---> ${id}"]\nRUN echo more\nEND\ndocker run --rm ${id} echo taken 2>&1 || true`,
          );
          expect(stdout).toMatch(new RegExp(`^ ---> ${id}$`, 'm'));
          expect(stdout).toMatch(/Successfully tagged app/);
          expect(stdout).not.toMatch(/^taken$/m);
          expect(await docker(engine, ['image', 'inspect', '-f', '{{.RepoTags}}', theirs])).not.toMatch(/j-/);
        } finally {
          await docker(engine, ['rm', '-f', theirs]);
          await docker(engine, ['rmi', '-f', theirs]);
        }
      });

      const moments = {
        'in the middle of a build': {
          script: BUILD('RUN echo step-two && sleep 600'),
          at: /^(?!.*echo).*\bstep-two$/m,
        },
        'with everything there': { script: `${BUILD('')}${MAKE}\necho made\nsleep 600`, at: /^made$/m },
        'with a container that runs in front': {
          script: `${BUILD('')}\ndocker run --rm -v /anon --label ${mark} app sh -c 'echo in-front; sleep 600'`,
          at: /^in-front$/m,
        },
      };
      test.for(Object.entries(moments))('killed %s, the next start leaves nothing of it', async ([, moment]) => {
        const running = begin(moment.script);
        const job = await jobOf(running);
        await running.said(moment.at, 120_000);
        const gone = once(running.child, 'exit');
        running.signal('SIGKILL');
        await gone;
        expect(await left(job)).not.toEqual([]);
        // As long as it lives, nobody takes it away; as soon as not, everybody does.
        expect((await through('true')).code).toBe(0);
        expect(await left(job)).toEqual([]);
        running.kill();
      });

      test('a job whose process lives is left alone by others', async () => {
        const running = begin('docker volume create data; read wait; docker volume ls -q');
        const job = await jobOf(running);
        await running.said(/^data$/m);
        expect((await through('docker volume ls -q')).stdout).toBe('');
        expect(await left(job)).toEqual(expect.arrayContaining([`volume ${job}.data`]));
        running.type('\n');
        const { stdout } = await running.end();
        expect(stdout).toMatch(/^data\ndata$/m);
        expect(await left(job)).toEqual([]);
      });

      test.for(['SIGINT', 'SIGTERM'] as const)(
        'at %s the command ends first, then all that it made',
        async (signal) => {
          const running = begin(
            `trap 'echo trapped; exit 3' INT TERM\n${MAKE.replaceAll(' app ', ' busybox ')}\necho made\nread wait`,
          );
          const job = await jobOf(running);
          await running.said(/^made$/m);
          running.signal(signal);
          const { code, stdout } = await running.end(60_000);
          expect(stdout).toContain('trapped');
          expect(code).toBe(3);
          expect(await left(job)).toEqual([]);
        },
      );

      test('the exit code is the command’s own', async () => {
        const codeOf = async (...more: readonly string[]): Promise<number> =>
          (await command(process.execPath, args(...more), { env: env() })).code;
        expect(await codeOf('--', 'sh', '-c', 'exit 42')).toBe(42);
        expect(await codeOf('sh', '-c', 'kill -KILL $$')).toBe(137);
        expect(await codeOf('--', 'no-such-command-anywhere')).toBe(127);
        expect(await codeOf('--', '/etc/passwd')).toBe(126);
        expect(await codeOf()).toBe(2);
        expect(await codeOf('--listener', 'nobody', '--', 'true')).toBe(1);
      });

      const jobs = (...more: readonly string[]): Promise<CommandResult> =>
        command(process.execPath, [program, 'jobs', ...more, '--config', join(folder, 'berthgate.yaml')], {
          env: env(),
        });

      test('kept, it is there to be looked at until it is told to go', async () => {
        const { code, stdout, stderr } = await through(
          `echo JOB $BERTHGATE_JOB; docker create --name web busybox; docker tag busybox app; exit 9`,
          '--keep',
        );
        const [, job = ''] = /^JOB (j-\w+)$/m.exec(stdout) ?? [];
        expect(code).toBe(9);
        expect(stderr).toContain(`berthgate jobs rm ${job} --direct`);
        // The next one leaves it alone.
        await through('true');
        expect(kinds(await left(job))).toEqual(ALL);
        const listed = JSON.parse((await jobs('list', '--direct', '--json')).stdout) as { job: string }[];
        expect(listed.find((one) => one.job === job)).toMatchObject({
          engine: 'engine',
          holder: 'process',
          state: 'kept',
          containers: 1,
          networks: 1,
          volumes: 0,
          images: 1,
        });
        const removed = await jobs('rm', job, '--direct');
        expect(removed).toMatchObject({ code: 0, stderr: '' });
        expect(removed.stdout).toMatch(/^engine: removed container web$/m);
        expect(await left(job)).toEqual([]);
        expect(await jobs('rm', job, '--direct')).toMatchObject({ code: 1, stderr: `berthgate: no job ${job}\n` });
      });

      test.runIf(engine.name === '28.5')('what the engine does not give up is left to the next start', async () => {
        const running = begin('docker volume create data; read wait');
        const job = await jobOf(running);
        await running.said(/^data$/m);
        const outside = `${mark}-user`;
        await docker(engine, ['create', '--name', outside, '-v', `${job}.data:/d`, 'busybox']);
        try {
          running.type('\n');
          const { code, stderr } = await running.end(120_000);
          expect(code).toBe(OWN_FAULT);
          expect(stderr).toMatch(/left: volume data: .*in use/);
          expect(await left(job)).toEqual(expect.arrayContaining([`volume ${job}.data`]));
        } finally {
          await docker(engine, ['rm', '-f', outside]);
        }
        expect((await through('true')).code).toBe(0);
        expect(await left(job)).toEqual([]);
      });

      test('a server lists and ends jobs, and ends by itself those of processes that were killed', async () => {
        const living = begin('docker volume create data; read wait');
        const job = await jobOf(living);
        await living.said(/^data$/m);
        const killed = begin('docker volume create data; read wait');
        const dead = await jobOf(killed);
        await killed.said(/^data$/m);
        const gone = once(killed.child, 'exit');
        killed.signal('SIGKILL');
        await gone;
        // What an engine was done with when its job had ended already; that of another installation is not ours.
        const late = async (instance: string): Promise<string> => {
          const of = `j-${randomBytes(10).toString('hex')}`;
          const Labels = { 'berthgate.namespace': of, 'berthgate.job': of, 'berthgate.instance': instance };
          const body = { Name: `${of}.late`, Labels };
          expect((await ask(engine.socket, 'POST', '/volumes/create', { body })).status).toBe(201);
          return of;
        };
        const id = randomBytes(16).toString('hex');
        const [stray, foreign] = [await late(`run-${id}`), await late(id)];
        const server = serving(program, join(folder, 'berthgate.yaml'));
        try {
          await server.said(/^export DOCKER_HOST=/m);
          await expect.poll(() => left(dead), { timeout: 60_000, interval: 100 }).toEqual([]);
          await expect.poll(() => left(stray), { timeout: 60_000, interval: 100 }).toEqual([]);
          expect(await left(foreign)).toHaveLength(1);
          expect((await ask(engine.socket, 'DELETE', `/volumes/${foreign}.late`)).status).toBe(204);
          expect((await jobs('list')).stdout).toMatch(
            new RegExp(`^${job} +engine +\\w+ +process +lives +\\d+\\w +0 +0 +1 +0$`, 'm'),
          );
          // It is counted when the last of it is gone.
          await expect
            .poll(async () => (await ask(join(folder, 'admin.sock'), 'GET', '/metrics')).text, { timeout: 60_000 })
            .toMatch(/^berthgate_job_leaks_total [1-9]/m);
          expect((await jobs('rm', job)).stdout).toMatch(/^removed 1 volume$/m);
          expect(await left(job)).toEqual([]);
        } finally {
          server.signal('SIGTERM');
          await server.end();
          living.type('\n');
          await living.end();
          killed.kill();
        }
      });

      test('with gc, what a job has pulled stays for the next one, for as long as that says', async () => {
        const plain = JSON.parse(await readFile(join(folder, 'berthgate.yaml'), 'utf8'));
        const pull = `docker pull -q ${HOST}/base:1 && docker inspect -f '{{.Id}}' ${HOST}/base:1`;
        const kept = async (): Promise<readonly string[]> =>
          (await docker(engine, ['images', '--format', '{{.Tag}}', 'berthgate.invalid/kept'])).split('\n');
        const config = async (keepImages: string): Promise<string> => {
          const file = join(folder, `gc-${keepImages}.yaml`);
          await writeFile(file, JSON.stringify({ ...plain, gc: { high: '100%', keepImages } }));
          return file;
        };
        const long = await config('24h');
        const blobs = (): number => (registry?.log() ?? '').match(/"GET [^"]*\/blobs\//g)?.length ?? 0;
        const runs = (file: string, script: string): Promise<CommandResult> =>
          command(process.execPath, [program, 'run', '-c', file, '--', 'sh', '-ec', script], {
            env: env(),
            timeoutMs: 120_000,
          });
        const first = await runs(long, pull);
        const id = (first.stdout.trim().split('\n').at(-1) ?? '').replace('sha256:', '');
        expect(await kept()).toEqual(expect.arrayContaining([expect.stringContaining(id)]));
        // Nobody sees it who has not pulled it.
        expect((await runs(long, 'docker images -aq --no-trunc')).stdout).not.toContain(id);
        expect((await runs(long, `docker run --rm ${id} true || echo absent`)).stdout).toContain('absent');
        const before = blobs();
        expect(before).toBeGreaterThan(0);
        expect((await runs(long, pull)).code).toBe(0);
        expect(blobs()).toBe(before);
        const short = await config('1s');
        const server = serving(program, short);
        try {
          await server.said(/^export DOCKER_HOST=/m);
          const gc = (...more: readonly string[]): Promise<CommandResult> =>
            command(process.execPath, [program, 'gc', '--config', short, ...more], { env: env() });
          expect((await gc('--dry-run')).stdout).toMatch(new RegExp(`^engine +image +sha256:${id} .* expired$`, 'm'));
          expect((await kept()).join()).toContain(id);
          const [report] = JSON.parse((await gc('--json')).stdout) as { disk: number; garbage: { name: string }[] }[];
          expect(report?.garbage.map(({ name }) => name)).toContain(`sha256:${id}`);
          expect((await kept()).join()).not.toContain(id);
        } finally {
          server.signal('SIGTERM');
          await server.end();
        }
      });

      test('a listener of the configuration lends its policies', async () => {
        const mounting = 'docker run --rm -v /etc:/host-etc busybox echo let-in 2>&1';
        expect((await through(mounting)).stdout).toBe('let-in\n');
        const { code, stdout } = await through(mounting, '--listener', 'strict');
        expect(stdout).toContain('refused by policy conservative');
        expect(code).not.toBe(0);
      });
    },
    (engine) => engine.socket !== '',
  );

  test('where there is no engine, it says so and runs nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berthgate-run-'));
    const config = join(folder, 'berthgate.yaml');
    await writeFile(
      config,
      JSON.stringify({
        state: join(folder, 'state'),
        engines: [{ name: 'engine', url: `unix://${folder}/absent.sock` }],
        listeners: [{ name: 'unused', url: `unix://${folder}/unused.sock` }],
      }),
    );
    const { code, stdout, stderr } = await command(process.execPath, [
      program,
      'run',
      '-c',
      config,
      '--',
      'echo',
      'ran',
    ]);
    expect(code).toBe(OWN_FAULT);
    expect(stdout).toBe('');
    expect(stderr).toContain('not reachable');
    await rm(folder, { recursive: true, force: true });
  });
});
