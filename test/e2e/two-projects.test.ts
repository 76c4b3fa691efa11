// Two users of one engine who do the same under the same names at the same time: projects of compose, a prune of one
// while the other works, programs with dockerode and with Testcontainers. Each Berthgate is one user's.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { filtersIn, removeAll } from '../attacks/two-users.ts';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { ask } from '../engine/raw-client.ts';
import {
  type CommandResult,
  compareVersions,
  describeEachEngine,
  dockerCli,
  run,
  type TestEngine,
} from '../engines/index.ts';
import { findComposeV1 } from './compose-v1.ts';
import { testcontainers } from './testcontainers.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-two-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What one would find in many repositories: fixed names for everything. */
const project = `
services:
  db:
    image: busybox
    init: true
    container_name: database
    command: sh -c 'echo said by $WHO >/data/word; exec httpd -f -p 80 -h /data'
    volumes: [data:/data, named:/named, /scratch]
    networks: [back]
    healthcheck: {test: wget -qO- http://127.0.0.1/word, interval: 1s, retries: 60}
  web:
    image: busybox
    init: true
    command: sleep 600
    depends_on: [db]
    networks: {back: {aliases: [front-end]}, front: {}}
volumes:
  data: {}
  named: {name: shared-name}
networks:
  back: {}
  front: {name: front-of-all}
`;

interface User {
  readonly who: string;
  readonly namespace: string;
  readonly socket: string;
  docker(args: readonly string[]): Promise<CommandResult>;
  compose(args: readonly string[]): Promise<CommandResult>;
}

const v1 = findComposeV1();

/** Version 1 makes nothing anew on engines since 25: it misses `ContainerConfig` of images, which ended with API 1.44. */
function composesFor({ apiVersion }: TestEngine): readonly (readonly [string, readonly string[] | null])[] {
  const old = v1 === null || compareVersions(apiVersion, '1.44') >= 0 ? [] : [['docker-compose 1', [v1]] as const];
  return [['docker compose', null], ...old];
}

