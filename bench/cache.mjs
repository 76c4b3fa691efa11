// Hits of the HTTP cache, against nginx's proxy_cache from Debian in the same run, plain and over TLS: 1 kB and 100 kB with
// wrk, 200 MB with a reader that throws it away. Each is one process: ours is one, and nginx has one worker. And a day of a CI service (bench/cache/ci-day.mjs) through both, with a store of a part of
// what differs, all sizes divided.
//
//   node bench/cache.mjs [--quick] [--rounds 5] [--seconds 3] [--no-hits] [--schemes http,https] [--day] [--jobs 8000] [--divide 20]
//                        [--shares 5,20,100] [--json FILE]
//
// nginx looks at its size every ten seconds and may have more until then. So that both have the same room, the day is halted
// whenever a fortieth of the room has come from the origin, and nginx's cache manager is started anew, which looks at once;
// what lies in the folder at most is told. nginx counts whole blocks of 4 KiB, so a day of tiny things (a large --divide)
// is unfair to it. Needs: npm run build, nginx-light, wrk, openssl.

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ciDay } from './cache/ci-day.mjs';
import { berthgateCache, nginxCache } from './cache/contenders.mjs';
import { startOrigin } from './cache/origin.mjs';
import { readOptions } from './harness/options.mjs';
import { runJson, runText } from './harness/processes.mjs';
import { findProgram, needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';

const options = readOptions(import.meta.url, {
  seconds: { type: 'string' },
  hits: { type: 'boolean', default: true },
  schemes: { type: 'string', default: 'http,https' },
  day: { type: 'boolean', default: false },
  jobs: { type: 'string', default: '8000' },
  divide: { type: 'string', default: '20' },
  shares: { type: 'string', default: '5,20,100' },
});
needPrograms('nginx', 'wrk', 'openssl');
const seconds = options.seconds ?? (options.quick ? '1' : '3');
const reader = fileURLToPath(new URL('./cache/reader.mjs', import.meta.url));
/** What wrk says in TLS of the address that it is given, and what leads here. */
const HOST = 'localhost';
const CLIENTS = 50;
const AT_ONCE = 16;
/** By size: nginx sends files from within the kernel, which Node cannot. */
const MOST_CPU = { 1000: 1, 100000: 1.4, 200000000: 1.4 };
const SHARES = options.shares.split(',').map((percent) => Number(percent) / 100);

const report = new Report('cache');
const origin = await startOrigin();
if (options.hits) for (const scheme of options.schemes.split(',')) await measureHits(scheme);
if (options.day) for (const share of SHARES) await replayDay(share);
origin.stop();
report.finish(options.json);
process.exit(0);

async function startBoth(name, maxBytes) {
  const folder = join(options.folder, name);
  mkdirSync(folder);
  return [await berthgateCache(folder, origin.port, maxBytes), await nginxCache(folder, origin.port, maxBytes)];
}

async function measureHits(scheme) {
  const contenders = await startBoth(`hits-${scheme}`, 2 ** 31);
  try {
    const works = [
      ['1 kB', 1000, small],
      ['100 kB', 100_000, small],
      ['200 MB', 200_000_000, large],
    ];
    if (scheme === 'https') works.push(['1 kB, by a connection each', 1000, anew]);
    for (const [title, size, run] of works) {
      const path = `/hit?size=${size}`;
      for (const { port } of contenders) await fetchOnce(port, path);
      // A server has run for days, and V8 has compiled what is asked of it.
      for (const one of contenders) await run(one, scheme, path);
      const figures = await takeTurns(contenders, options.rounds, (one) => run(one, scheme, path));
      const key = run === large ? 'gigabytes' : 'rate';
      const columns = [
        { key, title: run === large ? 'GB/s' : 'hits/s', digits: run === large ? 2 : 0 },
        { key: 'cpu', title: run === large ? 'CPU s/GB' : 'CPU s/10k', digits: 3 },
      ];
      report.table(
        `hits of ${title}, ${scheme}`,
        columns,
        contenders.map(({ name }) => ({ name, figures: medians(figures.get(name)) })),
      );
      if (run === anew) continue;
      const rate = ratio(figures, 'berthgate', 'nginx', key);
      report.aim(`${title} ${scheme}: ${columns[0].title}, of nginx's`, rate, { atLeast: 1 });
      const cpu = ratio(figures, 'berthgate', 'nginx', 'cpu');
      report.aim(`${title} ${scheme}: ${columns[1].title}, of nginx's`, cpu, { atMost: MOST_CPU[size] });
    }
  } finally {
    for (const one of contenders) await one.stop();
  }
}

/** What a connection costs: without it, what `small` says of few hits would be what their connections have cost. */
function anew(one, scheme, path) {
  return small(one, scheme, path, ['-H', 'Connection: close']);
}

async function small(one, scheme, path, more = []) {
  const before = one.cpu();
  const url = `${scheme}://${HOST}:${portOf(one, scheme)}${path}`;
  // On a busy machine some handshakes take longer than the two seconds that wrk would wait.
  const text = await runText(findProgram('wrk'), [
    '-t1',
    `-c${CLIENTS}`,
    `-d${seconds}s`,
    '--timeout',
    '60s',
    ...more,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${one.name}: ${text}`);
  const requests = Number(/(\d+) requests in/.exec(text)[1]);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), cpu: ((one.cpu() - before) / requests) * 10_000 };
}

async function large(one, scheme, path) {
  const before = one.cpu();
  const { bytes, seconds: spent } = await runJson(process.execPath, [
    reader,
    scheme,
    String(portOf(one, scheme)),
    path,
    seconds,
  ]);
  return { gigabytes: bytes / 1e9 / spent, cpu: (one.cpu() - before) / (bytes / 1e9) };
}

function portOf({ port, tlsPort }, scheme) {
  return scheme === 'https' ? tlsPort : port;
}

async function replayDay(share) {
  const day = [...ciDay({ scale: 1 / Number(options.divide), jobs: Number(options.jobs) })];
  const differing = new Map(day.map(({ path, size }) => [path, size]));
  let [workingSet, total] = [0, 0];
  for (const size of differing.values()) workingSet += size;
  for (const { size } of day) total += size;
  const contenders = await startBoth(`day-${share}`, Math.ceil(workingSet * share));
  const rows = [];
  const storeOf = (name) => join(options.folder, `day-${share}`, `${name}-store`);
  try {
    for (const { name, port, settle } of contenders) {
      const before = { ...origin.counts };
      const most = await replay(port, day, { room: Math.ceil(workingSet * share), store: storeOf(name), settle });
      const asked = origin.counts.requests - before.requests;
      const bytes = origin.counts.bytes - before.bytes;
      const figures = { hits: 100 * (1 - asked / day.length), saved: 100 * (1 - bytes / total), kept: most / 1e6 };
      rows.push({ name, figures });
    }
  } finally {
    for (const one of contenders) await one.stop();
  }
  report.table(
    `a CI day, ${day.length} requests, a store of ${100 * share} % of ${(workingSet / 1e6).toFixed(0)} MB`,
    [
      { key: 'hits', title: 'requests saved %', digits: 1 },
      { key: 'saved', title: 'bytes saved %', digits: 1 },
      { key: 'kept', title: 'most MB in its folder', digits: 1 },
    ],
    rows,
  );
  const [ours, theirs] = rows;
  // It has had more room than it was given: that compares nothing.
  if (theirs.figures.kept * 1e6 > 1.25 * workingSet * share) return;
  report.aim(`requests saved at ${100 * share} %, of nginx's`, ours.figures.hits / theirs.figures.hits, { atLeast: 1 });
  const saved = ours.figures.saved / theirs.figures.saved;
  report.aim(`bytes saved at ${100 * share} %, of nginx's`, saved, { atLeast: 1 });
}

function bytesBelow(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  let bytes = 0;
  for (const { parentPath, name } of files) {
    bytes += statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** Gives the most bytes that have lain in the folder. */
async function replay(port, day, { room, store, settle }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let [next, settledAt, most] = [0, origin.counts.bytes, 0];
  const work = async () => {
    while (next < day.length && origin.counts.bytes - settledAt < room / 40) {
      const { path, size } = day[next++];
      await fetchOnce(port, `${path}?size=${size}`, agent);
    }
  };
  while (next < day.length) {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    most = Math.max(most, bytesBelow(store));
    await settle(() => bytesBelow(store) <= room);
    settledAt = origin.counts.bytes;
  }
  agent.destroy();
  return most;
}

function fetchOnce(port, path, agent = false) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, headers: { host: HOST } }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${path}: ${answer.statusCode}`));
      answer.on('end', resolve);
      answer.on('error', reject);
      answer.resume();
    });
    request.on('error', reject);
  });
}
