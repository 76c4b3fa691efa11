// Ten minutes of mixed calls and 200 streams while the engine is killed and started again every minute. No answer may be
// wrong; between minute 3 and the last one open descriptors must be equal and resident memory within 5 %.
//
//   node bench/soak.mjs [--minutes 10] [--workers 8] [--streams 200] [--engine-name 28.5-bench] [--json FILE]
//   node bench/soak.mjs --engine unix:///path/docker.sock --restart 'COMMAND' …
//
// By default the engine is one that test/engines starts and kills (as root). With --engine it is another one: COMMAND must
// kill and start it, and return when it answers. The engine needs the image busybox. Exit code 0: everything held.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { berthgate } from './harness/contenders.mjs';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { openDescriptors, residentBytes } from './harness/processes.mjs';
import { socketOf } from './harness/stage.mjs';
import { Worker } from './soak/calls.mjs';
import { openStream } from './soak/streams.mjs';

const options = readOptions(import.meta.url, {
  minutes: { type: 'string' },
  workers: { type: 'string', default: '8' },
  streams: { type: 'string', default: '200' },
  engine: { type: 'string' },
  'engine-name': { type: 'string', default: '28.5-bench' },
  restart: { type: 'string' },
});
const minutes = Number(options.minutes ?? (options.quick ? 4 : 10));
const streamCount = Number(options.streams);
const run = promisify(execFile);
const script = fileURLToPath(new URL('../test/engines/engine', import.meta.url));
const name = options['engine-name'];
/** What the calls have left behind is collected when nothing else goes on. */
const QUIET_MS = 40_000;
const startedAt = Date.now();
const faults = [];
let away = false;
let streams = [];
let cut = 0;
let restarts = 0;

if (options.engine === undefined) await run(script, ['start', name]);
const folder = process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines';
const socket = socketOf(options.engine ?? join(folder, name, 'docker.sock'));
const image = 'busybox';
const proxy = await berthgate(socket, options.folder, { main: options.berthgate });
const talkers = Array.from({ length: 10 }, (_, i) => `soak-talker-${i}`);
const counters = Array.from({ length: 5 }, (_, i) => `soak-counter-${i}`);
const resident = 'soak-resident';
const figures = [];

try {
  await prepare();
  await openAll();
  let workers = startWorkers();
  for (let minute = 1; minute <= minutes; minute++) {
    await pause(Math.max(0, startedAt + minute * 60_000 - Date.now() - 25_000));
    const measures = minute === 3 || minute === minutes;
    if (measures) await Promise.all(workers.map((one) => one.end()));
    await restartEngine();
    if (measures) {
      await pause(QUIET_MS);
      figures.push(await measure(minute));
      workers = minute === minutes ? workers : startWorkers(workers);
    }
    progress(minute, workers);
  }
  finish(workers);
} finally {
  for (const one of streams) one.close();
  await removeAll();
  await proxy.stop();
  if (options.engine === undefined) await run(script, ['stop', name]);
}
process.exit(process.exitCode ?? 0);

function say(fault) {
  if (faults.length < 1000) faults.push(`${((Date.now() - startedAt) / 1000).toFixed(1)} s: ${fault}`);
}

function startWorkers(before = []) {
  const isAway = () => away;
  return Array.from({ length: Number(options.workers) }, (_, i) => {
    const worker = new Worker(i, { to: proxy.unix, image, resident, isAway, say });
    worker.calls = before[i]?.calls ?? 0;
    worker.refused = before[i]?.refused ?? 0;
    const ended = worker.run();
    worker.end = () => {
      worker.running = false;
      return ended;
    };
    return worker;
  });
}

async function restartEngine() {
  away = true;
  for (const one of streams) if (!one.check()) say(`a stream (${one.kind}) was silent`);
  const open = streams;
  const endings = Promise.all(open.map(({ ended }) => ended));
  if (options.restart !== undefined) await run('sh', ['-c', options.restart]);
  else {
    await run(script, ['kill', name]);
    await run(script, ['start', name]);
  }
  restarts++;
  const late = await Promise.race([endings, pause(10_000, 'late')]);
  if (late === 'late') say('streams of an engine that was killed are still open after 10 s');
  cut += open.length;
  for (const one of open) one.close();
  await untilAnswers();
  await prepare();
  await openAll();
  away = false;
}

