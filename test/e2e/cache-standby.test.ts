// Never a single point of failure: what containers are pointed to answers when the cache is killed, ended, and back.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findIncumbent } from '../../src/front/listeners/index.ts';
import { describeEachEngine, docker, dockerCli, newestEngine } from '../engines/index.ts';
import {
  BODY_HASH,
  bundleOf,
  fetchScript,
  HOST,
  makeImage,
  PINS,
  type Site,
  startSite,
  takeAddress,
} from './cached-site.ts';
import { Watched } from './watched.ts';

const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

describeEachEngine(
  'the cache, killed',
  (engine) => {
    const name = `cas-${randomBytes(3).toString('hex')}`;
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-standby-'));
    const socket = `unix://${folder}/docker.sock`;
    const committed = `${name}-committed`;
    const standing = join(folder, 'state/passthrough.sock');
    const running: Watched[] = [];
    let site: Site;
    let give: (() => Promise<void>) | undefined;

    const serve = async (): Promise<Watched> => {
      const args = ['--pdeathsig', 'KILL', process.execPath, program, 'serve', '--config', join(folder, 'b.yaml')];
      const started = new Watched('setpriv', args, { env: { PATH: process.env.PATH ?? '' } });
      running.push(started);
      await started.said(/^export DOCKER_HOST=/m);
      return started;
    };
    const until = async (holds: (found: Awaited<ReturnType<typeof findIncumbent>>) => boolean) => {
      for (const deadline = Date.now() + 20_000; ; ) {
        const found = await findIncumbent(standing).catch(() => null);
        if (holds(found)) return found;
        if (Date.now() > deadline) throw new Error(`standing by: ${JSON.stringify(found)}`);
        await pause(20);
      }
    };
    const fetchIn = async (path: string, container = name): Promise<{ stdout: string; stderr: string }> => {
      const plain = `wget -q -O - http://${HOST}${path} | sha256sum; `;
      return dockerCli(engine, ['exec', container, 'sh', '-c', plain + fetchScript(bundleOf.debian, path)]);
    };
    const works = async (path: string, issuer: RegExp, container = name): Promise<void> => {
      const { stdout, stderr } = await fetchIn(path, container);
      expect(stdout.split(BODY_HASH).length - 1, stderr).toBe(2);
      expect(stderr).toMatch(issuer);
    };

    beforeAll(async () => {
      site = await startSite();
      await makeImage(engine, `${name}:image`, 'debian', site.ca);
      const taken = await takeAddress(engine, 3);
      give = taken.give;
      writeFileSync(
        join(folder, 'b.yaml'),
        JSON.stringify({
          state: join(folder, 'state'),
          engines: [{ name: 'engine', url: engine.host }],
          listeners: [{ name: 'l', url: socket, auth: ['anonymous'], namespace: null, policies: [], cache: true }],
          outbound: site.outbound,
          cache: { store: join(folder, 'store'), address: [taken.address], hosts: [HOST] },
          firewall: { apply: false },
        }),
      );
    });
    afterAll(async () => {
      for (const one of running) {
        one.signal('SIGKILL');
        await one.ended;
      }
      await docker(engine, ['rm', '-f', name, committed]);
      // The engine goes on with a commit whose client was killed.
      await dockerCli(engine, ['rmi', '-f', `${name}:committed`]);
      await docker(engine, ['rmi', '-f', `${name}:image`]);
      // What stands by serves as soon as it has seen that the last one is gone.
      const left = await until((found) => found !== null);
      process.kill(left?.pid as number, 'SIGTERM');
      await until((found) => found === null);
      site?.stop();
      await give?.();
      rmSync(folder, { recursive: true });
    });

    test('a running job goes on when it is killed, and is intercepted again when it is back', async () => {
      const first = await serve();
      await docker(socket, ['run', '-d', '--name', name, `${name}:image`, 'sleep', '3600']);
      await works('/first', /Berthgate cache/);

      // Killed in the middle of a commit, when the container is paused and has not the CA, or is about to.
      const filters = ['--since', '1m', '--filter', `container=${committed}`, '--format', '{{.Action}}'];
      const events = new Watched('docker', ['-H', engine.host, 'events', ...filters], {
        env: { PATH: process.env.PATH ?? '' },
      });
      running.push(events);
      const id = await docker(socket, ['run', '-d', '--name', committed, `${name}:image`, 'sleep', '3600']);
      await events.said(/^start/m);
      const commit = dockerCli(socket, ['commit', committed, `${name}:committed`]);
      await events.said(/^pause/m);
      first.signal('SIGKILL');
      await first.ended;
      await commit;
      const isPaused = () => docker(engine, ['inspect', '--format', '{{.State.Paused}}', committed]);
      if ((await isPaused()) === 'false') {
        // It was done before we were: what it would have left.
        await docker(engine, ['exec', committed, 'cp', PINS, bundleOf.debian]);
        await docker(engine, ['pause', committed]);
        writeFileSync(join(folder, `state/without-ca/engine/${id}.paused.0.0.0`), '');
      }
      // At once: nobody waits until the other process has noticed.
      await works('/killed', /CN ?= ?site CA/);

      const standby = await until((found) => found !== null);
      const status = readFileSync(`/proc/${standby?.pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:(\s+65534){4}\nGid:(\s+65534){4}\n(.*\n)*Groups:\s*\n(.*\n)*CapEff:\s+0+\n/m);
      // The control: it was started by root.
      expect(process.getuid?.()).toBe(0);

      const second = await serve();
      await works('/back', /Berthgate cache/);
      await expect.poll(isPaused, { timeout: 20_000 }).toBe('false');
      await works('/mended', /Berthgate cache/, committed);
      await until((found) => found === null);

      second.signal('SIGTERM');
      expect((await second.ended).code).toBe(0);
      await works('/ended', /CN ?= ?site CA/);

      await serve();
      await works('/again', /Berthgate cache/);
    });
  },
  (engine) => engine.name === newestEngine()?.name && engine.socket !== '',
);
