// Many jobs at once, each with containers of its own, while somebody else's job inspects its one container; Berthgate is
// killed, and serves them anew; then all of them end, some at a time or all at once.

import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { cpuSeconds } from '../harness/processes.mjs';
import { difference, dropKept, holdingsOf } from './holdings.mjs';
import { SOCKET } from './served.mjs';

const EVERY_MS = 25;
const ALONE_MS = 10_000;
const COMEBACKS = 3;
const LOG_MS = 250;
const CLEAN_MS = 600_000;
const SLEEPS = { Image: 'busybox', Cmd: ['sleep', '3600'] };

/** `minutes`: no more jobs are begun after that; `atOnce`: so many are being made at the same time, `ending`: are ended. */
export async function crowd({ served, jobs, containers, minutes, atOnce, ending, before, say }) {
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

  const ways = {
    through: [other.socket, '/containers/web/json'],
    direct: [served.engine, `/containers/${id}/json`],
  };
  let watch = watching(ways);
  await pause(ALONE_MS);
  const alone = watch.next();

  const names = [];
  const sockets = [other.socket];
  let made = 0;
  const startedAt = Date.now();
  const until = startedAt + minutes * 60_000;
  await together(atOnce, jobs, async (i) => {
    if (Date.now() > until) return;
    const name = `crowd-${i}`;
    const { socket } = await startJob(name);
    names.push(name);
    sockets.push(socket);
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

  await watch.stop();
  const backS = [];
  const backCpuS = [];
  for (let i = 0; i < COMEBACKS; i++) {
    const { seconds, computedS } = await comeBack(served, sockets);
    backS.push(seconds);
    backCpuS.push(computedS);
    say(`back after ${seconds.toFixed(2)} s, of which it computed ${computedS.toFixed(2)} s`);
  }
  watch = watching(ways);

  const ends = endsOf(served);
  const endsAt = Date.now();
  await together(ending, names.length, async (i) => {
    const { job } = await served.jobOf(names[i]);
    await expected(204, served.unix, 'DELETE', `/containers/${names[i]}?force=1`);
    await ends.of(job);
  });
  const endedS = (Date.now() - endsAt) / 1000;
  const atEnd = watch.next();
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
    phases: { alone, making, full, ending: atEnd },
    figures: {
      jobs: names.length,
      containers: made,
      madeS,
      backMedianS: quantile(backS, 0.5),
      backLongestS: Math.max(...backS),
      backCpuS: quantile(backCpuS, 0.5),
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

/** Killed, and started again: seconds until all sockets answer, and what the process has computed till then. */
async function comeBack(served, sockets) {
  await served.kill();
  const from = Date.now();
  // One who asks again and again leaves it more of the machine than a hundred would.
  await served.start();
  await Promise.all(sockets.map((socket) => served.untilAnswers(socket)));
  return { seconds: (Date.now() - from) / 1000, computedS: cpuSeconds(served.process.pid) };
}

/** Tells of each job when it has ended. */
function endsOf(served) {
  let ended = new Set();
  let readAt = 0;
  return {
    async of(job) {
      const last = Date.now() + CLEAN_MS;
      for (; !ended.has(job); await pause(EVERY_MS)) {
        if (Date.now() > last) throw new Error(`${job} does not end`);
        if (Date.now() < readAt + LOG_MS) continue;
        ended = new Set(served.said('a job has ended').map((line) => line.job));
        readAt = Date.now();
      }
    },
  };
}

/** The same containers made, and removed, at the engine itself, and what its own inspect takes meanwhile. */
export async function bareCrowd({ engine, jobs, containers, minutes, atOnce, ending, say }) {
  const start = async (name, NetworkMode = 'default') => {
    const body = { ...SLEEPS, HostConfig: { NetworkMode } };
    await expected(201, engine, 'POST', `/containers/create?name=${name}`, body);
    await expected(204, engine, 'POST', `/containers/${name}/start`);
  };
  const phases = {};
  const names = [];
  let endedS = 0;
  const remove = async (job) => {
    for (const name of job.containers.splice(0)) await callEngine(engine, 'DELETE', `/containers/${name}?force=1&v=1`);
    await callEngine(engine, 'DELETE', `/networks/${job.network}`);
  };
  try {
    await start('bare-web');
    const watch = watching({ direct: [engine, '/containers/bare-web/json'] });
    await pause(ALONE_MS);
    phases.alone = watch.next();
    const until = Date.now() + minutes * 60_000;
    await together(atOnce, jobs, async (i) => {
      if (Date.now() > until) return;
      const job = { network: `bare-${i}`, containers: [] };
      names.push(job);
      await expected(201, engine, 'POST', '/networks/create', { Name: job.network });
      for (let k = 0; k <= containers; k++) {
        job.containers.push(`bare-${i}-${k}`);
        await start(`bare-${i}-${k}`, job.network);
      }
      if (names.length % 10 === 0) say(`${names.length} times ${containers + 1} containers`);
    });
    phases.making = watch.next();
    await pause(ALONE_MS);
    phases.full = watch.next();
    const endsAt = Date.now();
    await together(ending, names.length, (i) => remove(names[i]));
    endedS = (Date.now() - endsAt) / 1000;
    phases.ending = watch.next();
    await watch.stop();
  } finally {
    for (const job of names) if (job.containers.length > 0) await remove(job);
    await callEngine(engine, 'DELETE', '/containers/bare-web?force=1&v=1');
  }
  return { phases, made: names.length * (containers + 1), endedS };
}

async function together(atOnce, count, act) {
  let next = 0;
  const some = async () => {
    for (let i = next++; i < count; i = next++) await act(i);
  };
  await Promise.all(Array.from({ length: atOnce }, some));
}

async function expected(status, to, method, path, body) {
  const answer = await callEngine(to, method, path, body, CLEAN_MS);
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
