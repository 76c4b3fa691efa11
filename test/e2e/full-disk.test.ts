// What people are told while the engine's disk is fuller than gc.high: on every machine that is so for 2 %.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import {
  type CommandResult,
  describeEachEngine,
  docker,
  dockerCli,
  dockerClis,
  dockerEnvironment,
  run,
} from '../engines/index.ts';

const TOLD_MS = 60_000;
const program = process.env.BERTHGATE_PROGRAM ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));

describeEachEngine(
  'an engine whose disk is full',
  (engine) => {
    const name = `full-${randomBytes(3).toString('hex')}`;
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-full-'));
    let served: Awaited<ReturnType<typeof serveListeners<'open' | 'ruled'>>> | undefined;
    const at = (listener: 'open' | 'ruled', ...args: readonly string[]): Promise<CommandResult> =>
      dockerCli({ host: `unix://${served?.sockets[listener]}` }, args);

    beforeAll(async () => {
      writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nLABEL a=b\n');
      // Without a namespace on any listener nothing of the engine is removed.
      served = await serveListeners(
        engine.host,
        { open: {}, ruled: { policies: ['conservative'] } },
        { gc: { high: '2%', low: '1%' } },
      );
      await docker(engine, ['create', '--name', name, 'busybox', 'true']);
      const told = (): boolean => JSON.stringify(served?.log()).includes('the disk is full');
      for (const deadline = Date.now() + TOLD_MS; !told() && Date.now() < deadline; ) await pause(20);
    });
    afterAll(async () => {
      await served?.stop();
      await dockerCli(engine, ['rm', '--force', name]);
      rmSync(folder, { recursive: true, force: true });
    });

    test.each([
      ['open', 'run', '--rm', 'busybox', 'true'],
      ['open', 'pull', 'busybox'],
      ['open', 'import', join(folder, 'Dockerfile')],
      ['open', 'commit', name],
      ['open', 'build', folder],
      ['ruled', 'create', 'busybox'],
      ['ruled', 'buildx', 'build', folder],
    ] as const)('%s: docker %s is refused, and says why', async (listener, ...args) => {
      const { code, stderr } = await at(listener, ...args);
      expect(stderr).toContain("berthgate: the engine's disk is full");
      expect(stderr).toContain('ask the administrator');
      expect(code).not.toBe(0);
    });

    test('explain tells it, and a command of berthgate run is told the same', async () => {
      const file = join(folder, 'berthgate.yaml');
      const listener = { name: 'open', url: `unix://${folder}/unused.sock`, auth: ['anonymous'], namespace: null };
      const config = (high: number) => ({
        state: join(folder, 'state'),
        firewall: { apply: false },
        engines: [{ name: 'engine', url: engine.host, gateway: null }],
        images: { shared: ['busybox'] },
        listeners: [listener],
        gc: { high: `${high}%`, low: '1%' },
      });
      const told = (...args: readonly string[]): Promise<CommandResult> =>
        run(process.execPath, [program, ...args], { env: dockerEnvironment(engine) });
      const create = ['POST', '/containers/create', '--data', '{"Image":"busybox"}'];
      const docker = dockerClis[0]?.path as string;
      const both = async (high: number): Promise<readonly CommandResult[]> => {
        writeFileSync(file, JSON.stringify(config(high)));
        return Promise.all([
          told('explain', '--config', file, ...create),
          told('run', '--config', file, '--', docker, 'create', 'busybox'),
        ]);
      };
      const [explained, ran] = await both(2);
      expect(explained?.stdout).toMatch(/more than 2 % .* \d+ % of it are used now\n\nrefused: 507 disk-full/);
      expect(explained?.code).toBe(1);
      expect(ran?.stderr).toContain("berthgate: the engine's disk is full");
      expect(ran?.code).toBe(1);
      // The control.
      expect((await both(100)).map(({ code }) => code)).toEqual([0, 0]);
    });

    test('what is there is started, looked at and removed', async () => {
      // The control: the engine itself does what was refused.
      await docker(engine, ['buildx', 'build', folder]);
      for (const [listener, ...args] of [
        ['ruled', 'start', '--attach', name],
        ['ruled', 'buildx', 'du'],
        ['open', 'buildx', 'du'],
        ['open', 'buildx', 'prune', '--force', '--filter', 'until=8760h'],
        ['ruled', 'rm', name],
      ] as const) {
        const { code, stderr } = await at(listener, ...args);
        expect(code, stderr).toBe(0);
      }
    });
  },
  ({ name }) => name === '28.5',
);
