// Many jobs at once, each with containers of its own, while somebody else's job inspects its one container; then all of
// them end, some at a time.

import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { difference, dropKept, holdingsOf } from './holdings.mjs';
import { SOCKET } from './served.mjs';

const EVERY_MS = 25;
const ALONE_MS = 10_000;
const CLEAN_MS = 300_000;
const SLEEPS = { Image: 'busybox', Cmd: ['sleep', '3600'] };

/** `minutes`: no more jobs are begun after that; `atOnce`: so many are being made, and ended, at the same time. */
export async function crowd({ served, jobs, containers, minutes, atOnce, before, say }) {
  const startJob = async (name) => {
    const HostConfig = { Binds: [`${SOCKET}:${SOCKET}`] };
    await expected(201, served.unix, 'POST', `/containers/create?name=${name}`, { ...SLEEPS, HostConfig });
    await expected(204, served.unix, 'POST', `/containers/${name}/start`);
    return served.jobOf(name);
  };
  const other = await startJob('other');
  await expected(201, other.socket, 'POST', '/containers/create?name=web', SLEEPS);
  await expected(204, other.socket, 'POST', '/containers/web/start');
  const { Id: id } = JSON.parse((await expected(200, other.socket, 'GET', '/containers/web/json')).text);

  const watch = watching({
    through: [other.socket, '/containers/web/json'],
    direct: [served.engine, `/containers/${id}/json`],
  });
  await pause(ALONE_MS);
  const alone = watch.next();

  const names = [];
  let made = 0;
  const startedAt = Date.now();
  const until = startedAt + minutes * 60_000;
  await together(atOnce, jobs, async (i) => {
    if (Date.now() > until) return;
    const name = `crowd-${i}`;
    const { socket } = await startJob(name);
    names.push(name);
    for (let k = 0; k < containers; k++) {
      await expected(201, socket, 'POST', `/containers/create?name=c${k}`, SLEEPS);
      await expected(204, socket, 'POST', `/containers/c${k}/start`);
      made++;
    }
    if (names.length % 10 === 0) say(`${names.length} jobs, ${made} containers`);
  });
  const madeS = (Date.now() - startedAt) / 1000;
  const making = watch.next();
  await pause(ALONE_MS);
  const full = watch.next();

  const endsAt = Date.now();
  await together(atOnce, names.length, async (i) => {
    const { job } = await served.jobOf(names[i]);
    await expected(204, served.unix, 'DELETE', `/containers/${names[i]}?force=1`);
    while (!served.said('a job has ended').some((line) => line.job === job)) {
      if (Date.now() > endsAt + CLEAN_MS) throw new Error(`${names[i]} does not end`);
      await pause(250);
    }
  });
  const endedS = (Date.now() - endsAt) / 1000;
  const ending = watch.next();
  await watch.stop();
  const sweeps = served.said('a job has ended').map(({ durationMs }) => durationMs / 1000);
  await expected(204, served.unix, 'DELETE', '/containers/other?force=1');
  for (const last = Date.now() + 60_000; Date.now() < last && (await served.metric('berthgate_jobs')) > 0; )
    await pause(250);
  const kept = await dropKept(served.engine);
  // Of the namespace that the jobs' containers were in, which stays.
  await callEngine(served.engine, 'DELETE', `/networks/${served.namespace}.bridge`);
  const { left, missing } = difference(before, await holdingsOf(served.engine));
  return {
    phases: { alone, making, full, ending },
    figures: {
      jobs: names.length,
      containers: made,
      madeS,
      endedS,
      sweepMedianS: quantile(sweeps, 0.5),
      sweepLongestS: Math.max(...sweeps),
      kept,
      left: left.length,
      missing: missing.length,
    },
    left: [...left.map((thing) => `left: ${thing}`), ...missing.map((thing) => `missing: ${thing}`)],
  };
}

/** The same containers made, and removed, at the engine itself, and what its own inspect takes meanwhile. */
export async function bareCrowd({ engine, jobs, containers, minutes, atOnce, say }) {
  const start = async (name) => {
    await expected(201, engine, 'POST', `/containers/create?name=${name}`, SLEEPS);
    await expected(204, engine, 'POST', `/containers/${name}/start`);
  };
  const remove = (name) => expected(204, engine, 'DELETE', `/containers/${name}?force=1&v=1`);
  await start('bare-web');
  const watch = watching({ direct: [engine, '/containers/bare-web/json'] });
  await pause(ALONE_MS);
  const alone = watch.next();
  const names = [];
  const until = Date.now() + minutes * 60_000;
  await together(atOnce, jobs, async (i) => {
    if (Date.now() > until) return;
    const own = Array.from({ length: containers + 1 }, (_, k) => `bare-${i}-${k}`);
    for (const name of own) await start(name);
    names.push(own);
    if (names.length % 10 === 0) say(`${names.length} times ${own.length} containers`);
  });
  const making = watch.next();
  await pause(ALONE_MS);
  const full = watch.next();
  await together(atOnce, names.length, async (i) => {
    for (const name of names[i]) await remove(name);
  });
  const ending = watch.next();
  await watch.stop();
  await remove('bare-web');
  return { phases: { alone, making, full, ending }, made: names.flat().length };
}

async function together(atOnce, count, act) {
  let next = 0;
  const some = async () => {
    for (let i = next++; i < count; i = next++) await act(i);
  };
  await Promise.all(Array.from({ length: atOnce }, some));
}

async function expected(status, to, method, path, body) {
  const answer = await callEngine(to, method, path, body);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

/** Asks by each way in turn; `next` gives what was seen since the last time, in milliseconds, and begins anew. */
function watching(ways) {
  let seen = empty();
  let stopped = false;
  const going = (async () => {
    while (!stopped) {
      for (const [way, [to, path]] of Object.entries(ways)) {
        const from = process.hrtime.bigint();
        await expected(200, to, 'GET', path);
        seen[way].push(Number(process.hrtime.bigint() - from) / 1e6);
        await pause(EVERY_MS);
      }
    }
  })();
  going.catch(() => {});
  function empty() {
    return Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  }
  return {
    next() {
      const { through = [], direct } = seen;
      seen = empty();
      return {
        calls: direct.length,
        p50: quantile(through, 0.5),
        p95: quantile(through, 0.95),
        direct50: quantile(direct, 0.5),
        direct95: quantile(direct, 0.95),
      };
    },
    stop() {
      stopped = true;
      return going;
    },
  };
}

function quantile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}
