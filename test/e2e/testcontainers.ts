// Runs the program with Testcontainers in a process of its own, since it finds its engine by the environment; without
// Ryuk, whose image cannot be had without a public registry.
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { run } from '../engines/index.ts';

const program = fileURLToPath(new URL('testcontainers-program.mjs', import.meta.url));

/** What it saw. `name` goes into the names of what it makes. */
export async function testcontainers(
  host: string,
  name: string,
  env: Readonly<Record<string, string>> = {},
  words: readonly string[] = [],
): Promise<unknown> {
  const { code, stdout, stderr } = await run(process.execPath, [program, name, ...words], {
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
