// RED-TEAM 57 to 60: what outlives a job, what its socket's file gives, and labels that lie. Calls come over the sockets of
// containers, as whoever is in them would make them; the engine itself is the control.
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leftOn } from '../e2e/jobs.ts';
import { serveListeners } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, docker, type TestEngine } from '../engines/index.ts';
import { filtersIn, removeAll } from './two-users.ts';

const SOCKET = '/var/run/docker.sock';
const GROUP = 'com.gitlab.gitlab-runner.job.id';
const ENDED_MS = 60_000;

interface Inspected {
  readonly Id: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: { readonly Mounts: readonly { readonly Source: string }[] };
}

interface Failed {
  readonly State: { readonly Error: string };
}

interface Job {
  readonly id: string;
  readonly container: string;
  readonly socket: string;
  call(method: string, path: string, more?: Ask): Promise<WholeAnswer>;
}

describeEachEngine(
  'job sockets',
  (engine: TestEngine) => {
    const run = randomBytes(3).toString('hex');
    const ns = `joba-${run}`;
    let served: Awaited<ReturnType<typeof serveListeners<'ci' | 'others'>>> | undefined;
    const direct = (method: string, path: string, body?: unknown): Promise<WholeAnswer> =>
      ask(engine.socket, method, path, body === undefined ? {} : { body });
    const at = (listener: 'ci' | 'others', method: string, path: string, body?: unknown): Promise<WholeAnswer> =>
      ask(served?.sockets[listener] ?? '', method, path, body === undefined ? {} : { body });
    const sleeping = (more: object = {}, host: object = {}) => ({
      Image: 'busybox',
      Cmd: ['sleep', '900'],
      ...more,
      HostConfig: { Init: true, ...host },
    });
    const jobAt = async (name: string): Promise<Job> => {
      const { Id, Config, HostConfig } = (await direct('GET', `/containers/${name}/json`)).json<Inspected>();
      const socket = `${HostConfig.Mounts[0]?.Source}/docker.sock`;
      const { job } = JSON.parse(Config.Labels['berthgate.socket'] ?? '') as { job: string };
      return { id: job, container: Id, socket, call: (method, path, more) => ask(socket, method, path, more) };
    };
    const startJob = async (name: string, listener: 'ci' | 'others' = 'ci', more: object = {}): Promise<Job> => {
      const body = sleeping(more, { Binds: [`${SOCKET}:${SOCKET}`] });
      expect((await at(listener, 'POST', `/containers/create?name=${name}`, body)).status).toBe(201);
      expect((await at(listener, 'POST', `/containers/${name}/start`)).status).toBe(204);
      return jobAt(`${ns}${listener === 'ci' ? '' : '-o'}.${name}`);
    };
    const nothingLeft = async (job: string): Promise<void> => {
      const ended = (): boolean =>
        served?.log().some((line) => line.msg === 'a job has ended' && line.job === job) === true;
      for (const deadline = Date.now() + ENDED_MS; !ended() && Date.now() < deadline; ) await pause(50);
      expect(ended()).toBe(true);
      expect(await leftOn(engine, job)).toEqual([]);
    };

    beforeAll(async () => {
      const own = {
        policies: ['conservative'],
        jobSocket: {},
        networks: { pools: [`${engine.subnetPrefix}.128.0/17`] },
      };
      served = await serveListeners(
        engine.host,
        {
          ci: { ...own, namespace: ns },
          others: { ...own, namespace: `${ns}-o` },
        },
        { engines: [{ name: 'engine', url: engine.host, gateway: null }], images: { shared: ['busybox', `${ns}:*`] } },
      );
    });
    afterAll(async () => {
      for (const one of [ns, `${ns}-o`])
        await removeAll((method, path, more) => ask(engine.socket, method, path, more), one);
      await served?.stop();
      await direct('DELETE', `/images/${ns}:liar?force=1`);
    });

    describe('57: what would outlive the job', () => {
      test('creates that race its end, and what is attached, end with it', async () => {
        const job = await startJob('races');
        await job.call('POST', '/networks/create', { body: { Name: 'net' } });
        await job.call('POST', '/containers/create?name=long', {
          body: sleeping({ OpenStdin: true }, { NetworkMode: 'net' }),
        });
        await job.call('POST', '/containers/long/start');
        const attached = net.connect(job.socket);
        const cut = new Promise((resolve) => attached.on('close', resolve));
        attached.on('error', () => {});
        attached.resume();
        attached.write(
          'POST /containers/long/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n',
        );
        const create = async (nth: number): Promise<void> => {
          const more = { Binds: [`data${nth}:/d`], RestartPolicy: { Name: 'always' } };
          const body = sleeping({ Volumes: { '/v': {} } }, more);
          expect((await job.call('POST', `/containers/create?name=race${nth}`, { body })).status).toBe(201);
          expect((await job.call('POST', `/containers/race${nth}/start`)).status).toBe(204);
        };
        await create(0);
        // The control: it is there, with its volumes.
        expect((await leftOn(engine, job.id)).length).toBeGreaterThanOrEqual(5);
        const racing = Array.from({ length: 16 }, (_, nth) => create(nth + 1));
        const removing = at('ci', 'DELETE', '/containers/races?force=1');
        await Promise.allSettled(racing);
        expect((await removing).status).toBe(204);
        await cut;
        await nothingLeft(job.id);
      });

      test('a network with a container of somebody else on it goes, and that container stays', async () => {
        const job = await startJob('members');
        const { Id: network } = (await job.call('POST', '/networks/create', { body: { Name: 'net' } })).json<{
          Id: string;
        }>();
        const name = `${ns}-foreign`;
        await direct('POST', `/containers/create?name=${name}`, sleeping());
        await direct('POST', `/containers/${name}/start`);
        expect((await direct('POST', `/networks/${network}/connect`, { Container: name })).status).toBe(200);
        // The control: the engine itself refuses.
        expect((await direct('DELETE', `/networks/${network}`)).status).toBe(403);
        await at('ci', 'DELETE', '/containers/members?force=1');
        await nothingLeft(job.id);
        expect((await direct('DELETE', `/containers/${name}?force=1`)).status).toBe(204);
      });
    });

    describe("59: the socket's file", () => {
      test('cannot be removed, replaced or joined by another file from within, and nobody else comes to it on the host', async () => {
        const job = await startJob('file');
        const tries =
          'rm -f /run/berthgate/docker.sock; touch /run/berthgate/f; ln -s /etc /run/berthgate/l; mkdir /run/berthgate/d; ls -A /run/berthgate';
        const said = await docker(engine, ['exec', job.container, 'sh', '-c', `(${tries}) 2>/dev/null`]);
        expect(said).toBe('docker.sock');
        expect((await job.call('GET', '/_ping')).status).toBe(200);
        // The control: the same folder, mounted by the engine itself, can be written.
        const folder = dirname(job.socket);
        expect(
          await docker(engine, [
            'run',
            '--rm',
            '-v',
            `${folder}:/f`,
            'busybox',
            'sh',
            '-c',
            'touch /f/x && ls /f && rm /f/x',
          ]),
        ).toContain('x');
        expect(statSync(dirname(folder)).mode & 0o777).toBe(0o700);
        await at('ci', 'DELETE', '/containers/file?force=1');
        await nothingLeft(job.id);
        expect(() => statSync(folder)).toThrow(/ENOENT/);
      });

      test('what the engine says of it when it cannot be mounted tells nothing of the host', async () => {
        const body = sleeping({}, { Binds: [`${SOCKET}:/etc/passwd/x`], ReadonlyRootfs: true });
        expect((await at('ci', 'POST', '/containers/create?name=odd', body)).status).toBe(201);
        // Here the file itself is mounted.
        const file = dirname((await jobAt(`${ns}.odd`)).socket);
        const started = await at('ci', 'POST', '/containers/odd/start');
        expect(started.status).toBeGreaterThanOrEqual(400);
        const shown = await at('ci', 'GET', '/containers/odd/json');
        for (const { text } of [started, shown]) {
          expect(text).toContain('/etc/passwd/x');
          expect(text).not.toContain(dirname(file));
        }
        // The control: the engine itself says it.
        expect((await direct('GET', `/containers/${ns}.odd/json`)).json<Failed>().State.Error).toContain(file);
        expect((await at('ci', 'DELETE', '/containers/odd?force=1')).status).toBe(204);
      });

      test('no folder above the socket of the host, and no other spelling of it, is mounted', async () => {
        const job = await startJob('spelled');
        for (const path of [
          '/',
          '/var',
          '/var/run',
          '/run',
          '/proc/1/root/var/run',
          '/var/run/docker.sock.',
          engine.socket,
          dirname(engine.socket),
        ]) {
          for (const call of [
            (body: unknown) => job.call('POST', '/containers/create', { body }),
            (body: unknown) => at('ci', 'POST', '/containers/create', body),
          ]) {
            const answer = await call(sleeping({}, { Binds: [`${path}:/x`] }));
            // By the path that the configuration knows, a container is given a socket of its own.
            const own = answer.status === 201 && path === engine.socket;
            expect(own || answer.status === 403, `${path}: ${answer.text}`).toBe(true);
            if (!own) continue;
            const made = (await direct('GET', `/containers/${answer.json<Inspected>().Id}/json`)).json<Inspected>();
            expect(JSON.stringify(made.HostConfig)).not.toContain(engine.socket);
          }
        }
        await at('ci', 'DELETE', '/containers/spelled?force=1');
        await nothingLeft(job.id);
      });
    });

    test("--volumes-from gives no socket of another container, neither of another namespace nor of one's own", async () => {
      const mine = await startJob('lender');
      const theirs = await startJob('lender', 'others');
      const from = (id: string) => sleeping({}, { VolumesFrom: [id] });
      for (const id of [theirs.container, theirs.container.slice(0, 12), `${ns}-o.lender`]) {
        expect((await at('ci', 'POST', '/containers/create', from(id))).status, id).toBe(400);
        expect((await mine.call('POST', '/containers/create', { body: from(id) })).status, id).toBe(400);
      }
      // With a word that only the engine could heed it would have to be the engine that lends.
      for (const refused of [
        await at('ci', 'POST', '/containers/create', from('lender:z')),
        await mine.call('POST', '/containers/create', { body: from(`${mine.container}:ro,Z`) }),
      ]) {
        expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('of a container with a socket')]);
      }
      // To the job's own container and to one's own it gives the volumes, and a socket of its own.
      const own = await mine.call('POST', '/containers/create?name=own', { body: from(mine.container) });
      expect(own.status, own.text).toBe(201);
      expect((await at('ci', 'POST', '/containers/create?name=taker', from('lender'))).status).toBe(201);
      for (const taker of [`${mine.id}.own`, `${ns}.taker`]) {
        const { HostConfig } = (await direct('GET', `/containers/${taker}/json`)).json<Inspected>();
        expect(HostConfig.Mounts.map(({ Source }) => Source)).toEqual([expect.stringMatching(/\/jobs\/[0-9a-f]{20}$/)]);
        expect(JSON.stringify(HostConfig)).not.toContain(dirname(mine.socket));
      }
      expect((await jobAt(`${mine.id}.own`)).id).toBe(mine.id);
      expect((await jobAt(`${ns}.taker`)).id).not.toBe(mine.id);
      expect((await at('ci', 'POST', '/containers/taker/start')).status).toBe(204);

      // The control: the engine would lend that one's socket.
      for (const word of ['', ':z']) {
        const lent = await direct('POST', '/containers/create', from(`${ns}.lender${word}`));
        const { Id } = lent.json<Inspected>();
        expect((await direct('GET', `/containers/${Id}/json`)).text).toContain(dirname(mine.socket));
        await direct('DELETE', `/containers/${Id}`);
      }
      for (const name of ['taker', 'lender']) await at('ci', 'DELETE', `/containers/${name}?force=1`);
      await at('others', 'DELETE', '/containers/lender?force=1');
      for (const { id } of [mine, theirs]) await nothingLeft(id);
    });

    describe('60: labels that lie', () => {
      test('a job cannot say them', async () => {
        const job = await startJob('says');
        const other = await startJob('other');
        for (const label of [
          'berthgate.job',
          'berthgate.socket',
          'berthgate.namespace',
          'berthgate.instance',
          'berthgate.lent',
        ]) {
          for (const [path, body] of [
            ['/containers/create', sleeping({ Labels: { [label]: other.id } })],
            ['/volumes/create', { Name: 'v', Labels: { [label]: other.id } }],
            ['/networks/create', { Name: 'n', Labels: { [label]: other.id } }],
          ] as const) {
            expect((await job.call('POST', path, { body })).status, `${path} ${label}`).toBe(403);
          }
        }
        for (const name of ['says', 'other']) await at('ci', 'DELETE', `/containers/${name}?force=1`);
      });

      test("an image cannot say them: the container is no job's but its own", async () => {
        const job = await startJob('image');
        const victim = await startJob('victim');
        await victim.call('POST', '/volumes/create', { body: { Name: 'kept' } });
        const label = (await direct('GET', `/containers/${victim.container}/json`)).json<Inspected>().Config.Labels;
        const { Id } = (await direct('POST', '/containers/create', { Image: 'busybox' })).json<Inspected>();
        const lying = { 'berthgate.job': victim.id, 'berthgate.socket': label['berthgate.socket'], [GROUP]: '7' };
        await direct('POST', `/commit?container=${Id}&repo=${ns}&tag=liar`, { Labels: lying });
        await direct('DELETE', `/containers/${Id}`);
        expect(
          (await job.call('POST', '/containers/create?name=lies', { body: { ...sleeping(), Image: `${ns}:liar` } }))
            .status,
        ).toBe(201);
        const made = (await direct('GET', `/containers/${job.id}.lies/json`)).json<Inspected>().Config.Labels;
        expect(made['berthgate.job']).toBe(job.id);
        expect(made['berthgate.socket']).toBe('');
        // The control: the engine lets a container inherit them.
        const { Id: plain } = (await direct('POST', '/containers/create', { Image: `${ns}:liar` })).json<Inspected>();
        const inherited = (await direct('GET', `/containers/${plain}/json`)).json<Inspected>().Config.Labels;
        expect(inherited['berthgate.job']).toBe(victim.id);
        await direct('DELETE', `/containers/${plain}`);
        await at('ci', 'DELETE', '/containers/image?force=1');
        await nothingLeft(job.id);
        expect((await victim.call('GET', '/volumes/kept')).status).toBe(200);
        await at('ci', 'DELETE', '/containers/victim?force=1');
        await nothingLeft(victim.id);
      });

      test('the label of a CI job leads into no group of another namespace, and into none from within a job', async () => {
        const grouped = { Labels: { [GROUP]: '7' } };
        const mine = await startJob('mine', 'ci', grouped);
        const theirs = await startJob('theirs', 'others', grouped);
        expect(theirs.id).not.toBe(mine.id);
        const plain = await startJob('plain');
        const body = sleeping(grouped, { Binds: [`${SOCKET}:${SOCKET}`] });
        expect((await plain.call('POST', '/containers/create?name=nested', { body })).status).toBe(201);
        expect((await jobAt(`${plain.id}.nested`)).id).toBe(plain.id);
        // The control: on the listener itself the label does lead there.
        const same = await startJob('same', 'ci', grouped);
        expect(same.id).toBe(mine.id);
        for (const name of ['mine', 'same', 'plain']) await at('ci', 'DELETE', `/containers/${name}?force=1`);
        await at('others', 'DELETE', '/containers/theirs?force=1');
        for (const { id } of [mine, theirs, plain]) await nothingLeft(id);
      });

      test('a job sees, names and reaches nothing of another job, nor of its own project', async () => {
        const [one, other] = [await startJob('one'), await startJob('two')];
        await other.call('POST', '/volumes/create', { body: { Name: 'secret' } });
        await other.call('POST', '/containers/create?name=web', { body: sleeping() });
        const { Id } = (await other.call('GET', '/containers/web/json')).json<Inspected>();
        for (const reference of [
          'web',
          Id,
          Id.slice(0, 12),
          `${other.id}.web`,
          'two',
          other.container,
          one.container,
        ]) {
          expect((await one.call('GET', `/containers/${reference}/json`)).status, reference).toBe(404);
        }
        expect((await one.call('GET', '/volumes/secret')).status).toBe(404);
        const all = filtersIn({ label: [`com.example=1`] });
        expect((await one.call('GET', `/containers/json?all=1&filters=${all}`)).json()).toEqual([]);
        expect((await other.call('GET', '/containers/web/json')).status).toBe(200);
        for (const name of ['one', 'two']) await at('ci', 'DELETE', `/containers/${name}?force=1`);
        await nothingLeft(other.id);
      });
    });
  },
  (engine) => engine.socket !== '' && engine.name !== '26.1',
);