describeEachEngine(
  'two users at once',
  (engine: TestEngine) => {
    const id = randomBytes(3).toString('hex');
    const served: InProcess[] = [];
    const users: User[] = [];
    let program: readonly string[] | null = null;

    beforeAll(async () => {
      const own = join(folder, engine.name);
      mkdirSync(own);
      // Version 1 reads no file without its version.
      writeFileSync(join(own, 'compose.yaml'), `version: "2.4"\n${project}`);
      for (const who of ['alice', 'bob']) {
        const namespace = `${who}-${id}`;
        const one = await serveInFrontOf(engine.host, {
          policies: ['conservative'],
          namespace,
          // The engines of the tests share the host's network: the same addresses on two of them lead to one.
          networks: { pools: [`${engine.subnetPrefix}.128.0/17`] },
        });
        served.push(one);
        const host = `unix://${one.socket}`;
        const args = ['--project-name', 'app', '--project-directory', own, '-f', join(own, 'compose.yaml')];
        const env = { WHO: who };
        const options = { env, timeoutMs: 170_000 };
        users.push({
          who,
          namespace,
          socket: one.socket,
          docker: (words) => dockerCli(host, words, options),
          compose: (words) =>
            program === null
              ? dockerCli(host, ['compose', '--ansi', 'never', ...args, ...words], options)
              : run(program[0] as string, [...args, ...words], {
                  env: {
                    ...env,
                    PATH: process.env.PATH ?? '',
                    HOME: folder,
                    DOCKER_HOST: host,
                    COMPOSE_HTTP_TIMEOUT: '120',
                  },
                  timeoutMs: 170_000,
                }),
        });
      }
    });
    afterEach(async () => {
      for (const user of users) expect(await leftOf(user)).toEqual([]);
    });
    afterAll(async () => {
      for (const { namespace } of users) {
        await removeAll((method, path, more) => ask(engine.socket, method, path, more), namespace);
      }
      for (const one of served) await one.stop();
    });

    const both = <T>(what: (user: User) => Promise<T>): Promise<readonly T[]> => Promise.all(users.map(what));
    const done = async (result: Promise<CommandResult>): Promise<string> => {
      const { code, stdout, stderr } = await result;
      expect(code, stderr).toBe(0);
      return stdout.trim();
    };
    const linesOf = async (result: Promise<CommandResult>): Promise<readonly string[]> =>
      (await done(result))
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    /** The namespace's things on the engine, but for its default network, which stays for a minute. */
    const leftOf = async ({ namespace }: User): Promise<readonly string[]> => {
      const filters = filtersIn({ label: [`berthgate.namespace=${namespace}`] });
      const list = async <T>(path: string): Promise<T> =>
        (await ask(engine.socket, 'GET', `/${path}filters=${filters}`)).json<Record<string, unknown>>() as T;
      const containers = await list<{ Names: string[] }[]>('containers/json?all=1&');
      const networks = await list<{ Name: string }[]>('networks?');
      const { Volumes: volumes } = await list<{ Volumes: { Name: string }[] | null }>('volumes?');
      const names = [...containers.flatMap(({ Names }) => Names), ...networks.map(({ Name }) => Name)];
      return [...names, ...(volumes ?? []).map(({ Name }) => Name)].filter((name) => name !== `${namespace}.bridge`);
    };
    const works = async (user: User): Promise<void> => {
      for (const place of ['db', 'database']) {
        const said = await done(user.compose(['exec', '-T', 'web', 'wget', '-qO-', `http://${place}/word`]));
        expect(said).toBe(`said by ${user.who}`);
      }
      const again = await done(user.compose(['exec', '-T', 'db', 'ping', '-c', '1', '-q', 'front-end']));
      expect(again).toContain('1 packets received');
    };

    test.each(composesFor(engine))(
      'the same project with %s is up twice, works twice and is gone twice',
      async (_, compose) => {
        program = compose;
        // One after the other: two Berthgates that make networks at the same moment can choose the same addresses.
        for (const user of users) await done(user.compose(['up', '-d']));
        const ids = await both((user) => linesOf(user.docker(['ps', '-aq', '--no-trunc'])));
        expect(ids.map((list) => list.length)).toEqual([2, 2]);
        expect(new Set(ids.flat()).size).toBe(4);
        for (const list of ids)
          expect(await linesOf(users[ids.indexOf(list)]?.compose(['ps', '-q']) as Promise<CommandResult>)).toEqual(
            list,
          );
        for (const what of [
          ['ps', '-a', '--format', '{{.Names}}'],
          ['network', 'ls', '--format', '{{.Name}}'],
        ]) {
          const [one, other] = await both((user) => linesOf(user.docker(what)));
          expect(one).toEqual(other);
        }
        const named = (list: readonly string[]): readonly string[] =>
          list.filter((name) => !/^[0-9a-f]{64}$/.test(name));
        const volumes = await both((user) => linesOf(user.docker(['volume', 'ls', '-q'])));
        expect(volumes.map(named)).toEqual([
          ['app_data', 'shared-name'],
          ['app_data', 'shared-name'],
        ]);
        expect(volumes.flat().length).toBe(6);
        await both(works);
        // What one changes, the other does not notice.
        const [alice, bob] = users as [User, User];
        await done(alice.compose(['restart', '-t', '0']));
        await done(alice.compose(['up', '-d', '--force-recreate', '-t', '0']));
        await both(works);
        expect(await linesOf(bob.docker(['ps', '-aq', '--no-trunc']))).toEqual(ids[1]);
        await done(alice.compose(['down', '-v', '-t', '0']));
        expect(await linesOf(alice.docker(['ps', '-aq']))).toEqual([]);
        await works(bob);
        await done(bob.compose(['down', '-v', '-t', '0']));
      },
    );

    test('a prune of everything leaves alone what the other one has, used or not', async () => {
      program = null;
      const [alice, bob] = users as [User, User];
      for (const { docker } of users) {
        await done(docker(['create', '--name', 'idle', '-v', '/scratch', 'busybox']));
        await done(docker(['network', 'create', 'idle']));
        await done(docker(['volume', 'create', 'idle']));
      }
      await done(bob.compose(['up', '-d']));
      const work = 'for i in $(seq 20); do wget -qO- http://db/word || exit 9; sleep 0.1; done; echo done';
      const working = bob.compose(['exec', '-T', 'web', 'sh', '-c', work]);
      const all = compareVersions(engine.apiVersion, '1.42') >= 0 ? [['volume', 'prune', '-f', '-a']] : [];
      for (const words of [['system', 'prune', '-f', '-a', '--volumes'], ...all]) {
        const said = await done(alice.docker(words));
        expect(said).not.toContain(bob.namespace);
      }
      expect(await done(working)).toMatch(/done$/);
      expect(await leftOf(alice)).toEqual([]);
      expect(await linesOf(bob.docker(['ps', '-a', '--format', '{{.Names}}']))).toContain('idle');
      expect(await linesOf(bob.docker(['network', 'ls', '--format', '{{.Name}}']))).toContain('idle');
      expect(await linesOf(bob.docker(['volume', 'ls', '-q']))).toContain('idle');
      await works(bob);
      // It is shared, and no prune removes it.
      await done(bob.docker(['image', 'inspect', 'busybox']));
      await done(bob.compose(['down', '-v', '-t', '0']));
      await done(bob.docker(['system', 'prune', '-f', '--volumes']));
      for (const words of all) await done(bob.docker(words));
    });

    test('programs with dockerode have the same names and hear of themselves alone', async () => {
      const since = Math.floor(Date.now() / 1000) - 1;
      for (const { socket } of users) await new Docker({ socketPath: socket }).createNetwork({ Name: 'net' });
      const heard = await both(async ({ socket, who }) => {
        const docker = new Docker({ socketPath: socket });
        const network = docker.getNetwork('net');
        await docker.createVolume({ Name: 'data' });
        const Env = [`WHO=${who}`];
        const HostConfig = { NetworkMode: 'net', Binds: ['data:/data'], Init: true };
        const Cmd = ['sh', '-c', 'echo $WHO >/data/who; echo up; exec sleep 600'];
        const container = await docker.createContainer({ name: 'web', Image: 'busybox', Cmd, Env, HostConfig });
        await container.start();
        const exec = await container.exec({
          Cmd: ['sh', '-c', 'until [ -s /data/who ]; do sleep 0.1; done; cat /data/who; ping -c 1 -q web'],
          AttachStdout: true,
        });
        const out: Buffer[] = [];
        for await (const chunk of await exec.start({})) out.push(Buffer.from(chunk));
        expect(Buffer.concat(out).toString()).toMatch(new RegExp(`${who}\\n[^]*1 packets received`));
        expect((await docker.listContainers()).map(({ Names, Id }) => [Names, Id])).toEqual([[['/web'], container.id]]);
        await container.remove({ force: true });
        await network.remove();
        await docker.getVolume('data').remove();
        const events: Buffer[] = [];
        for await (const chunk of await docker.getEvents({ since, until: Math.floor(Date.now() / 1000) + 1 })) {
          events.push(Buffer.from(chunk));
        }
        const told = Buffer.concat(events).toString().trim().split('\n');
        const made = told.map((line) => JSON.parse(line)).filter(({ Action }) => Action === 'create');
        // Engine 20.10 tells of a volume again when a container is created with it.
        return [...new Set(made.map(({ Type, Actor }) => `${Type} ${Actor.Attributes.name ?? Actor.ID}`))].sort();
      });
      expect(heard).toEqual(Array.from({ length: 2 }, () => ['container web', 'network net', 'volume data']));
    });

    test('programs with Testcontainers run side by side', async () => {
      const came = await both(({ socket }) => testcontainers(`unix://${socket}`, 'tests', {}, ['no-build']));
      expect(came).toEqual(
        Array.from({ length: 2 }, () =>
          expect.objectContaining({ status: 200, exec: expect.objectContaining({ output: 'HELLO\n' }), ping: 0 }),
        ),
      );
    });
  },
  (engine) => engine.socket !== '',
);
