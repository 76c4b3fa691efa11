// The default network of a namespace: kept as long as anything refers to it, made anew for whoever lost the race; and the
// names under which its containers are found.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DockerEngine } from '../../src/engines/docker-engine.ts';
import { LiveEngineDesk } from '../../src/exchange/engine-desk.ts';
import { type EngineSide, engineSide } from '../../src/rules/namespaces/index.ts';
import { removeIdleNetworks } from '../../src/rules/namespaces/own-network.ts';
import { ReadBuffers } from '../../src/wire/read-buffers.ts';
import { ask } from '../engine/raw-client.ts';
import { describeEachEngine, docker, dockerCli, run, type TestEngine } from '../engines/index.ts';
import { type Killable, startKillable } from './killed.ts';

describeEachEngine(
  'the networks of a namespace',
  (engine: TestEngine) => {
    const ns = `idle-${randomBytes(3).toString('hex')}`;
    let killable: Killable | undefined;
    let other: EngineSide | undefined;
    let otherEngine: DockerEngine | undefined;
    const it = (): Killable => killable as Killable;
    const own = (...args: readonly string[]): Promise<string> => docker(`unix://${it().socket}`, args);
    const bridge = async (): Promise<boolean> =>
      (await ask(engine.socket, 'GET', `/networks/${ns}.bridge`)).status === 200;
    const removeBridge = async (): Promise<void> => {
      expect((await ask(engine.socket, 'DELETE', `/networks/${ns}.bridge`)).status).toBe(204);
    };
    /** Another Berthgate on the same engine, to which nobody has ever come: everything is idle to it. */
    const sweep = async (): Promise<void> => {
      await other?.directory.all(ns, 'network');
      await removeIdleNetworks(other as EngineSide, 0);
    };
    const resolves = async (from: string, name: string): Promise<boolean> =>
      (await dockerCli(`unix://${it().socket}`, ['exec', from, 'nslookup', name])).code === 0;

    beforeAll(async () => {
      killable = await startKillable(engine, ns);
      const url = { kind: 'unix', path: engine.socket } as const;
      otherEngine = new DockerEngine({ name: 'engine', url, buffers: new ReadBuffers() });
      const installation = { id: 'another', alone: true, onEnded: () => {} };
      other = engineSide(new LiveEngineDesk(otherEngine), installation);
      other.start();
      await own('create', '--name', 'first', 'busybox', 'sleep', '600');
      // It has heard of the network when it answers that it knows the container.
      expect(await other.directory.find(ns, 'container', 'first')).not.toBeNull();
      await other.directory.find(ns, 'network', 'bridge');
    });

    afterAll(async () => {
      other?.end();
      otherEngine?.close();
      if (killable !== undefined) {
        const program = process.env.BERTHGATE_PROGRAM ?? 'dist/main.js';
        await run(process.execPath, [program, 'namespaces', 'rm', ns, '--yes', '--config', it().config]);
        await it().stop();
      }
    });

    test('the default one is kept for a container that was never started, and for one that has ended', async () => {
      await sweep();
      expect(await bridge()).toBe(true);
      await own('start', 'first');
      await own('kill', 'first');
      await sweep();
      expect(await bridge()).toBe(true);
      await own('start', 'first');
      await own('rm', '-f', 'first');
    });

    test('the default one goes with the last that refers to it, whoever is on other networks', async () => {
      await own('network', 'create', 'net');
      await own('run', '-d', '--name', 'elsewhere', '--network', 'net', 'busybox', 'sleep', '600');
      await own('run', '-d', '--name', 'nowhere', '--network', 'none', 'busybox', 'sleep', '600');
      expect(await bridge()).toBe(true);
      await sweep();
      expect(await bridge()).toBe(false);
      await own('rm', '-f', 'nowhere');
    });

    test.each([
      ['a create', /\/containers\/create/],
      ['a start', /\/start$/],
    ])('one that is removed right before %s is made again', async (_, call) => {
      it().before(call, async () => {
        // The network is there by now: the create needs it.
        await removeBridge();
      });
      // Not --rm: an engine removes such a container itself when its start fails.
      await own('run', '-d', '--name', 'again', 'busybox', 'sleep', '600');
      expect(await own('exec', 'again', 'ip', '-4', '-o', 'addr', 'show', 'eth0')).toContain('inet 10.');
      await own('rm', '-f', 'again');
    });

    test('no create fails while another one sweeps all the time', async () => {
      let sweeping = true;
      let removed = 0;
      const sweeps = (async () => {
        while (sweeping) {
          const before = await bridge();
          await sweep();
          if (before && !(await bridge())) removed++;
        }
      })();
      try {
        for (let round = 0; round < 3; round++) {
          const said = await Promise.all(
            [1, 2, 3].map((one) => dockerCli(`unix://${it().socket}`, ['run', '--name', `r${one}`, 'busybox', 'true'])),
          );
          for (const { code, stderr } of said) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
          await own('rm', 'r1', 'r2', 'r3');
        }
      } finally {
        sweeping = false;
        await sweeps;
      }
      expect(removed).toBeGreaterThan(0);
    });

    test('one that is removed right before a connect, or under a container that has ended, is made again', async () => {
      it().before(/\/connect$/, removeBridge);
      await own('network', 'connect', 'bridge', 'elsewhere');
      expect(await own('exec', 'elsewhere', 'ip', '-4', '-o', 'addr', 'show', 'eth1')).toContain('inet 10.');
      await own('kill', 'elsewhere');
      await removeBridge();
      await own('start', 'elsewhere');
      const networks = '{{range $name, $on := .NetworkSettings.Networks}}{{$name}} {{$on.IPAddress}};{{end}}';
      expect(await own('inspect', '-f', networks, 'elsewhere')).toMatch(/^bridge 10\.[\d.]+;net 10\.[\d.]+;$/);
      await own('rm', '-f', 'elsewhere');
    });

    test('a renamed container is found by its new name after its next start, and its connections are not cut before', async () => {
      await own('network', 'create', '--subnet', `${engine.subnetPrefix}.77.0/24`, 'fixed');
      const address = `${engine.subnetPrefix}.77.9`;
      const more = ['--network', 'fixed', '--ip', address, '--network-alias', 'said'];
      await own('run', '-d', '--name', 'asker', '--network', 'fixed', 'busybox', 'sleep', '600');
      await own('run', '-d', '--name', 'old', ...more, 'busybox', 'sleep', '600');
      await own('rename', 'old', 'new');
      expect([await resolves('asker', 'old'), await resolves('asker', 'new')]).toEqual([true, false]);
      await own('restart', '-t', '0', 'new');
      expect([await resolves('asker', 'old'), await resolves('asker', 'new')]).toEqual([false, true]);
      expect(await resolves('asker', 'said')).toBe(true);
      expect(await own('inspect', '-f', '{{.NetworkSettings.Networks.fixed.IPAddress}}', 'new')).toBe(address);
      await own('kill', 'new');
      await own('rename', 'new', 'newest');
      await own('start', 'newest');
      expect([await resolves('asker', 'new'), await resolves('asker', 'newest')]).toEqual([false, true]);
      expect(await own('inspect', 'newest')).not.toContain('berthgate.');
      // A name that its client gave it stays, whatever the container is called.
      await own(
        'run',
        '-d',
        '--name',
        'twice',
        '--network',
        'fixed',
        '--network-alias',
        'twice',
        'busybox',
        'sleep',
        '600',
      );
      await own('rename', 'twice', 'other');
      await own('restart', '-t', '0', 'other');
      expect([await resolves('asker', 'twice'), await resolves('asker', 'other')]).toEqual([true, true]);
    });
  },
  (engine) => engine.socket !== '',
);
