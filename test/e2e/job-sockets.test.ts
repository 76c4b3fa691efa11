// Jobs with sockets of their own on real engines: a plain docker client in a container, which cannot tell it from an
// engine; and when the container goes, the engine is as it was.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeAll } from '../attacks/two-users.ts';
import { serveListeners } from '../engine/in-process.ts';
import { ask } from '../engine/raw-client.ts';
import { type CommandResult, describeEachEngine, docker, dockerCli, freePort } from '../engines/index.ts';
import { hasJobClient, makeJobClient } from './job-client.ts';

const SOCKET = '/var/run/docker.sock';
const ENDED_MS = 60_000;

const project = `
services:
  db: {image: busybox, init: true, command: sh -c 'echo word >/data/f; exec httpd -f -p 80 -h /data', volumes: ['data:/data']}
  web: {image: busybox, init: true, command: sleep 600, depends_on: [db]}
volumes: {data: {}}
`;

interface Inspected {
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
}

describe.skipIf(!hasJobClient)('job sockets', () => {
  describeEachEngine(
    'on an engine',
    (engine) => {
      const ns = `job-${randomBytes(3).toString('hex')}`;
      let served: Awaited<ReturnType<typeof serveListeners<'ci' | 'brief' | 'every' | 'owner'>>>;
      let client = '';
      const at = (...args: readonly string[]): Promise<CommandResult> =>
        dockerCli(`unix://${served.sockets.ci}`, args, { timeoutMs: 120_000 });
      const done = async (result: Promise<CommandResult>): Promise<string> => {
        const { code, stdout, stderr } = await result;
        expect(code, stdout + stderr).toBe(0);
        return stdout.trim();
      };
      /** In the container, as its user would type it. */
      const within = (container: string, script: string): Promise<string> =>
        done(at('exec', '--env', 'DOCKER_BUILDKIT=0', container, 'sh', '-c', script));
      const startJob = (name: string, ...more: readonly string[]): Promise<string> =>
        done(
          at(
            'run',
            '--detach',
            '--init',
            '--name',
            name,
            '--volume',
            `${SOCKET}:${SOCKET}`,
            ...more,
            client,
            'sleep',
            '900',
          ),
        );
      const jobOf = async (container: string, of = ns): Promise<string> => {
        const inspection = await ask(engine.socket, 'GET', `/containers/${of}.${container}/json`);
        const label = inspection.json<Inspected>().Config.Labels['berthgate.socket'] ?? '';
        return (JSON.parse(label) as { job: string }).job;
      };
      /** What the engine has of the job, asked of the engine itself. */
      const leftOf = async (job: string): Promise<readonly string[]> => {
        const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${job}`] }));
        const list = async <T>(path: string): Promise<T> =>
          (await ask(engine.socket, 'GET', `/${path}filters=${filters}`)).json<Record<string, unknown>>() as T;
        const containers = await list<{ Names: string[] }[]>('containers/json?all=1&');
        const networks = await list<{ Name: string }[]>('networks?');
        const { Volumes: volumes } = await list<{ Volumes: { Name: string }[] | null }>('volumes?');
        const images = (await ask(engine.socket, 'GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
        return [
          ...containers.flatMap(({ Names }) => Names),
          ...networks.map(({ Name }) => Name),
          ...(volumes ?? []).map(({ Name }) => Name),
          ...images.flatMap(({ RepoTags }) => (RepoTags ?? []).filter((tag) => tag.includes(`/${job}/`))),
        ];
      };
      const endOf = async (job: string): Promise<Readonly<Record<string, unknown>>> => {
        for (const deadline = Date.now() + ENDED_MS; Date.now() < deadline; await pause(50)) {
          const line = served.log().find((one) => one.msg === 'a job has ended' && one.job === job);
          if (line !== undefined) return line;
        }
        throw new Error(`the job ${job} has not ended: ${JSON.stringify(served.log().slice(-20))}`);
      };

      beforeAll(async () => {
        client = await makeJobClient(engine);
        const own = { policies: ['conservative'], networks: { pools: [`${engine.subnetPrefix}.128.0/17`] } };
        served = await serveListeners(
          engine.host,
          {
            ci: { ...own, namespace: ns, jobSocket: {} },
            brief: { ...own, namespace: `${ns}-b`, jobSocket: { linger: '1s' } },
            every: { ...own, namespace: `${ns}-e`, jobSocket: { for: 'every' } },
            owner: { ...own, namespace: `${ns}-o`, jobSocket: { namespace: 'owner' } },
          },
          {
            engines: [{ name: 'engine', url: engine.host, gateway: `127.0.0.1:${await freePort()}` }],
            images: { shared: ['busybox', client] },
          },
        );
      });
      afterAll(async () => {
        for (const one of [ns, `${ns}-b`, `${ns}-e`, `${ns}-o`]) {
          await removeAll((method, path, more) => ask(engine.socket, method, path, more), one);
        }
        await served?.stop();
        if (client !== '') await docker(engine, ['rmi', '--force', client]);
      });

      test('a job builds, runs and composes, and with it all of that is gone', async () => {
        await startJob('build');
        const job = await jobOf('build');
        await within('build', 'printf "FROM busybox\\nRUN echo built >/f\\n" | docker build -t app -');
        expect(await within('build', 'docker run --rm app cat /f')).toBe('built');
        await within(
          'build',
          `mkdir /p && cat >/p/compose.yaml <<'EOF'\n${project}\nEOF\ncd /p && docker compose up --detach`,
        );
        expect(await within('build', 'docker exec p-web-1 wget -qO- http://db/f')).toBe('word');
        await within(
          'build',
          'docker volume create kept && docker network create mine && docker run -d -v /anonymous busybox sleep 600',
        );
        // The job sees its own things alone, and the project nothing of them.
        expect((await within('build', 'docker ps -q')).split('\n')).toHaveLength(3);
        expect(await done(at('ps', '-a', '--format', '{{.Names}}'))).toBe('build');
        expect((await leftOf(job)).length).toBeGreaterThan(8);
        await done(at('rm', '--force', 'build'));
        const { removed } = await endOf(job);
        expect(removed).toMatchObject({ container: 3, volume: 3 });
        expect(await leftOf(job)).toEqual([]);
      });

      test('its client is shown what it asked for, and never the socket of the host', async () => {
        await done(
          at(
            'create',
            '--name',
            'shown',
            '--mount',
            `type=bind,source=//run/../run/docker.sock,target=/s/engine`,
            '-v',
            `/var/run//docker.sock:/t.sock:ro`,
            'busybox',
            'true',
          ),
        );
        const shown = JSON.parse(await done(at('inspect', 'shown')))[0];
        expect(shown.HostConfig.Binds).toEqual(['/var/run//docker.sock:/t.sock:ro']);
        expect(shown.HostConfig.Mounts).toEqual([expect.objectContaining({ Type: 'bind', Target: '/s/engine' })]);
        expect(shown.Mounts.map(({ Destination }: { Destination: string }) => Destination).sort()).toEqual([
          '/s/engine',
          '/t.sock',
        ]);
        const text = (await ask(engine.socket, 'GET', `/containers/${ns}.shown/json`)).json<{
          HostConfig: { Binds: unknown; Mounts: { Source: string; ReadOnly: boolean }[] };
        }>();
        expect(text.HostConfig.Binds ?? []).toEqual([]);
        expect(text.HostConfig.Mounts).toHaveLength(1);
        expect(text.HostConfig.Mounts[0]?.Source).toMatch(/\/state\/jobs\/[0-9a-f]{20}$/);
        expect(text.HostConfig.Mounts[0]?.ReadOnly).toBe(true);
        await done(at('rm', 'shown'));
      });

      test('where nothing can be written before the start, the socket itself is mounted', async () => {
        await startJob('sealed', '--read-only');
        expect(await within('sealed', 'docker ps -q | wc -l')).toBe('0');
        await startJob('tmpfs', '--tmpfs', '/run', '--tmpfs', '/var/run');
        expect(await within('tmpfs', 'docker run --rm busybox echo there')).toBe('there');
        await done(at('rm', '--force', 'sealed', 'tmpfs'));
      });

      test('what a job starts with the socket speaks for the same job, and keeps nothing alive', async () => {
        await startJob('outer');
        const job = await jobOf('outer');
        await within('outer', `docker run -d --name inner -v ${SOCKET}:${SOCKET} ${client} sleep 900`);
        await within(
          'outer',
          `docker exec inner docker run -d --name innermost -v ${SOCKET}:${SOCKET} busybox sleep 900`,
        );
        expect(await jobOf('inner', job)).toBe(job);
        expect((await within('outer', 'docker ps --format "{{.Names}}"')).split('\n').sort()).toEqual([
          'inner',
          'innermost',
        ]);
        await done(at('rm', '--force', 'outer'));
        await endOf(job);
        expect(await leftOf(job)).toEqual([]);
      });

      test('containers with the same label of a CI job share one, and the last of them ends it', async () => {
        const label = (value: string) => ['--label', `com.gitlab.gitlab-runner.job.id=${value}`];
        await startJob('one', ...label('17'));
        await startJob('two', ...label('17'));
        await startJob('other', ...label('18'));
        const job = await jobOf('one');
        expect(await jobOf('two')).toBe(job);
        expect(await jobOf('other')).not.toBe(job);
        await within('one', 'docker run -d --name shared busybox sleep 900');
        expect(await within('two', 'docker ps --format "{{.Names}}"')).toBe('shared');
        expect(await within('other', 'docker ps -q')).toBe('');
        await done(at('rm', '--force', 'one'));
        expect(await within('two', 'docker ps --format "{{.Names}}"')).toBe('shared');
        await done(at('rm', '--force', 'two', 'other'));
        await endOf(job);
        expect(await leftOf(job)).toEqual([]);
      });

      test('a job is kept over a restart of its container, as between two stages', async () => {
        await startJob('stages');
        await within('stages', 'docker volume create of-before');
        await done(at('restart', '--time', '0', 'stages'));
        expect(await within('stages', 'docker volume ls -q')).toBe('of-before');
        await done(at('rm', '--force', 'stages'));
      });

      test('a job that has stopped for longer than it may is ended, and begins anew when it is started', async () => {
        const brief = (...args: readonly string[]) =>
          dockerCli(`unix://${served.sockets.brief}`, args, { timeoutMs: 60_000 });
        await done(
          brief('run', '-d', '--init', '--name', 'still', '-v', `${SOCKET}:${SOCKET}`, client, 'sleep', '900'),
        );
        const job = await jobOf('still', `${ns}-b`);
        await done(brief('exec', 'still', 'docker', 'volume', 'create', 'of-before'));
        await done(brief('stop', '--time', '0', 'still'));
        await endOf(job);
        expect(await leftOf(job)).toEqual([]);
        await done(brief('start', 'still'));
        const listed = brief('exec', 'still', 'sh', '-c', 'until docker volume ls -q; do sleep 0.1; done');
        expect(await done(listed)).toBe('');
        await done(brief('rm', '--force', 'still'));
      });

      test('a container that goes with its end takes its job along', async () => {
        await startJob('auto', '--rm');
        const job = await jobOf('auto');
        await within('auto', 'docker run -d --rm busybox sleep 900');
        await done(at('stop', '--time', '0', 'auto'));
        await endOf(job);
        expect(await leftOf(job)).toEqual([]);
      });

      test('every container has a socket where the listener says so', async () => {
        const every = (...args: readonly string[]) =>
          dockerCli(`unix://${served.sockets.every}`, args, { timeoutMs: 60_000 });
        expect(await done(every('run', '--rm', client, 'docker', 'run', '--rm', 'busybox', 'echo', 'there'))).toBe(
          'there',
        );
      });

      test('an agent that deploys has a socket into the namespace of its owner', async () => {
        const owner = (...args: readonly string[]) =>
          dockerCli(`unix://${served.sockets.owner}`, args, { timeoutMs: 60_000 });
        const script = 'docker run -d --name deployed busybox sleep 900';
        await done(owner('run', '--rm', '-v', `${SOCKET}:${SOCKET}`, client, 'sh', '-c', script));
        expect(await done(owner('ps', '--format', '{{.Names}}'))).toBe('deployed');
      });
    },
    (engine) => engine.socket !== '',
  );
});
