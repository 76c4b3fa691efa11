// The same job twice, as CI runs it: a container with a docker client builds an image of several steps from one that it
// pulls, and runs it. Through a job socket, at the engine's own socket, and with an engine of its own in a privileged
// container. Each time the image that is pulled is one that nobody has had before.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callEngine } from '../harness/engine-call.mjs';
import { freePort, startProcess, waitUntilOpen } from '../harness/processes.mjs';
import { docker } from './client.mjs';
import { dropKept } from './holdings.mjs';
import { SOCKET } from './served.mjs';

export const UPSTREAM = 'registry.example.org';
const MIB = 32;

const JOB = `
set -e
export HOME=/tmp; mkdir -p /p; cd /p
echo 'echo copied' >file
cat >Dockerfile <<END
FROM $BASE
RUN i=0; while [ \\$i -lt 400000 ]; do i=\\$((i+1)); done; echo \\$i $WORD >/counted
RUN head -c 20000000 /dev/urandom | md5sum >/sum
COPY file /file
RUN sh /file >/said
CMD cat /said
END
docker build --quiet --tag app:$WORD . >/dev/null
test "$(docker run --rm app:$WORD)" = copied
`;
const DIND = `
dockerd $FLAGS --host unix://${SOCKET} >/tmp/dockerd.log 2>&1 &
i=0; until docker version >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 300 ] || { cat /tmp/dockerd.log; exit 1; }; sleep 0.1; done
${JOB}`;

/**
 * Debian's docker-registry on the address where the engine's containers reach it, and on loopback. Those of one folder have the
 * same images. `users`: a file of htpasswd; without it nobody has to say who he is.
 */
export async function startRegistry(folder, bridge, users = null) {
  const port = await freePort();
  const file = join(folder, `registry-${port}.json`);
  const log = join(folder, `registry-${port}.log`);
  mkdirSync(join(folder, 'registry'), { recursive: true });
  const storage = { filesystem: { rootdirectory: join(folder, 'registry') }, maintenance: null };
  const auth = users === null ? {} : { auth: { htpasswd: { realm: 'bench', path: users } } };
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage,
    http: { addr: `:${port}`, secret: 'bench' },
    ...auth,
  };
  // Its configuration is YAML, and JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const process_ = startProcess('docker-registry', ['serve', file], { log, env: { OTEL_TRACES_EXPORTER: 'none' } });
  await waitUntilOpen({ host: '127.0.0.1', port });
  return {
    local: `127.0.0.1:${port}`,
    bridged: `${bridge}:${port}`,
    /** How many blobs it has given. */
    blobsGiven: () => readFileSync(log, 'utf8').match(/"GET \/v2\/\S+\/blobs\/\S+ HTTP\/1\.1" 20\d /g)?.length ?? 0,
    stop: () => process_.stop(),
  };
}

/** Seconds of each run, by whom and which: `{socket: {first: […], second: […]}, …}`; `dind` may be missing, with `why`. */
export async function wallTimes({ served, client, registry, rounds, folder, say }) {
  const engine = served.engine;
  const ways = {
    socket: { to: served.unix, base: UPSTREAM, script: JOB, more: ['-v', `${SOCKET}:${SOCKET}`] },
    bare: { to: engine, base: registry.local, script: JOB, more: ['-v', `${engine}:${SOCKET}`] },
    dind: { to: engine, base: registry.bridged, script: DIND, more: ['--privileged', '-v', '/var/lib/docker'] },
  };
  const flags = `--insecure-registry ${registry.bridged}`;
  const seconds = {};
  let why = null;
  for (let round = 0; round < rounds; round++) {
    const order = Object.keys(ways);
    for (let i = 0; i < order.length; i++) {
      const name = order[(i + round) % order.length];
      if (name === 'dind' && why !== null) continue;
      const { to, base, script, more } = ways[name];
      const word = `${name}-${round}`;
      await pushBase({ engine, registry, word, folder });
      for (const time of ['first', 'second']) {
        const environment = Object.entries({ BASE: `${base}/base:${word}`, WORD: word, FLAGS: flags });
        const env = environment.flatMap(([key, said]) => ['-e', `${key}=${said}`]);
        const from = Date.now();
        try {
          await docker(to, ['run', '--rm', ...env, ...more, client, 'sh', '-c', script]);
        } catch (fault) {
          if (name !== 'dind') throw fault;
          why = `${fault.stdout ?? ''}${fault.stderr ?? fault.message}`.trim().split('\n').slice(-5).join('\n');
          break;
        }
        const took = (Date.now() - from) / 1000;
        seconds[name] ??= { first: [], second: [] };
        seconds[name][time].push(took);
        say(`${name}, ${time} run: ${took.toFixed(1)} s`);
      }
      if (name === 'bare')
        await docker(engine, ['rmi', '--force', `app:${word}`, `${base}/base:${word}`]).catch(() => {});
    }
  }
  await callEngine(engine, 'POST', '/build/prune?all=1');
  await dropKept(engine);
  await callEngine(engine, 'DELETE', `/networks/${served.namespace}.bridge`);
  return { seconds, why };
}

/** An image of some MiB that no engine has, in the registry alone, in so many layers above busybox's. */
export async function pushBase({ engine, registry, word, folder, mib = MIB, layers = 1 }) {
  const name = `${registry.local}/base:${word}`;
  const made = `bench-base-${word}`;
  const blob = join(folder, 'blob');
  for (let layer = 0; layer < layers; layer++) {
    writeFileSync(blob, randomBytes((mib / layers) * 1024 * 1024));
    await docker(engine, ['create', '--name', made, layer === 0 ? 'busybox' : name]);
    await docker(engine, ['cp', blob, `${made}:/blob-${layer}`]);
    await docker(engine, ['commit', made, name]);
    await docker(engine, ['rm', made]);
  }
  rmSync(blob);
  await docker(engine, ['push', '--quiet', name]);
  await docker(engine, ['rmi', name]);
}
