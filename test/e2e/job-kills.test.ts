// kill -9 of a Berthgate with jobs, and upgrades: the sockets of jobs that run are there again, what has lost its container
// is gone, and nobody's stream is cut by an upgrade.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeAll } from '../attacks/two-users.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { startServiceManager } from '../engine/service-manager.ts';
import {
  type CommandResult,
  compareVersions,
  describeEachEngine,
  dockerCli,
  freePort,
  newestEngine,
} from '../engines/index.ts';
import { type HeldRegistry, startHeldRegistry } from './held-registry.ts';
import { leftOn } from './jobs.ts';
import { type Killable, startKillable } from './killed.ts';

const SOCKET = '/var/run/docker.sock';
const MOST_CALLS = 10;
const RECOVERED_MS = 90_000;
const R = 'r.example.org';
const SLOW = 'slow.example.org';
const BUILDERS = ['classic', 'buildkit'];

interface Note {
  readonly job: string;
  readonly folder: string;
}

/** Polled, of engines and sockets that tell nobody. What does not come true is seen by the assertions that follow. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + RECOVERED_MS;
  while (!(await holds().catch(() => false)) && Date.now() < deadline) await pause(50);
}

describeEachEngine(
  'kill -9 of a Berthgate with jobs',
  (engine) => {
    const ns = `jobk-${randomBytes(3).toString('hex')}`;
    const context = mkdtempSync(join(tmpdir(), 'berthgate-context-'));
    const builders = compareVersions(engine.apiVersion, '1.43') >= 0 ? BUILDERS : BUILDERS.slice(0, 1);
    let killable: Killable | undefined;
    let held: HeldRegistry | undefined;
    let slow: HeldRegistry | undefined;
    let gateway = '';
    const it = (): Killable => killable as Killable;
    const kept = (): readonly string[] => (existsSync(folders()) ? readdirSync(folders()) : []);
    const folders = (): string => join(dirname(it().config), 'state/jobs');
    const direct = (method: string, path: string) => ask(engine.socket, method, path);
    const sleeping = (more: Readonly<Record<string, unknown>> = {}) => ({
      body: { Image: 'busybox', Cmd: ['sleep', '900'], HostConfig: { Init: true, ...more } },
    });
    const noteOf = async (name: string): Promise<Note | null> => {
      const answer = await direct('GET', `/containers/${ns}.${name}/json`);
      if (answer.status === 404) return null;
      const { Config } = answer.json<{ Config: { Labels: Record<string, string> } }>();
      return JSON.parse(Config.Labels['berthgate.socket'] ?? '') as Note;
    };
    /** A call over the socket of a container, as whoever is in it would make it. */
    const over = ({ folder }: Note, method: string, path: string, more: Ask = {}): Promise<WholeAnswer> =>
      ask(join(folders(), folder, 'docker.sock'), method, path, more);
    const answers = async (note: Note): Promise<boolean> => (await over(note, 'GET', '/_ping')).status === 200;
    const startHolder = async (name: string): Promise<Note> => {
      await it().call('POST', `/containers/create?name=${name}`, sleeping({ Binds: [`${SOCKET}:${SOCKET}`] }));
      expect((await it().call('POST', `/containers/${name}/start`)).status).toBe(204);
      return (await noteOf(name)) as Note;
    };
    /** Of every kind. */
    const fill = async (note: Note): Promise<void> => {
      await over(note, 'POST', '/networks/create', { body: { Name: 'net' } });
      const more = sleeping({ Binds: ['data:/data'], NetworkMode: 'net' });
      expect((await over(note, 'POST', '/containers/create?name=db', more)).status).toBe(201);
      expect((await over(note, 'POST', '/containers/db/start')).status).toBe(204);
      expect((await over(note, 'POST', '/commit?container=db&repo=app', { body: {} })).status).toBe(201);
      expect(await leftOn(engine, note.job)).toHaveLength(4);
    };

    beforeAll(async () => {
      gateway = `127.0.0.1:${await freePort()}`;
      held = await startHeldRegistry();
      slow = await startHeldRegistry('blobs');
      const upstreams = [
        { host: R, url: held.url },
        { host: SLOW, url: slow.url },
      ];
      killable = await startKillable(engine, ns, [], gateway, { jobSocket: {} }, upstreams);
    });
    afterAll(async () => {
      await killable?.stop();
      held?.close();
      slow?.close();
      rmSync(context, { recursive: true });
      // What keeps builds for the owner's next job.
      const images = (await direct('GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
      const tags = images.flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => tag.startsWith(`${gateway}/s_`));
      for (const tag of tags) await direct('DELETE', `/images/${tag}?force=1`);
      await removeAll((method, path, more) => ask(engine.socket, method, path, more), ns);
    });

    test('at every call of a create with a socket: the container is whole, or is not', async () => {
      let calls = 0;
      for (let nth = 1; nth <= MOST_CALLS; nth++) {
        const create = sleeping({ Binds: [`${SOCKET}:${SOCKET}`] });
        const killed = await it().killedAt(nth, 'answered', 'POST', `/containers/create?name=c${nth}`, create);
        if (killed) await it().start();
        const note = await noteOf(`c${nth}`);
        if (note !== null) {
          await until(() => answers(note));
          const path = `/containers/${ns}.c${nth}/archive?path=${encodeURIComponent(SOCKET)}`;
          await until(async () => (await direct('GET', path)).status === 200);
          expect((await direct('GET', path)).status).toBe(200);
          expect((await it().call('DELETE', `/containers/c${nth}?force=1`)).status).toBe(204);
        }
        await until(async () => kept().length === 0);
        expect(kept()).toEqual([]);
        if (!killed) break;
        calls++;
      }
      // The create, and the link.
      expect(calls).toBeGreaterThanOrEqual(2);
    });

    test('while jobs run: one goes on at its socket, the other has lost its container and is ended, whoever gives sockets', async () => {
      const [stays, goes] = [await startHolder('stays'), await startHolder('goes')];
      for (const note of [stays, goes]) await fill(note);
      await it().kill();
      // The control: nobody is there to do it.
      await direct('DELETE', `/containers/${ns}.goes?force=1`);
      expect(await leftOn(engine, goes.job)).toHaveLength(4);
      await expect(answers(stays)).rejects.toThrow(/ECONNREFUSED/);
      // Who gives no sockets any more ends jobs all the same, and those that run are there again when sockets are.
      const said = readFileSync(it().config, 'utf8');
      const { listeners, ...config } = JSON.parse(said);
      writeFileSync(it().config, JSON.stringify({ ...config, listeners: [{ ...listeners[0], jobSocket: null }] }));
      await it().start();
      await until(async () => (await leftOn(engine, goes.job)).length === 0);
      await until(async () => kept().length === 1);
      await expect(answers(stays)).rejects.toThrow(/ECONNREFUSED|ENOENT/);
      writeFileSync(it().config, said);
      it().process().signal('SIGHUP');
      await until(() => answers(stays));
      const listed = (await over(stays, 'GET', '/containers/json')).json<{ Names: string[] }[]>();
      expect(listed.map(({ Names }) => Names[0])).toEqual(['/db']);
      expect(await leftOn(engine, goes.job)).toEqual([]);
      expect(await leftOn(engine, stays.job)).toHaveLength(4);
      // An administrator has enough of it.
      expect((await ask(it().admin, 'DELETE', `/api/jobs/${stays.job}`)).text).toMatch(/"complete":true/);
      expect(await leftOn(engine, stays.job)).toEqual([]);
      const refused = await over(stays, 'POST', '/volumes/create', { body: { Name: 'again' } });
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('has ended the job')]);
      expect((await it().call('POST', '/containers/stays/restart?t=0')).status).toBe(204);
      await until(async () => (await over(stays, 'GET', '/containers/json')).status === 200);
      expect((await over(stays, 'GET', '/containers/json')).json()).toEqual([]);
      expect((await it().call('DELETE', '/containers/stays?force=1')).status).toBe(204);
      await until(async () => (await leftOn(engine, stays.job)).length === 0);
      expect(await leftOn(engine, stays.job)).toEqual([]);
    });

    test.each(['containers', 'networks', 'volumes', 'images'])(
      'as the end of a job begins to remove %s',
      async (kind) => {
        const note = await startHolder(`end-${kind}`);
        await fill(note);
        const dead = new Promise<void>((resolve) => {
          it().before(new RegExp(`^DELETE /v[\\d.]+/${kind}/`), async () => resolve(it().kill()));
        });
        await it()
          .call('DELETE', `/containers/end-${kind}?force=1`)
          .catch(() => {});
        await dead;
        // The control: what comes after is still there.
        if (kind !== 'images') expect((await leftOn(engine, note.job)).length).toBeGreaterThan(0);
        await it().start();
        await until(async () => (await leftOn(engine, note.job)).length === 0);
        expect(await leftOn(engine, note.job)).toEqual([]);
        await until(async () => kept().length === 0);
        expect(kept()).toEqual([]);
      },
    );

    test('with nothing left of a job but images: a step that nobody has named yet, and names of this installation alone', async () => {
      /** What the step of the build has become, as its history says. */
      const stepOf = async (job: string): Promise<readonly string[]> => {
        const listed = await direct('GET', `/images/json?all=1&filters=${encodeURIComponent('{"dangling":["true"]}')}`);
        const all = listed.json<{ Id: string }[]>().map(({ Id }) => Id);
        const histories = await Promise.all(all.map(async (id) => (await direct('GET', `/images/${id}/history`)).text));
        return all.filter((_, i) => histories[i]?.includes(job));
      };
      const note = await startHolder('cut');
      await fill(note);
      const context = mkdtempSync(join(tmpdir(), 'berthgate-cut-'));
      // Of the second one there never was a container, and what it was made from is the job's, and kept for the next one.
      const steps = [
        `FROM busybox\nRUN echo ${note.job} >/made\nRUN sleep 600\n`,
        `FROM app\nCOPY 0 /${note.job}\nCOPY missing /\n`,
      ];
      for (const [i, step] of steps.entries()) writeFileSync(join(context, String(i)), step);
      const dead = new Promise<readonly string[]>((resolve) => {
        // The engine has said which images the steps have become.
        const said = /^GET \/v[\d.]+\/images\/[0-9a-f]{12}\/json/;
        let onSecond = (): void => {};
        const second = new Promise<void>((both) => {
          onSecond = both;
        });
        it().before(said, () => second);
        it().before(said, async () => {
          await it().kill();
          resolve(await stepOf(note.job));
          onSecond();
        });
      });
      const socket = `unix://${join(folders(), note.folder, 'docker.sock')}`;
      const cut = steps.map((_, i) =>
        dockerCli(socket, ['build', '--file', join(context, String(i)), context], { env: { DOCKER_BUILDKIT: '0' } }),
      );
      expect(await dead).toHaveLength(2);
      for (const { code } of await Promise.all(cut)) expect(code).not.toBe(0);
      rmSync(context, { recursive: true });
      const kept = `berthgate.invalid/kept:${randomBytes(32).toString('hex')}-1`;
      const [repo = '', tag = ''] = kept.split(':');
      const app = `${gateway}/${note.job}/docker.io/library/app`;
      expect((await direct('POST', `/images/${app}/tag?repo=${repo}&tag=${tag}`)).status).toBe(201);
      await direct('DELETE', `/containers/${ns}.cut?force=1`);
      const job = (): string => `j-${randomBytes(10).toString('hex')}`;
      const own = `${gateway}/${job()}/docker.io/library/app`;
      // Another Berthgate's, whose gateway is elsewhere.
      const foreign = `127.0.0.254:1/${job()}/docker.io/library/app`;
      const there = async (name: string): Promise<boolean> =>
        (await direct('GET', `/images/${name}/json`)).status === 200;
      for (const repo of [own, foreign]) {
        expect((await direct('POST', `/images/busybox/tag?repo=${encodeURIComponent(repo)}&tag=latest`)).status).toBe(
          201,
        );
      }
      expect(await there(`${own}:latest`)).toBe(true);
      await it().start();
      await until(async () => !(await there(`${own}:latest`)));
      expect([await there(`${own}:latest`), await there(`${foreign}:latest`)]).toEqual([false, true]);
      await until(async () => (await stepOf(note.job)).length === 0);
      expect(await stepOf(note.job)).toEqual([]);
      for (const name of [`${foreign}:latest`, kept])
        expect((await direct('DELETE', `/images/${name}`)).status).toBe(200);
    });

    test('a job that is removed in the middle of pulls, its own and those of builds: nothing of them is left or comes later', async () => {
      const names = ['pull', ...builders];
      /** What the engine calls them, but for what keeps builds for the owner's next job. */
      const called = async (): Promise<readonly string[]> => {
        const answers = names.map((name) => direct('GET', `/images/${slow?.idOf(name)}/json`));
        const found = (await Promise.all(answers)).map(
          (answer) => answer.json<{ RepoTags?: string[] }>().RepoTags ?? [],
        );
        return found.flat().filter((name) => !name.startsWith(`${gateway}/s_`));
      };
      const pulls = (note: Note): Promise<CommandResult>[] => {
        const host = `unix://${join(folders(), note.folder, 'docker.sock')}`;
        return names.map((name, kind) => {
          writeFileSync(join(context, name), `FROM ${SLOW}/${name}\n`);
          const build = ['build', '--no-cache', '--file', join(context, name), '--tag', name, context];
          const args = kind === 0 ? ['pull', `${SLOW}/pull`] : build;
          return dockerCli(host, args, {
            env: { DOCKER_BUILDKIT: String(Math.max(kind - 1, 0)) },
            timeoutMs: RECOVERED_MS,
          });
        });
      };
      const note = await startHolder('removed');
      const cut = pulls(note);
      await Promise.all(names.map((name) => slow?.asked(name)));
      expect((await it().call('DELETE', '/containers/removed?force=1')).status).toBe(204);
      await it()
        .process()
        .said(new RegExp(`"job":"${note.job}".*has ended`));
      for (const { code } of await Promise.all(cut)) expect(code).not.toBe(0);
      slow?.release();
      // The control: by then the engine has done what it was still at.
      const other = await startHolder('stays');
      for (const one of await Promise.all(pulls(other))) expect(one).toMatchObject({ code: 0 });
      expect((await called()).filter((name) => name.includes(`/${other.job}/`)).length).toBeGreaterThan(1);
      expect(await leftOn(engine, note.job)).toEqual([]);
      expect((await it().call('DELETE', '/containers/stays?force=1')).status).toBe(204);
      await until(async () => (await leftOn(engine, other.job)).length === 0);
      expect(await called()).toEqual([]);
      // What an engine names for a job that is long gone.
      const late = `${gateway}/${note.job}/docker.io/library/late`;
      expect((await direct('POST', `/images/busybox/tag?repo=${encodeURIComponent(late)}&tag=1`)).status).toBe(201);
      const swept = new RegExp(`"job":"${note.job}".*had lost its containers`, 'g');
      await it().process().said(swept);
      expect(await leftOn(engine, note.job)).toEqual([]);
      // Nothing that it had begun itself has come late.
      expect(it().process().stderr.match(swept)).toHaveLength(1);
    });

    /** Over what the container sees as its socket. */
    const pingsOf = async (name: string): Promise<() => Promise<number>> => {
      const { State } = (await direct('GET', `/containers/${ns}.${name}/json`)).json<{ State: { Pid: number } }>();
      return async () => (await ask(`/proc/${State.Pid}/root${SOCKET}`, 'GET', '/_ping')).status;
    };
    /** Nothing can be put into it: the file of its socket is mounted itself. */
    const startSealed = async (name: string): Promise<() => Promise<number>> => {
      const sealed = { Binds: [`${SOCKET}:${SOCKET}`], ReadonlyRootfs: true };
      expect((await it().call('POST', `/containers/create?name=${name}`, sleeping(sealed))).status).toBe(201);
      expect((await it().call('POST', `/containers/${name}/start`)).status).toBe(204);
      return pingsOf(name);
    };

    const once = test.runIf(engine.name === newestEngine()?.name);
    once(
      'a container that cannot see a new socket keeps its own over a kill where a service manager keeps it',
      async () => {
        const manager = startServiceManager();
        try {
          await it().kill();
          await it().start(manager);
          const pings = await startSealed('sealed');
          const seen = [await pings()];
          await manager.hears(/^FDSTORE=1\nFDNAME=job-[0-9a-f]{20}$/);
          await it().kill();
          // It waits in the queue of the socket.
          const waits = pings();
          await it().start(manager);
          seen.push(await waits, await pings());
          // What it keeps of a container that is gone is dropped.
          await startSealed('gone');
          expect(manager.kept.size).toBe(2);
          await it().kill();
          expect((await direct('DELETE', `/containers/${ns}.gone?force=1`)).status).toBe(204);
          await it().start(manager);
          await manager.hears(/^FDSTOREREMOVE=1\nFDNAME=job-/);
          expect(manager.kept.size).toBe(1);
          seen.push(await pings());
          await it().takeOver();
          seen.push(await pings());
          expect(seen).toEqual([200, 200, 200, 200, 200]);
          await it().kill();
          // The control: with nobody who keeps it, it is refused until the container is started again.
          manager.close();
          await it().start();
          await expect(pings()).rejects.toThrow(/ECONNREFUSED/);
          expect((await it().call('POST', '/containers/sealed/restart?t=0')).status).toBe(204);
          expect(await (await pingsOf('sealed'))()).toBe(200);
        } finally {
          manager.close();
        }
      },
    );

    test('an upgrade cuts no stream and no build of a job, which pulls meanwhile, and the new process ends it', async () => {
      const note = await startHolder('upgraded');
      const talking = {
        Image: 'busybox',
        Cmd: ['sh', '-c', 'while :; do echo word; sleep 0.1; done'],
        HostConfig: { Init: true },
      };
      await over(note, 'POST', '/containers/create?name=talks', { body: talking });
      await over(note, 'POST', '/containers/talks/start');
      const heard = await listen(
        join(folders(), note.folder, 'docker.sock'),
        '/containers/talks/logs?follow=1&stdout=1',
      );
      await heard.more();
      const host = `unix://${join(folders(), note.folder, 'docker.sock')}`;
      const builds = builders.map((name, kind) => {
        writeFileSync(
          join(context, name),
          `FROM busybox AS one\nRUN echo ${ns} >/word\nFROM ${R}/${name}\nCOPY --from=one /word /\n`,
        );
        const args = ['build', '--no-cache', '--file', join(context, name), '--tag', name, context];
        return dockerCli(host, args, { env: { DOCKER_BUILDKIT: String(kind) }, timeoutMs: RECOVERED_MS });
      });
      const early = (result: CommandResult) => Promise.reject(new Error(`it has ended: ${JSON.stringify(result)}`));
      await Promise.all(
        builds.map((build, i) => Promise.race([held?.asked(BUILDERS[i] as string), build.then(early)])),
      );
      const { before, now } = await it().takeOver();
      await before.said(/another process has taken the sockets over/);
      await heard.more();
      held?.release();
      for (const build of builds) expect(await build).toMatchObject({ code: 0 });
      expect((await over(note, 'GET', '/containers/json')).json<unknown[]>()).toHaveLength(1);
      await now.said(/"listener":"own\.job".*"endpoint":"ContainerList"/);
      await heard.more();
      heard.leave();
      expect((await before.ended).code).toBe(0);
      expect((await it().call('DELETE', '/containers/upgraded?force=1')).status).toBe(204);
      await now.said(/"msg":"a job has ended"/);
      expect(await leftOn(engine, note.job)).toEqual([]);
      expect(before.stderr).not.toMatch(new RegExp(`"job":"${note.job}".*has ended`));
    });
  },
  (engine) => engine.socket !== '' && engine.name !== '26.1',
);

/** A stream that goes on: `more` resolves when more of it has come. */
async function listen(socketPath: string, path: string) {
  const request = http.request({ socketPath, path, agent: false });
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', resolve);
    request.end();
  });
  return {
    more: () =>
      new Promise<void>((resolve, reject) => {
        const cut = (): void => reject(new Error('the stream has ended'));
        answer.once('close', cut);
        answer.once('data', () => {
          answer.pause();
          answer.off('close', cut);
          resolve();
        });
        answer.resume();
      }),
    leave: () => request.destroy(),
  };
}
