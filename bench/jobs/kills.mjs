// Jobs at work while somebody is killed at random moments. Each is a container with the engine's socket in it, in which a
// plain docker client builds an image, makes a network and a volume, and runs containers; each is removed again, in
// the middle of that or after it, through Berthgate or behind its back.

import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { difference, dropKept, holdingsOf, ofJobs } from './holdings.mjs';
import { seeded } from './random.mjs';
import { SOCKET } from './served.mjs';

/** Every command may be cut; the next one is tried all the same. */
const SCRIPT = `
export DOCKER_BUILDKIT=$BUILDER HOME=/tmp
mkdir -p /p && cd /p
printf 'FROM busybox\\nRUN echo %s >/made\\nRUN cat /made && sleep 0.2\\nCMD cat /made\\n' $WORD >Dockerfile
printf 'services:\\n  db: {image: busybox, init: true, command: sleep 900, volumes: ["data:/data"]}\\n  web: {image: busybox, init: true, command: sleep 900, depends_on: [db]}\\nvolumes: {data: {}}\\n' >compose.yaml
docker build -t app . && docker run --rm app
docker network create net
docker volume create own
docker run -d --name one --network net -v own:/own -v /anonymous busybox sleep 900
docker compose up -d
docker commit one made
printf 'FROM made\\nCOPY compose.yaml /\\nRUN cat /compose.yaml && sleep 0.2\\n' >Second
docker build -f Second -t second .
docker rm -fv one
echo done
sleep 900
`;
const WORKERS = 2;
const CLEAN_MS = 60_000;
const PATIENCE_MS = 120_000;
const ENDED = ['a job has ended', 'a job that had lost its containers has ended'];

/**
 * `kill`: kills and starts again; resolves when whoever it was answers again. Gives the figures, and `left`: what the
 * engine has or lacks that it should not.
 */
export async function killsDuringJobs({ served, client, times, seed, before, kill, say }) {
  const random = seeded(seed);
  let stopped = false;
  const counts = { jobs: 0, removedBehind: 0, removedThrough: 0, midway: 0 };
  const recoveries = [];

  const tries = async (method, path, body, to = served.unix) => {
    let said = 'nobody serves';
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await pause(100)) {
      try {
        const answer = await callEngine(to, method, path, body);
        // 5xx: while the engine is away. Docker 20.10 that was killed at a start says so of it ever after.
        if (answer.status < 500 || /already (exists|in use)/.test(answer.text)) return answer;
        said = answer.text;
      } catch {
        // While nobody serves.
      }
    }
    throw new Error(`${method} ${path}: ${said}`);
  };
  const work = async (worker) => {
    for (let i = 0; !stopped; i++) {
      const name = `job-${worker}-${i}`;
      const made = await tries('POST', `/containers/create?name=${name}`, {
        Image: client,
        Cmd: ['sh', '-c', SCRIPT],
        Env: [`WORD=${name}-${seed}`, `BUILDER=${i % 2}`],
        HostConfig: { Init: true, Binds: [`${SOCKET}:${SOCKET}`] },
      });
      // 409: the one who was asked before died with the answer.
      if (made.status !== 201 && made.status !== 409) throw new Error(`${name}: ${made.status} ${made.text}`);
      await tries('POST', `/containers/${name}/start`);
      counts.jobs++;
      await pause(random() * 9_000);
      const behind = random() < 0.3;
      const container = `${served.namespace}.${name}`;
      const logs = await callEngine(served.engine, 'GET', `/containers/${container}/logs?stdout=1`).catch(() => null);
      if (!logs?.text.includes('done')) counts.midway++;
      if (behind) await tries('DELETE', `/containers/${container}?force=1&v=1`, undefined, served.engine);
      else await tries('DELETE', `/containers/${name}?force=1&v=1`);
      counts[behind ? 'removedBehind' : 'removedThrough']++;
    }
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, (_, i) => work(i)));
  workers.catch(() => {});
  try {
    for (let i = 1; i <= times; i++) {
      await Promise.race([pause(300 + random() * 3000), workers]);
      recoveries.push(await kill());
      if (i % 10 === 0 || i === times) say(`${i} kills, ${counts.jobs} jobs`);
    }
  } finally {
    stopped = true;
  }
  await workers;
  const { cleanMs, kept, missing, left } = await untilClean(served, before);
  const ends = served.said(...ENDED);
  return {
    figures: {
      ...counts,
      kills: times,
      afterRestart: ends.filter(({ msg }) => msg === ENDED[1]).length,
      longestSweepS: Math.max(0, ...ends.map(({ durationMs }) => durationMs)) / 1000,
      slowestReadyS: Math.max(...recoveries) / 1000,
      cleanS: cleanMs / 1000,
      kept,
      left: left.length,
      missing: missing.length,
    },
    left: [...left.map((thing) => `left: ${thing}`), ...missing.map((thing) => `missing: ${thing}`)],
  };
}

/** Waits until the engine is as it was, or for long enough; what is kept on purpose goes once no job is there any more. */
async function untilClean({ engine, namespace }, before) {
  const from = Date.now();
  let kept = 0;
  for (;;) {
    if ((await ofJobs(engine)) === 0) {
      kept += await dropKept(engine);
      // Of the namespace that the jobs' containers were in, which stays.
      await callEngine(engine, 'DELETE', `/networks/${namespace}.bridge`);
      const found = difference(before, await holdingsOf(engine));
      const cleanMs = Date.now() - from;
      if (found.left.length + found.missing.length === 0 || cleanMs > CLEAN_MS) return { cleanMs, kept, ...found };
    } else if (Date.now() - from > CLEAN_MS) {
      return { cleanMs: Date.now() - from, kept, ...difference(before, await holdingsOf(engine)) };
    }
    await pause(1000);
  }
}
