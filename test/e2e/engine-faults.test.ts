// An engine that is killed under its clients: they see an error, and the next call works as soon as the engine does.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { canStartEngines, dockerCli, freePort, startEngine, type TestEngine } from '../engines/index.ts';
import { type Berthgate, startBerthgate } from './berthgate.ts';
import { leftOn, SOCKET } from './jobs.ts';
import { startKillable } from './killed.ts';
import { type Way, waysThrough } from './through.ts';
import type { Watched } from './watched.ts';

for (const name of ['20.10-faults', '28.5-faults']) {
  describe.skipIf(!canStartEngines())(`an engine that is killed [${name}]`, () => {
    let engine: TestEngine;
    let berthgate: Berthgate;
    let way: Way;
    let tls: Way;
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-faults-'));

    beforeAll(async () => {
      engine = await startEngine(name);
      berthgate = await startBerthgate(engine.host);
      const ways = waysThrough(engine, () => berthgate);
      way = ways.overUnix;
      tls = ways.overTls;
    });
    afterAll(async () => {
      // Refusals for an engine that is away are not faults of our own.
      const wrong = (await berthgate?.stop()) ?? [];
      await engine?.control?.stop();
      rmSync(folder, { recursive: true });
      expect(wrong).toEqual([]);
    });

    // What a failed test left killed.
    beforeEach(() => engine.control?.start());

    /** Kills the engine under what runs, which must end by itself. */
    async function killUnder(running: readonly Watched[]): Promise<readonly number[]> {
      await engine.control?.kill();
      return (await Promise.all(running.map((one) => one.end()))).map(({ code }) => code);
    }

    async function comeBack(): Promise<void> {
      await engine.control?.start();
      expect((await way.docker(['version', '--format', '{{.Server.Version}}'])).code).toBe(0);
    }

    test('calls are answered with an error while it is away, and work as soon as it is there', async () => {
      expect((await way.docker(['ps'])).code).toBe(0);
      await engine.control?.kill();
      for (const one of [way, tls]) {
        const { code, stderr } = await one.docker(['ps']);
        expect(code).not.toBe(0);
        expect(stderr).toContain('berthgate: ');
        expect(stderr).not.toContain(engine.socket);
      }
      expect(await berthgate.metrics()).toContain('berthgate_engine_up{engine="engine"} 0');
      const started = engine.control?.start();
      // Asked all the while it starts: an error, or the right answer.
      let worked = false;
      for (const deadline = Date.now() + 60_000; !worked && Date.now() < deadline; await pause(20)) {
        const { code, stdout } = await way.docker(['images', '--format', '{{.Repository}}', 'busybox']);
        worked = code === 0;
        if (worked) expect(stdout).toBe('busybox\n');
      }
      expect(worked).toBe(true);
      await started;
      await comeBack();
    });

    test('a call that waits, a log that is followed and events end with an error', async () => {
      const own = way.own('streams');
      await way.docker(['run', '-d', '--init', '--name', own, 'busybox', 'sh', '-c', 'echo begun; sleep 600']);
      const waiting = way.watch(['wait', own]);
      const following = way.watch(['logs', '-f', own]);
      const watching = tls.watch(['events']);
      const attached = tls.watch(['attach', own]);
      await following.said(/begun/);
      await untilOpen(berthgate, 4);
      const codes = await killUnder([waiting, following, watching, attached]);
      const direct = await codesOfDirect(engine, own, way);
      await comeBack();
      await way.docker(['rm', '-f', own]);
      // The docker command itself takes some broken streams for an end: never more than without us.
      expect(codes.map((code) => code !== 0)).toEqual(direct.map((code) => code !== 0));
    });

    test('the body of an answer that breaks off is never given out as a whole one', async () => {
      const own = way.own('broken');
      await way.docker(['run', '-d', '--init', '--name', own, 'busybox', 'sh', '-c', 'echo begun; sleep 600']);
      for (const one of [way, tls]) {
        // It ended with its engine.
        await way.docker(['start', own]);
        const socket = one.connect();
        socket.write(`GET /v1.41/containers/${own}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n\r\n`);
        let came = '';
        socket.on('data', (chunk: Buffer) => {
          came += chunk.toString('latin1');
        });
        socket.on('error', () => {});
        while (!came.includes('begun')) await once(socket, 'data');
        const closed = once(socket, 'close');
        socket.on('end', () => socket.destroy());
        await engine.control?.kill();
        await closed;
        expect(came).toMatch(/transfer-encoding: chunked/i);
        expect(came).not.toMatch(/0\r\n\r\n$/);
        await comeBack();
      }
      await way.docker(['rm', '-f', own]);
    });

    test("a build, classic or by BuildKit, fails; what it leaves goes with its job, and nobody else's does", async () => {
      const images = async (): Promise<readonly string[]> =>
        (await ask(engine.socket, 'GET', '/images/json?all=1')).json<{ Id: string }[]>().map(({ Id }) => Id);
      const containers = async (): Promise<readonly string[]> =>
        (await ask(engine.socket, 'GET', '/containers/json?all=1')).json<{ Id: string }[]>().map(({ Id }) => Id);
      const ns = `killed-${randomBytes(3).toString('hex')}`;
      const jobs = await startKillable(engine, ns, [], `127.0.0.1:${await freePort()}`, { jobSocket: {} });
      const [before, untouched] = [await images(), await containers()];
      const holder = {
        Image: 'busybox',
        Cmd: ['sleep', '900'],
        HostConfig: { Init: true, Binds: [`${SOCKET}:${SOCKET}`] },
      };
      expect((await jobs.call('POST', '/containers/create?name=job', { body: holder })).status).toBe(201);
      expect((await jobs.call('POST', '/containers/job/start')).status).toBe(204);
      const inspection = await ask(engine.socket, 'GET', `/containers/${ns}.job/json`);
      const { Config } = inspection.json<{ Config: { Labels: Record<string, string> } }>();
      const { job, folder: place } = JSON.parse(Config.Labels['berthgate.socket'] ?? '') as Record<string, string>;
      const inJob = `unix://${join(dirname(jobs.config), 'state/jobs', String(place), 'docker.sock')}`;
      const build = (lines: string, classic: boolean, network: string, host?: string): Watched => {
        const context = mkdtempSync(join(folder, 'context-'));
        writeFileSync(join(context, 'Dockerfile'), `FROM busybox\n${lines}RUN echo "be""gun"; sleep 600\n`);
        const more = [...(classic ? [] : ['--progress', 'plain']), '--network', network];
        const env = { DOCKER_BUILDKIT: classic ? '0' : '1', ...(host === undefined ? {} : { DOCKER_HOST: host }) };
        return way.watch(['build', '--no-cache', ...more, context], { env });
      };
      const made = 'RUN echo >/made\nENV LAST=step\n';
      // Of which nothing is left that was on a network.
      const joined = ['run', '--detach', '--init', '--name', 'joined', 'busybox', 'sleep', '900'];
      expect((await dockerCli(inJob, joined)).code).toBe(0);
      const networks = ['default', 'none', 'container:joined'];
      const inJobs = networks.map((network) => build(made, true, network, inJob));
      const building = [build('', true, 'default'), build('', false, 'default'), ...inJobs];
      for (const one of building) await one.said(/begun/);
      expect(await killUnder(building)).not.toContain(0);
      await comeBack();
      // The container of the job, the one that it has started, and one for each step by the classic builder.
      expect((await containers()).length - untouched.length).toBe(6);
      expect((await images()).length).toBeGreaterThan(before.length);
      const removal = async (): Promise<number> => (await jobs.call('DELETE', '/containers/job?force=1')).status;
      await expect.poll(removal, { timeout: 60_000 }).toBe(204);
      await jobs.process().said(new RegExp(`"job":"${job}".*"msg":"a job has ended"`));
      expect(await leftOn(engine, String(job))).toEqual([]);
      expect((await images()).toSorted()).toEqual(before.toSorted());
      const [ofNobody, ...others] = (await containers()).filter((id) => !untouched.includes(id));
      expect(others).toEqual([]);
      const left = (await ask(engine.socket, 'GET', `/containers/${ofNobody}/json`)).json<{
        HostConfig: { NetworkMode: string };
      }>();
      expect(left.HostConfig.NetworkMode).toMatch(/^(default|bridge)$/);
      await jobs.stop();
    });

    test('a load, whose body is on its way, fails', async () => {
      const loading = way.watch(['load']);
      // A tar that never ends: the head of a file that is larger than what comes.
      const head = Buffer.alloc(512);
      head.write('large');
      head.write('0000644\0', 100);
      head.write('77777777777\0', 124);
      head.write('ustar\x0000', 257);
      head.write('        ', 148);
      head.write(
        `${head
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
      );
      loading.type(head);
      loading.type(Buffer.alloc(1024 * 1024));
      await untilOpen(berthgate, 1);
      const [code] = await killUnder([loading]);
      expect(code).not.toBe(0);
      await comeBack();
    });
  });
}

/** What the same commands end with when there is nobody between them and the engine that is killed. */
async function codesOfDirect(engine: TestEngine, container: string, way: Way): Promise<readonly number[]> {
  await engine.control?.start();
  const direct = waysThrough(engine, () => undefined as never).directly;
  await way.docker(['start', container]);
  const running = [['wait', container], ['logs', '-f', container], ['events'], ['attach', container]].map((args) =>
    direct.watch(args),
  );
  await (running[1] as Watched).said(/begun/);
  // Nothing tells from outside that a silent stream is open at the engine: its answer's head has come when a second
  // connection of the same kind, opened later, has been served.
  await direct.docker(['events', '--since', '1', '--until', '2']);
  await pause(500);
  await engine.control?.kill();
  return (await Promise.all(running.map((one) => one.end()))).map(({ code }) => code);
}

/** Resolves when so many calls that stream are open: polled, since a gauge tells nobody. */
async function untilOpen(berthgate: Berthgate, count: number): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; await pause(20)) {
    const open = (await berthgate.metrics()).matchAll(/^berthgate_connections\{.*\} (\d+)$/gm);
    if ([...open].reduce((sum, [, value]) => sum + Number(value), 0) >= count) return;
    if (Date.now() > deadline) throw new Error(`never ${count} connections`);
  }
}
