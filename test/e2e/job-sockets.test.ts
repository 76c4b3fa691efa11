// Jobs with sockets of their own on real engines: a plain docker client in a container, which cannot tell it from an
// engine; and when the container goes, the engine is as it was.
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { dockerCli, hasRegistry, run, startRegistry, type TestRegistry } from '../engines/index.ts';
import { hasJobClient, makeNodeFolder } from './job-client.ts';
import { describeJobsAt, done, SOCKET } from './jobs.ts';

const project = `
services:
  db: {image: busybox, init: true, command: sh -c 'echo word >/data/f; exec httpd -f -p 80 -h /data', volumes: ['data:/data']}
  web: {image: busybox, init: true, command: sleep 600, depends_on: [db]}
volumes: {data: {}}
`;

const testProgram = fileURLToPath(new URL('testcontainers-job.mjs', import.meta.url));
const reaper = fileURLToPath(new URL('reaper/reaper.sh', import.meta.url));

const waiting = `
services:
  first: {image: busybox, init: true, command: sleep 600, healthcheck: {test: 'false', retries: 1000}}
  second: {image: busybox, depends_on: {first: {condition: service_healthy}}}
`;

const listeners = {
  brief: { jobSocket: { linger: '1s' } },
  every: { jobSocket: { for: 'every' } },
  owner: { jobSocket: { namespace: 'owner' } },
  runner: {
    jobSocket: {},
    namespace: '{listener}-{label.com.gitlab.gitlab-runner.project.id}',
    trustLabels: true,
  },
};

const REGISTRY = 'registry.example.org';
let registry: TestRegistry | undefined;

