// What a running Berthgate is told while its clients work: read the configuration again, make room for a new process, end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeEachEngine, newestEngine } from '../engines/index.ts';
import { type Berthgate, startBerthgate } from './berthgate.ts';
import { type Ways, waysThrough } from './through.ts';
import type { Watched } from './watched.ts';

const folder = mkdtempSync(join(tmpdir(), 'berthgate-upgrades-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Working {
  /** It can be told to go on, and goes on. */
  goOn(): Promise<void>;
}

/** An attached terminal and a build that is under way, both with a container that waits for a word. */
async function work({ directly, overUnix: way, overTls: tls }: Ways, what: string): Promise<Working> {
  const name = way.own(what);
  const terminal = way.terminal(['run', '--rm', '-it', '--name', name, 'busybox', 'sh']);
  await terminal.said(/# /);
  const context = mkdtempSync(join(folder, 'context-'));
  const gate = mkdtempSync(join(folder, 'gate-'));
  const server = way.own(`${what}-gate`);
  await directly.docker([
    'run',
    '-d',
    '--init',
    '--name',
    server,
    '-v',
    `${gate}:/gate`,
    'busybox',
    'httpd',
    '-f',
    '-h',
    '/gate',
  ]);
  const { stdout } = await directly.docker(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', server]);
  const wait = `until wget -q -O- http://${stdout.trim()}/word; do sleep 0.1; done`;
  writeFileSync(join(context, 'Dockerfile'), `FROM busybox\nRUN echo "be""gun"; ${wait}; echo "go""ne on"\n`);
  const args = ['build', '--no-cache', context];
  const builds: readonly Watched[] = [
    way.watch(args, { env: { DOCKER_BUILDKIT: '0' } }),
    tls.watch([...args, '--progress', 'plain'], { env: { DOCKER_BUILDKIT: '1' } }),
  ];
  await Promise.all(builds.map((build) => build.said(/begun/)));
  return {
    async goOn() {
      terminal.type('echo "still"" here"; exit 4\n');
      await terminal.said(/still here/);
      expect((await terminal.end()).code).toBe(4);
      writeFileSync(join(gate, 'word'), 'go on');
      for (const build of builds) {
        await build.said(/gone on/);
        expect((await build.end()).code).toBe(0);
      }
      await directly.docker(['rm', '-f', server]);
    },
  };
}

describeEachEngine(
  'a running Berthgate',
  (engine) => {
    const started: Berthgate[] = [];
    const start = async (): Promise<Ways> => {
      const berthgate = await startBerthgate(engine.host);
      started.push(berthgate);
      return waysThrough(engine, () => berthgate);
    };
    afterAll(() => {
      for (const { process } of started) process.kill();
    });

    test('reads its configuration again on SIGHUP, and a build and a terminal notice nothing', async () => {
      const ways = await start();
      const { berthgate, overUnix: way } = ways;
      const working = await work(ways, 'reload');
      const before = readFileSync(berthgate.config, 'utf8');
      writeFileSync(berthgate.config, before.replace('"20s"', '"21s"'));
      berthgate.process.signal('SIGHUP');
      await berthgate.process.said(/configuration read again/);
      writeFileSync(berthgate.config, before.replace('"anonymous"', '"nobody-knows"'));
      berthgate.process.signal('SIGHUP');
      await berthgate.process.said(/the old one stays/);
      expect((await way.docker(['ps', '-q', '--filter', 'name=e2e-none'])).code).toBe(0);
      await working.goOn();
      const wrong = await berthgate.stop();
      expect(wrong.filter((line) => !line.includes('the old one stays'))).toEqual([]);
    });

    test('takes no calls after SIGTERM, and lets a build and a terminal end', async () => {
      const ways = await start();
      const { berthgate, overUnix: way } = ways;
      const working = await work(ways, 'drain');
      berthgate.process.signal('SIGTERM');
      await berthgate.process.said(/"draining"/);
      expect((await way.docker(['ps'])).code).not.toBe(0);
      await working.goOn();
      expect((await berthgate.process.end()).code).toBe(0);
      rmSync(join(berthgate.config, '..'), { recursive: true });
    });

    test('gives its sockets to a new process, and keeps its build and its terminal', async () => {
      const ways = await start();
      const { berthgate, overUnix: way } = ways;
      const working = await work(ways, 'upgrade');
      let asked = 0;
      let over = false;
      // Somebody asks all the while: no call may be refused.
      const asking = (async () => {
        for (; !over; asked++) expect((await way.dockerode().ping()).toString()).toBe('OK');
      })();
      const next = await berthgate.takeOver();
      started.push(next);
      await berthgate.process.said(/has taken the sockets over/);
      const before = asked;
      while (asked < before + 20) await way.dockerode().ping();
      over = true;
      await asking;
      const version = await way.docker(['version', '--format', '{{.Server.Version}}']);
      expect(version.code).toBe(0);
      expect(berthgate.process.child.exitCode).toBe(null);
      await working.goOn();
      expect((await berthgate.process.end()).code).toBe(0);
      expect(await next.stop()).toEqual([]);
    });
  },
  (engine) => engine.name === newestEngine()?.name,
);
