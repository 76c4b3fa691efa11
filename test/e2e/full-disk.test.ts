// What people are told while the engine's disk is fuller than gc.high: on every machine that is so for 2 %.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import { type CommandResult, describeEachEngine, docker, dockerCli } from '../engines/index.ts';

const TOLD_MS = 60_000;

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
