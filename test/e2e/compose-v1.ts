// The first generation of docker-compose, in Python, where somebody has installed it (Debian 12's package docker-compose).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Its path; null where there is none. */
export function findComposeV1(): string | null {
  const found = [
    process.env.BERTHGATE_COMPOSE_V1 ?? '',
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'docker-compose')),
  ].filter((path) => path !== '' && existsSync(path));
  return (
    found.find((path) =>
      /version 1\./.test(spawnSync(path, ['version'], { timeout: 20_000 }).stdout?.toString() ?? ''),
    ) ?? null
  );
}