describe.skipIf(!hasJobClient)('job sockets', () => {
  beforeAll(async () => {
    if (!hasRegistry()) return;
    const { stdout: htpasswd } = await run('htpasswd', ['-nbB', 'alice', 'secret']);
    registry = await startRegistry({ htpasswd });
  });
  afterAll(() => registry?.stop());
  const site = () => (registry ? { registry: { upstreams: [{ host: REGISTRY, url: registry.url }] } } : {});

  describeJobsAt(site, 'on an engine', listeners, (jobs) => {
    const { at, within, startJob, jobOf, leftOf, endOf, direct } = jobs;
    const builders = Number(jobs.engine.version.split('.')[0]) >= 24 ? ['0', '1'] : ['0'];

    test('a job builds, runs and composes, and with it all of that is gone, also in the middle of more', async () => {
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
      // In the middle of a build by either builder, and of a compose up that waits for what never comes.
      await within(
        'build',
        `mkdir /q && cd /q && cat >compose.yaml <<'EOF'\n${waiting}\nEOF
        printf 'FROM busybox\\nRUN echo ${job} >/made\\nRUN echo be""gun; sleep 600; echo ${job}\\n' >Dockerfile
        for kit in ${builders.join(' ')}; do DOCKER_BUILDKIT=$kit BUILDKIT_PROGRESS=plain docker build -t cut$kit . >/log$kit 2>&1 & done
        docker compose up -d >/log2 2>&1 &
        for kit in ${builders.join(' ')}; do until grep -q begun /log$kit; do sleep 0.1; done; done
        until docker inspect q-first-1; do sleep 0.1; done >/dev/null 2>&1`,
      );
      const steps = async (): Promise<boolean> => (await direct('GET', '/containers/json?all=1')).text.includes(job);
      expect(await steps()).toBe(true);
      await done(at('rm', '--force', 'build'));
      const { removed } = (await endOf(job)) as { readonly removed: Readonly<Record<string, number>> };
      expect(removed.container).toBeGreaterThanOrEqual(4);
      expect(removed).toMatchObject({ volume: 3 });
      expect(await leftOf(job)).toEqual([]);
      expect(await steps()).toBe(false);
    });

    test('Testcontainers in a job reaches what it starts, and Ryuk removes what it leaves', async () => {
      const folder = await makeNodeFolder('testcontainers');
      try {
        cpSync(testProgram, join(folder, 'app/testcontainers-job.mjs'));
        cpSync(reaper, join(folder, 'app/reaper/reaper.sh'));
        mkdirSync(join(folder, 'app/image'));
        const image = 'FROM busybox\nRUN echo -n built >/word\nCMD exec httpd -f -p 80 -h /\n';
        writeFileSync(join(folder, 'app/image/Dockerfile'), image);
        await startJob('tests');
        await done(at('cp', '--quiet', `${folder}/.`, 'tests:/'));
      } finally {
        rmSync(folder, { recursive: true });
      }
      const dockerfile = `FROM ${jobs.client()}\nCOPY reaper.sh /\nLABEL org.testcontainers.ryuk=true\nCMD exec /reaper.sh\n`;
      await within('tests', `cd /app && printf '${dockerfile}' | docker build --tag ryuk:of-ours --file - reaper`);
      const settings = 'RYUK_CONTAINER_IMAGE=ryuk:of-ours TESTCONTAINERS_RYUK_PRIVILEGED=true';
      expect(JSON.parse(await within('tests', `${settings} node /app/testcontainers-job.mjs`))).toEqual({
        built: 'built',
        two: 'two',
        within: 'two',
        // As it was asked for: it has no such right.
        ryuk: 'true',
        left: 4,
      });
      await within('tests', 'until [ -z "$(docker ps --all --quiet)" ]; do sleep 0.2; done');
      // Steps of builds stay for the next one.
      const lists = ['network ls -q', 'images -q --filter dangling=false', 'volume ls -q'].map(
        (list) => `docker ${list} --filter label=org.testcontainers=true`,
      );
      expect(await within('tests', lists.join(';'))).toBe('');
      await done(at('rm', '--force', 'tests'));
    });

    test("what a job has built is in the cache of its owner's next one, by both builders", async () => {
      const dockerfile = `FROM busybox AS made\\nRUN head -c 16 /dev/urandom | md5sum >/made # ${jobs.ns}\\nFROM busybox\\nCOPY --from=made /made /\\nCMD cat /made\\n`;
      const made: string[] = [];
      for (const name of ['cold', 'warm']) {
        await startJob(name);
        const job = await jobOf(name);
        for (const builder of builders) {
          const build = `export DOCKER_BUILDKIT=${builder}; printf '${dockerfile}' | docker build --tag made-${builder} - >&2`;
          made.push(await within(name, `${build} && docker run --rm made-${builder}`));
        }
        await done(at('rm', '--force', name));
        await endOf(job);
        expect(await leftOf(job)).toEqual([]);
      }
      expect(made.slice(builders.length)).toEqual(made.slice(0, builders.length));
      expect(new Set(made).size).toBe(builders.length);
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
      const text = (await ask(jobs.engine.socket, 'GET', `/containers/${jobs.ns}.shown/json`)).json<{
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
      await within('outer', `docker run -d --name inner -v ${SOCKET}:${SOCKET} ${jobs.client()} sleep 900`);
      await within(
        'outer',
        `docker exec inner docker run -d --name innermost -v ${SOCKET}:${SOCKET} busybox sleep 900`,
      );
      // As a container of compose starts those of a project.
      const composed = 'services: {app: {image: busybox, init: true, command: sleep 900}}';
      await within(
        'outer',
        `docker exec inner sh -c "mkdir /p && cd /p && echo '${composed}' >compose.yaml && docker compose up -d"`,
      );
      expect(await jobOf('inner', job)).toBe(job);
      expect((await within('outer', 'docker ps --format "{{.Names}}"')).split('\n').sort()).toEqual([
        'inner',
        'innermost',
        'p-app-1',
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
      const brief = (...args: readonly string[]) => dockerCli(jobs.host('brief'), args, { timeoutMs: 60_000 });
      await done(
        brief('run', '-d', '--init', '--name', 'still', '-v', `${SOCKET}:${SOCKET}`, jobs.client(), 'sleep', '900'),
      );
      const job = await jobOf('still', `${jobs.ns}-brief`);
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

    test('the shapes of GitLab Runner: services, a helper and stages on a network of the build, a cache for the next job', async () => {
      const project = randomBytes(4).toString('hex');
      const cache = `runner-x-project-${project}-cache-${'c'.repeat(32)}`;
      const runner = (args: readonly string[], input?: string) =>
        dockerCli(jobs.host('runner'), args, { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) });
      const prepare = async (job: string) => {
        const prefix = `runner-x-project-${project}-concurrent-0-${job}`;
        const labels = [`project.id=${project}`, `job.id=${job}`, 'managed=true'].flatMap((label) => [
          '--label',
          `com.gitlab.gitlab-runner.${label}`,
        ]);
        const net = `${prefix}-network`;
        // All but the one that waits for the service have the volumes of the runner's configuration, the socket with them.
        const mounts = ['-v', `${cache}:/cache`, '-v', `${prefix}-builds:/builds`, '-v', `${SOCKET}:${SOCKET}`];
        const create = (type: string, alias: string, ...more: readonly string[]): Promise<string> =>
          done(
            runner(
              ['create', '--name', `/${prefix}-${type}`, '--network', net, '--network-alias', alias].concat(
                ...labels,
                ...mounts,
                ...more,
              ),
            ),
          );
        await done(runner(['network', 'create', ...labels, net]));
        for (const volume of [cache, `${prefix}-builds`]) await done(runner(['volume', 'create', ...labels, volume]));
        const owned = ['-v', `${cache}:/cache`, 'busybox', 'chmod', '777', '/cache'];
        await done(runner(['run', '--rm', '--name', `${prefix}-cache-init`, ...labels, ...owned]));
        const serves = ['sh', '-c', 'echo served >/f; exec httpd -f -p 80 -h /'];
        await done(runner(['start', await create('group__web-0', 'web', 'busybox', ...serves)]));
        const address = await done(
          runner([
            'inspect',
            '-f',
            `{{(index .NetworkSettings.Networks "${net}").IPAddress}}`,
            `${prefix}-group__web-0`,
          ]),
        );
        const waits = ['sh', '-c', 'until wget -qO- http://$WAIT_FOR_SERVICE_TCP_ADDR/f; do sleep 0.1; done'];
        const waiter = ['--name', `/${prefix}-group__web-0-wait-for-service`, '--network', net, ...labels];
        await done(runner(['create', ...waiter, '--env', `WAIT_FOR_SERVICE_TCP_ADDR=${address}`, 'busybox', ...waits]));
        await done(runner(['start', waiter[1] as string]));
        expect(await done(runner(['wait', waiter[1] as string]))).toBe('0');
        await done(runner(['rm', '--force', '--volumes', waiter[1] as string]));
        await create('predefined', 'build', '-i', jobs.client(), 'sh');
        await create('build', 'build', '-i', jobs.client(), 'sh');
        return { name: `${prefix}-build`, helper: `${prefix}-predefined`, web: `${prefix}-group__web-0`, net };
      };
      /** Attached before it is started, with the script on its input, as often as there are stages. */
      const stage = (name: string, script: string): Promise<string> =>
        done(runner(['start', '-a', '-i', name], script));
      const first = await prepare('1');
      const { name, helper } = first;
      const namespace = (
        await jobs.direct('GET', `/volumes?filters=${encodeURIComponent(JSON.stringify({ name: [cache] }))}`)
      ).json<{ Volumes: { Labels: Record<string, string> }[] }>().Volumes[0]?.Labels['berthgate.namespace'];
      const job = await jobOf(name, namespace);
      for (const other of [helper, first.web]) expect(await jobOf(other, namespace)).toBe(job);
      await stage(helper, 'mkdir /builds/p && echo sources >/builds/p/f');
      const script = 'cat /builds/p/f && wget -qO- http://web/f && echo kept >/cache/f && echo made >/builds/p/out';
      const makes = 'docker volume create of-script && docker run -d --name db busybox sleep 900';
      expect(await stage(name, `${script} && (${makes}) >/dev/null`)).toBe('sources\nserved');
      // What runs steps, and the terminal of a job, is executed in the container while that runs.
      const after = stage(
        name,
        'docker ps --format "{{.Names}}"; docker volume ls -q; until [ -e /go ]; do sleep 0.1; done',
      );
      const step = async (): Promise<number | null> => (await runner(['exec', '-i', name, 'sh'], 'touch /go')).code;
      await expect.poll(step, { timeout: 60_000 }).toBe(0);
      expect(await after).toBe('db\nof-script');
      expect(await stage(name, 'docker run --rm -v /cache:/c busybox cat /c/f')).toBe('kept');
      expect(await stage(helper, 'cat /builds/p/out /cache/f')).toBe('made\nkept');
      // What is on the network, and what it has made itself and runs no more.
      const cleanUp = async ({ net, name, helper }: Awaited<ReturnType<typeof prepare>>): Promise<void> => {
        const format = '{{range $id, $one := .Containers}}{{$id}}{{end}}';
        const web = await done(runner(['network', 'inspect', '-f', format, net]));
        await done(runner(['network', 'disconnect', '--force', net, web]));
        await done(runner(['rm', '--force', '--volumes', web, helper, name]));
        await done(runner(['network', 'rm', net]));
        await done(runner(['volume', 'rm', net.replace('-network', '-builds')]));
      };
      await cleanUp(first);
      await endOf(job);
      expect(await leftOf(job)).toEqual([]);
      const next = await prepare('2');
      expect(await jobOf(next.name, namespace)).not.toBe(job);
      expect(await stage(next.name, 'cat /cache/f && docker ps -aq && docker volume ls -q')).toBe('kept');
      await cleanUp(next);
      await done(runner(['volume', 'rm', cache]));
    });

    test('every container has a socket where the listener says so', async () => {
      const every = (...args: readonly string[]) => dockerCli(jobs.host('every'), args, { timeoutMs: 60_000 });
      expect(await done(every('run', '--rm', jobs.client(), 'docker', 'run', '--rm', 'busybox', 'echo', 'there'))).toBe(
        'there',
      );
    });

    test.skipIf(!hasRegistry())(
      'a job pushes with its own credentials, and a later one pulls with its own alone',
      async () => {
        const image = `${REGISTRY}/${jobs.ns}:1`;
        const login = `echo secret | docker login --username alice --password-stdin ${REGISTRY} >/dev/null`;
        await startJob('pushes');
        await within(
          'pushes',
          `printf 'FROM busybox\\nRUN echo pushed >/f\\n' | docker build --tag ${image} - && ${login}`,
        );
        await within('pushes', `docker push ${image} && docker rmi ${image}`);
        expect(await within('pushes', `docker run --rm ${image} cat /f`)).toBe('pushed');
        await startJob('pulls');
        const { code, stderr } = await jobs.tries('pulls', `docker pull ${image}`);
        expect(code, stderr).not.toBe(0);
        expect(await within('pulls', `${login} && docker run --rm ${image} cat /f`)).toBe('pushed');
        const ended = await Promise.all(['pushes', 'pulls'].map((name) => jobOf(name)));
        await done(at('rm', '--force', 'pushes', 'pulls'));
        for (const job of ended) {
          await endOf(job);
          expect(await leftOf(job)).toEqual([]);
        }
      },
    );

    test('an agent that deploys has a socket into the namespace of its owner', async () => {
      const owner = (...args: readonly string[]) => dockerCli(jobs.host('owner'), args, { timeoutMs: 60_000 });
      const script = 'docker run -d --name deployed busybox sleep 900';
      await done(owner('run', '--rm', '-v', `${SOCKET}:${SOCKET}`, jobs.client(), 'sh', '-c', script));
      expect(await done(owner('ps', '--format', '{{.Names}}'))).toBe('deployed');
    });
  });
});
