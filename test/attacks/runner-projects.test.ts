// One CI runner is one identity for many projects: its labels choose a namespace for each, as GitLab Runner sends them.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type Asking, asking, made, type Namespaced, namespaced, removeAll } from './namespaced.ts';

const PROJECT = 'com.gitlab.gitlab-runner.project.id';

interface Listed {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

interface Project {
  readonly container: string;
  readonly network: string;
}

const filters = (said: Readonly<Record<string, readonly string[]>>): string => encodeURIComponent(JSON.stringify(said));

describeEachEngine(
  'projects of one runner',
  (engine: TestEngine) => {
    const direct = asking(engine.socket);
    const run = randomBytes(3).toString('hex');
    const [one, other] = [`1${run}`, `2${run}`];
    const labels = (project: string): object => ({
      [PROJECT]: project,
      'com.gitlab.gitlab-runner.managed': 'true',
      'com.gitlab.gitlab-runner.job.id': `${project}1`,
    });
    const listener = { trustLabels: true, policies: ['conservative', { use: 'limits', total: { containers: 3 } }] };
    let berthgate: InProcess;
    let ask: Asking;
    let stranger: InProcess;
    let user: Namespaced;
    const projects: Record<string, Project> = {};
    const scopes = new Set<string>();

    const container = (project: string, more: object = {}): object => ({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'hostname > /cache/who; sleep 600'],
      Labels: labels(project),
      HostConfig: { Binds: ['cache:/cache'], NetworkMode: 'build' },
      ...more,
    });

    beforeAll(async () => {
      const namespace = `r${run}-{label.${PROJECT}}`;
      berthgate = await serveInFrontOf(engine.host, { ...listener, namespace });
      stranger = await serveInFrontOf(engine.host, { ...listener, namespace: `s${run}-{label.${PROJECT}}` });
      ask = asking(berthgate.socket);
      user = await namespaced(engine, 'rpu');
      for (const project of [one, other]) {
        const network = await made(ask('POST', '/networks/create', { Name: 'build', Labels: labels(project) }));
        const { Labels } = (await direct('GET', `/networks/${network}`)).json<Listed>();
        scopes.add(Labels['berthgate.scope'] ?? 'none');
        const volume = await ask('POST', '/volumes/create', { Name: 'cache', Labels: labels(project) });
        expect(volume.status, volume.text).toBe(201);
        const id = await made(
          ask('POST', '/containers/create?name=job', container(project, { Hostname: `h${project}` })),
        );
        expect((await ask('POST', `/containers/${id}/start`)).status).toBe(204);
        projects[project] = { container: id, network };
      }
    });
    afterAll(async () => {
      for (const scope of scopes) await removeAll(engine, `berthgate.scope=${scope}`);
      await user?.stop();
      await stranger?.stop();
      await berthgate?.stop();
    });
    const of = (project: string): Project => projects[project] as Project;

    test('have things of the same names, each with its own', async () => {
      const labelled = await direct('GET', `/containers/json?filters=${filters({ label: [`${PROJECT}=${one}`] })}`);
      const [seen] = labelled.json<Listed[]>();
      expect(seen?.Names[0]).toMatch(/^\/r.*-[0-9a-f]{16}\.job$/);
      for (const project of [one, other]) {
        const exec = await made(ask('POST', `/containers/${of(project).container}/exec`, { Cmd: ['true'] }));
        expect((await ask('GET', `/exec/${exec}/json`)).status).toBe(200);
        const inspected = await ask('GET', `/containers/${of(project).container}/json`);
        expect(inspected.json<{ Name: string }>().Name).toBe('/job');
        expect(inspected.text).not.toContain('berthgate.');
        const network = (await ask('GET', `/networks/${of(project).network}`)).json<{ Containers: object }>();
        expect(Object.keys(network.Containers)).toEqual([of(project).container]);
      }
    });

    test('are seen together by who asks for all, each thing under its own name', async () => {
      const listed = (await ask('GET', '/containers/json?all=1')).json<Listed[]>();
      expect(listed.map(({ Id }) => Id).sort()).toEqual([of(one).container, of(other).container].sort());
      expect(listed.map(({ Names }) => Names)).toEqual([['/job'], ['/job']]);
      const found = await ask(
        'GET',
        `/containers/json?filters=${filters({ name: ['^/job$'], label: [`${PROJECT}=${one}`] })}`,
      );
      expect(found.json<Listed[]>().map(({ Id }) => Id)).toEqual([of(one).container]);
      const networks = (await ask('GET', '/networks')).json<{ Name: string }[]>();
      expect(networks.map(({ Name }) => Name)).toEqual(['build', 'build']);
      const volumes = (await ask('GET', '/volumes')).json<{ Volumes: { Name: string }[] }>().Volumes;
      expect(volumes.map(({ Name }) => Name)).toEqual(['cache', 'cache']);
      expect((await ask('GET', '/info')).json<{ Containers: number }>().Containers).toBe(2);
      const usage = (await ask('GET', '/system/df')).json<{ Containers: unknown[]; Volumes: unknown[] }>();
      expect([usage.Containers.length, usage.Volumes.length]).toEqual([2, 2]);
    });

    test('are not reached by a name that both have, and by one that one has', async () => {
      for (const [method, path] of [
        ['GET', '/containers/job/json'],
        ['DELETE', '/containers/job?force=1'],
        ['GET', '/networks/build'],
        ['DELETE', '/volumes/cache'],
      ] as const) {
        const refused = await ask(method, path);
        expect(refused.status, path).toBe(403);
        expect(refused.text).toContain('is ambiguous: 2 projects of this listener have one');
      }
      const id = await made(ask('POST', `/containers/create?name=runner-${one}`, container(one)));
      expect((await ask('GET', `/containers/runner-${one}/json`)).json<{ Id: string }>().Id).toBe(id);
      expect((await ask('DELETE', `/containers/runner-${one}?force=1`)).status).toBe(204);
      const gone = await ask('DELETE', `/containers/runner-${one}?force=1`);
      expect(gone.status).toBe(404);
      expect(gone.json<{ message: string }>().message).toBe(`No such container: runner-${one}`);
      // What `docker inspect` asks for at last, and then says that nothing is there.
      expect((await ask('GET', `/plugins/runner-${one}/json`)).status).toBe(404);
    });

    test("do not take part in what is the other one's", async () => {
      for (const [name, body] of [
        ['network', container(one, { HostConfig: { NetworkMode: of(other).network } })],
        ['network of a container', container(one, { HostConfig: { NetworkMode: `container:${of(other).container}` } })],
        ['volumes', container(one, { HostConfig: { VolumesFrom: [of(other).container] } })],
      ] as const) {
        expect((await ask('POST', '/containers/create', body)).status, name).toBe(400);
      }
      const connect = { Container: of(one).container };
      expect((await ask('POST', `/networks/${of(other).network}/connect`, connect)).status).toBe(404);
      // The control: its own takes part.
      expect(
        (await ask('POST', `/networks/${of(other).network}/disconnect`, { Container: 'job', Force: true })).status,
      ).toBe(200);
      expect(
        (await ask('POST', `/networks/${of(other).network}/connect`, { Container: of(other).container })).status,
      ).toBe(200);
    });

    test('are limited each by itself', async () => {
      const ids: string[] = [];
      for (let i = 0; i < 2; i++) ids.push(await made(ask('POST', '/containers/create', container(one))));
      const refused = await ask('POST', '/containers/create', container(one));
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('containers');
      ids.push(await made(ask('POST', '/containers/create', container(other))));
      for (const id of ids) expect((await ask('DELETE', `/containers/${id}?v=1`)).status).toBe(204);
    });

    test('are chosen by the label alone: without it nothing is made', async () => {
      for (const [path, body] of [
        ['/containers/create', { Image: 'busybox' }],
        ['/networks/create', { Name: 'x' }],
        ['/volumes/create', { Name: 'x', Labels: { [PROJECT]: '' } }],
      ] as const) {
        const refused = await ask('POST', path, body);
        expect(refused.status, path).toBe(403);
        expect(refused.text).toContain(PROJECT);
      }
    });

    test('are not those of another runner with the same labels, nor those of users', async () => {
      const toStranger = asking(stranger.socket);
      expect((await toStranger('GET', '/containers/json?all=1')).json()).toEqual([]);
      expect((await toStranger('GET', `/containers/${of(one).container}/json`)).status).toBe(404);
      expect((await user.ask('GET', `/containers/${of(one).container}/json`)).status).toBe(404);
      const users = await made(user.ask('POST', '/containers/create?name=web', { Image: 'busybox' }));
      for (const reference of [users, users.slice(0, 12), 'web', `${user.namespace}.web`]) {
        expect((await ask('GET', `/containers/${reference}/json`)).status).toBe(404);
      }
      const forged = { Image: 'busybox', Labels: { ...labels(one), 'berthgate.scope': 'x' } };
      expect((await ask('POST', '/containers/create', forged)).status).toBe(403);
      // The label of a project that is called as the user's namespace leads to no namespace of a user.
      const named = await made(
        ask('POST', '/containers/create?name=sly', { ...container(user.namespace), HostConfig: {} }),
      );
      expect((await user.ask('GET', `/containers/${named}/json`)).status).toBe(404);
      expect((await ask('DELETE', `/containers/${named}`)).status).toBe(204);
    });

    test('are known again by another process, and pruned together', async () => {
      const again = await serveInFrontOf(engine.host, { ...listener, namespace: `r${run}-{label.${PROJECT}}` });
      try {
        const next = asking(again.socket);
        expect((await next('GET', `/containers/${of(other).container}/json`)).status).toBe(200);
        for (const { container } of Object.values(projects)) {
          expect((await next('DELETE', `/containers/${container}?force=1&v=1`)).status).toBe(204);
        }
        const pruned = (await next('POST', '/networks/prune')).json<{ NetworksDeleted: string[] }>();
        expect(pruned.NetworksDeleted).toEqual(['build', 'build']);
        const volumes = await next('POST', '/volumes/prune');
        expect(volumes.status).toBe(200);
      } finally {
        await again.stop();
      }
    });
  },
  (engine) => engine.socket !== '',
);
