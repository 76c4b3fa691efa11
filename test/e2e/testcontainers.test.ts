// Testcontainers, as tests of Node programs use it. It finds its engine by the environment, so it runs in a process of
// its own; without Ryuk, whose image cannot be had without a public registry.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeGuarded } from '../attacks/guarded.ts';
import { run } from '../engines/index.ts';
import { describeThrough } from './through.ts';

const program = fileURLToPath(new URL('testcontainers-program.mjs', import.meta.url));

const saw = { word: 'from a build', exec: { exitCode: 0, output: 'HELLO\n' }, status: 200 };

async function testing(host: string, name: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const { code, stdout, stderr } = await run(process.execPath, [program, name], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: '/nonexistent',
      DOCKER_HOST: host,
      TESTCONTAINERS_RYUK_DISABLED: 'true',
      TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
      ...env,
    },
    timeoutMs: 120_000,
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

describeThrough('Testcontainers', (ways) => {
  test('starts, waits for, asks, fills and stops containers, networks and builds', async () => {
    expect(await ways.same((way) => testing(way.host, way.own('tc'), way.env))).toMatchObject(saw);
  });
});

describeGuarded('Testcontainers under conservative', ['conservative'], (guarded) => {
  test('does the same', async () => {
    expect(await testing(`unix://${guarded.through}`, guarded.own('tc'))).toMatchObject(saw);
  });
});
