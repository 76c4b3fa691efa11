// Engines of each generation, of their own, that pull one image at the same moment.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runText } from '../harness/processes.mjs';

const script = fileURLToPath(new URL('../../test/engines/engine', import.meta.url));
const NAMES = ['20.10-pulls', '26.1-pulls', '28.5-pulls', '28.5-containerd-pulls'];
const FOLDER = '/run/berthgate-engines';
const DOCKER = '/var/cache/berthgate-trees/28.5/usr/bin/docker';
const LONGEST_MS = 600_000;

/** @param insecure registries that they take without TLS, as HOST:PORT */
export async function startEngines(insecure) {
  await runText(script, ['stop', ...NAMES]);
  await runText(script, ['start', ...NAMES]);
  for (const name of NAMES) {
    const file = join(FOLDER, name, 'etc/daemon.json');
    const settings = { ...JSON.parse(readFileSync(file, 'utf8')), 'insecure-registries': insecure };
    writeFileSync(file, JSON.stringify(settings));
    await runText(script, ['reload', name]);
  }
  const engines = NAMES.map((name) => `unix://${FOLDER}/${name}/docker.sock`);
  return Object.assign(engines, { stop: () => runText(script, ['stop', '--wipe', ...NAMES]) });
}

/** Seconds, until the last one has it. It is gone afterwards. */
export async function pullAtOnce(engines, image) {
  const began = performance.now();
  await Promise.all(engines.map((engine) => runText(DOCKER, ['-H', engine, 'pull', '-q', image], LONGEST_MS)));
  const seconds = (performance.now() - began) / 1000;
  for (const engine of engines) await runText(DOCKER, ['-H', engine, 'rmi', image]);
  return seconds;
}