async function untilAnswers() {
  for (let i = 0; i < 300; i++) {
    const { status } = await callEngine(proxy.unix, 'GET', '/_ping').catch(() => ({ status: 0 }));
    if (status === 200) return;
    await pause(100);
  }
  throw new Error('the engine does not come back');
}

/** The containers that streams and calls need run; they went with their engine. */
async function prepare() {
  await removeAll();
  for (const one of talkers) await make(one, ['cat'], { OpenStdin: true, AttachStdin: true });
  for (const one of counters) await make(one, ['sh', '-c', 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.5; done']);
  await make(resident, ['sleep', '100000']);
}

async function make(container, Cmd, more = {}) {
  const HostConfig = { NetworkMode: 'none' };
  const body = { Image: image, Cmd, HostConfig, StopSignal: 'SIGKILL', ...more };
  const made = await callEngine(socket, 'POST', `/v1.41/containers/create?name=${container}`, body);
  if (made.status !== 201) throw new Error(`${container}: ${made.text}`);
  const started = await callEngine(socket, 'POST', `/v1.41/containers/${container}/start`);
  if (started.status !== 204) throw new Error(`${container}: ${started.text}`);
}

async function removeAll() {
  const filters = encodeURIComponent(JSON.stringify({ name: ['^/soak-'] }));
  const listed = await callEngine(socket, 'GET', `/v1.41/containers/json?all=1&filters=${filters}`);
  for (const { Id } of JSON.parse(listed.text))
    await callEngine(socket, 'DELETE', `/v1.41/containers/${Id}?force=1&v=1`);
}

async function openAll() {
  streams = [];
  for (let i = 0; i < streamCount; i++) {
    const kind = ['attach', 'logs', 'events'][i % 3];
    const container = (kind === 'attach' ? talkers : counters)[i % (kind === 'attach' ? talkers : counters).length];
    streams.push(await openStream(kind, proxy.unix, container, say));
  }
}

/** With all streams open and no calls. The least of some seconds: what waits for the garbage collector is no leak. */
async function measure(minute) {
  const seen = [];
  for (let i = 0; i < 20; i++) {
    seen.push(residentBytes(proxy.pid));
    await pause(500);
  }
  return { minute, descriptors: openDescriptors(proxy.pid), residentMB: Math.min(...seen) / 1e6 };
}

function totals(workers) {
  const sum = (key) => workers.reduce((total, one) => total + one[key], 0);
  return { calls: sum('calls'), refused: sum('refused'), streams: cut + streams.length, restarts };
}

function progress(minute, workers) {
  const { calls, refused } = totals(workers);
  const resident_ = (residentBytes(proxy.pid) / 1e6).toFixed(1);
  const parts = [
    `minute ${minute}`,
    `${calls} calls`,
    `${refused} while the engine was away`,
    `${faults.length} wrong`,
  ];
  console.log([...parts, `${openDescriptors(proxy.pid)} descriptors`, `${resident_} MB`].join(', '));
}

function finish(workers) {
  const [first, last] = [figures[0], figures.at(-1)];
  const growth = (last.residentMB / first.residentMB - 1) * 100;
  const held = {
    'no wrong answer': faults.length === 0,
    'open descriptors equal': first.descriptors === last.descriptors,
    'resident memory within 5 %': Math.abs(growth) <= 5,
  };
  const { calls, refused, streams: opened } = totals(workers);
  console.log(
    `\n${calls} calls (${refused} of them while the engine was away), ${opened} streams, ${restarts} restarts`,
  );
  for (const { minute, descriptors, residentMB } of [first, last]) {
    console.log(`minute ${minute}: ${descriptors} descriptors, ${residentMB.toFixed(1)} MB`);
  }
  console.log(`resident memory ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} %`);
  for (const fault of faults.slice(0, 20)) console.log(`wrong: ${fault}`);
  for (const [what, so] of Object.entries(held)) console.log(`${so ? 'held    ' : 'NOT held'}  ${what}`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ figures, growth, held, faults, calls, refused }, null, 2)}\n`);
  }
  process.exitCode = Object.values(held).every(Boolean) ? 0 : 1;
}
