// Testcontainers, as tests of Node programs use it. It finds its engine by the environment, so it runs in a process of
// its own; without Ryuk, whose image cannot be had without a public registry.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../engines/index.ts';
import { describeThrough } from './through.ts';

const program = fileURLToPath(new URL('testcontainers-program.mjs', import.meta.url));

describeThrough('Testcontainers', (ways) => {
  test('starts, waits for, asks, fills and stops containers, networks and builds', async () => {
    const came = await ways.same(async (way) => {
      const { code, stdout, stderr } = await run(process.execPath, [program, way.own('tc')], {
        env: {
          PATH: process.env.PATH ?? '',
          HOME: '/nonexistent',
          DOCKER_HOST: way.host,
          TESTCONTAINERS_RYUK_DISABLED: 'true',
          TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
          ...way.env,
        },
        timeoutMs: 120_000,
      });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      return JSON.parse(stdout);
    });
    expect(came).toMatchObject({ word: 'from a build', exec: { exitCode: 0, output: 'HELLO\n' }, status: 200 });
  });
});
