// One project's job starts an image that a job of another project has pulled and that is kept since: what the registry is asked
// for and what the engine unpacks then, of an image that everybody may have, and of one that takes credentials.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { runText } from '../harness/processes.mjs';
import { docker } from './client.mjs';
import { SOCKET } from './served.mjs';
import { pushBase } from './wall.mjs';

const LAYERS = 8;
const LOGIN =
  'export HOME=/tmp; echo secret | docker login --username bench --password-stdin $REGISTRY >/dev/null 2>&1';
const PULL = 'docker pull $IMAGE && docker run --rm $IMAGE true';
const JOB_MS = 900_000;
const ENDED = 'a job has ended';

/** A file of htpasswd with the one user of `LOGIN`. */
export async function usersOfBench() {
  return runText('htpasswd', ['-nbB', 'bench', 'secret']);
}

/**
 * `sites`: what an image is called at, the registry there, one that takes the same image without asking who it is, whether that one
 * asks. Gives a row for each job, `{name, failed, seconds, blobs, unpacked}`, and `faults` in words.
 */
export async function twoProjects({ served, client, sites, mib, folder, say }) {
  const engine = served.engine;
  const layersOf = await layerFolders(engine);
  const rows = [];
  const faults = [];
  for (const { host, registry, open, asks } of sites) {
    const word = asks ? 'private' : 'public';
    await pushBase({ engine, registry: open, word, folder, mib, layers: LAYERS });
    say(`${word}: an image of ${mib} MiB in ${LAYERS + 1} layers is in the registry`);
    const run = async (project, name, script) => {
      const env = Object.entries({ IMAGE: `${host}/base:${word}`, REGISTRY: host });
      const args = ['run', '--rm', '--label', `project=${project}`, '-v', `${SOCKET}:${SOCKET}`];
      const [blobs, layers, ended] = [registry.blobsGiven(), layersOf(), served.said(ENDED).length];
      const from = Date.now();
      const said = await docker(
        served.unix,
        [...args, ...env.flatMap(([key, value]) => ['-e', `${key}=${value}`]), client, 'sh', '-c', script],
        {
          timeoutMs: JOB_MS,
        },
      ).catch((fault) => fault);
      const seconds = (Date.now() - from) / 1000;
      for (const until = Date.now() + JOB_MS; served.said(ENDED).length === ended; await pause(20))
        if (Date.now() > until) throw new Error('the job does not end');
      const row = {
        name: `${word}, ${name}`,
        failed: said instanceof Error ? said.stderr : null,
        seconds,
        blobs: registry.blobsGiven() - blobs,
        unpacked: layersOf().filter((layer) => !layers.includes(layer)).length,
      };
      rows.push(row);
      say(
        `${row.name}: ${seconds.toFixed(1)} s, ${row.blobs} blobs, ${row.unpacked} layers unpacked${row.failed === null ? '' : `, refused: ${row.failed.trim()}`}`,
      );
      return row;
    };
    const withRight = asks ? `${LOGIN} && ${PULL}` : PULL;
    const first = await run('one', 'first job', withRight);
    // Whoever sees nothing at the first pull looks at the wrong place.
    if (first.failed !== null || first.blobs < LAYERS || first.unpacked < LAYERS)
      faults.push(`${first.name}: nothing was pulled: ${first.failed ?? ''}`);
    if (asks) {
      const refused = await run('two', 'without credentials', PULL);
      if (refused.failed === null || refused.blobs + refused.unpacked > 0) faults.push(`${refused.name}: not refused`);
    }
    const second = await run('two', "another project's job", withRight);
    if (second.failed !== null) faults.push(`${second.name}: ${second.failed}`);
    if (second.blobs > 0) faults.push(`${second.name}: ${second.blobs} blobs were downloaded again`);
    if (second.unpacked > 0) faults.push(`${second.name}: ${second.unpacked} layers were unpacked again`);
  }
  return { rows, faults };
}

/** Lists the layers that the engine has unpacked. @throws where they do not lie at this machine, by overlay2 */
async function layerFolders(engine) {
  const { DockerRootDir: root, Driver: driver } = JSON.parse((await callEngine(engine, 'GET', '/info')).text);
  if (driver !== 'overlay2') throw new Error(`layers of ${driver} are not counted`);
  // `l` has short names of the others.
  return () => readdirSync(join(root, driver)).filter((name) => name !== 'l');
}
