// What becomes of jobs with sockets of their own: when somebody is killed, when there are many, and how long they take.
//
//   node bench/jobs.mjs [--quick] [--work kills,crowd,bare,wall,upgrades,public-image] [--engine-name 28.5-bench] [--json FILE]
//   node bench/jobs.mjs --engine unix:///path/docker.sock --client IMAGE [--restart 'COMMAND'] …
//
//   kills   [--kills 50] [--seed 1]: `berthgate serve` is killed with SIGKILL at random moments of jobs, and started again.
//           With --restart-engine it is the engine that is killed [--kills 5]. At the end all jobs are removed, and
//           the engine must be as before: containers, networks, volumes, images (but for what is kept on purpose).
//   crowd   [--jobs 100] [--containers 10] [--minutes 5] [--at-once 4] [--ending 4]: so many jobs with so many containers each, or
//           as many as can be made in the time; what somebody else's inspect takes meanwhile, and how long the sweeps take. So
//           many jobs are being made, and ended, at once. In between `berthgate serve` is killed, and serves all of them again.
//   bare    the same crowd at the engine itself, of which so many containers are removed at once, and what its own inspect takes
//           meanwhile.
//   wall    [--rounds 3]: the same job twice, with a job socket, with the engine's socket, and with Docker-in-Docker.
//   upgrades [--seconds 600]: builds by both builders and streams of a job that take so long, and five upgrades of `berthgate
//           serve` meanwhile.
//   public-image [--mib 1024]: an image that a job of one project has pulled is started by a job of another one: what is downloaded and
//           unpacked again, for one that everybody may have, and for one that takes credentials. Needs 6 times its size on the disk,
//           and an engine with overlay2 at this machine.
//
// `wall`, `upgrades` and `public-image` need docker-registry; [--bridge ADDRESS] is where containers of the engine reach the host.
//
// By default the engine is one that test/engines starts (as root), and jobs work in an image that is made of its tree. With
// --engine it is another one, COMMAND must kill and start it, and IMAGE needs a shell and the docker command with buildx
// and compose (docker:dind has them, and the engine for `wall`). The engine needs the image busybox, and nobody else may use it.
// --pool is where networks of jobs may lie. Exit code 0: everything held.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { socketOf } from './harness/stage.mjs';
import { makeClient } from './jobs/client.mjs';
import { bareCrowd, crowd } from './jobs/crowd.mjs';
import { difference, dropKept, holdingsOf } from './jobs/holdings.mjs';
import { killsDuringJobs } from './jobs/kills.mjs';
import { twoProjects, usersOfBench } from './jobs/public-image.mjs';
import { Served } from './jobs/served.mjs';
import { upgradesDuringJob } from './jobs/upgrades.mjs';
import { startRegistry, UPSTREAM, wallTimes } from './jobs/wall.mjs';

const options = readOptions(import.meta.url, {
  work: { type: 'string', default: 'kills,crowd,bare,wall,upgrades,public-image' },
  kills: { type: 'string' },
  'restart-engine': { type: 'boolean', default: false },
  seed: { type: 'string', default: '1' },
  jobs: { type: 'string' },
  containers: { type: 'string' },
  minutes: { type: 'string' },
  seconds: { type: 'string' },
  mib: { type: 'string' },
  'at-once': { type: 'string', default: '4' },
  ending: { type: 'string', default: '4' },
  engine: { type: 'string' },
  'engine-name': { type: 'string', default: '28.5-bench' },
  restart: { type: 'string' },
  client: { type: 'string' },
  pool: { type: 'string', default: '10.122.0.0/15' },
  bridge: { type: 'string' },
});
const given = (key, usual, quick) => Number(options[key] ?? (options.quick ? quick : usual));
const run = promisify(execFile);
const script = fileURLToPath(new URL('../test/engines/engine', import.meta.url));
const engineFolder = join(process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines', options['engine-name']);
/** Parts of the time. */
const UPGRADES_AT = [0, 0.02, 0.3, 0.6, 0.9];
const startedAt = Date.now();
const report = new Report('jobs');
const faults = [];
const works = { kills, crowd: many, bare, wall, upgrades, 'public-image': publicImage };
needPrograms('docker');

if (options.engine === undefined) await run(script, ['start', options['engine-name']]);
const socket = socketOf(options.engine ?? join(engineFolder, 'docker.sock'));
const client = options.client ?? (await makeClient(socket, `bench-jobs-client:${process.pid}`));
try {
  for (const work of options.work.split(',')) {
    if (works[work] === undefined) throw new Error(`no work ${work}: there are ${Object.keys(works).join(', ')}`);
    await works[work]();
  }
} finally {
  if (options.client === undefined) await callEngine(socket, 'DELETE', `/images/${client}`);
}
report.finish(options.json);
for (const fault of faults.slice(0, 40)) console.log(fault);
process.exit(faults.length === 0 ? 0 : 1);

function say(words) {
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${words}`);
}

async function serveFor(work, upstreams = [], projects = false) {
  const served = new Served({
    socket,
    folder: join(options.folder, work),
    main: options.berthgate,
    namespace: `bench-${work}`,
    pool: options.pool,
    images: ['busybox', client],
    upstreams,
    projects,
  });
  await served.prepare();
  await served.start();
  return served;
}

async function kills() {
  const ofEngine = options['restart-engine'];
  const before = await holdingsOf(socket);
  const served = await serveFor('kills');
  const kill = ofEngine ? () => restartEngine(served) : () => restartServed(served);
  const { figures, left } = await killsDuringJobs({
    served,
    client,
    times: given('kills', ofEngine ? 5 : 50, ofEngine ? 2 : 5),
    seed: Number(options.seed),
    before,
    kill,
    say,
  });
  await served.stop();
  faults.push(...left);
  report.table(
    `kill -9 of ${ofEngine ? 'the engine' : 'berthgate'}, seed ${options.seed}`,
    ['kills', 'jobs', 'midway', 'removedBehind', 'afterRestart', 'kept', 'left', 'missing']
      .map((key) => ({ key, title: key, digits: 0 }))
      .concat(['longestSweepS', 'slowestReadyS', 'cleanS'].map((key) => ({ key, title: key, digits: 1 }))),
    [{ name: ofEngine ? 'engine' : 'berthgate', figures }],
  );
  report.aim('things left over or missing after all kills', figures.left + figures.missing, { atMost: 0 });
}

/** Milliseconds until it and the sockets of all jobs that run answer again. */
async function restartServed(served) {
  await served.kill();
  const from = Date.now();
  await served.start();
  const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${served.namespace}`] }));
  const { text } = await callEngine(socket, 'GET', `/containers/json?filters=${filters}`);
  for (const { Names } of JSON.parse(text)) {
    const job = await served.jobOf(Names[0].slice(served.namespace.length + 2));
    // One that goes meanwhile has none.
    if (job !== null)
      await served.untilAnswers(job.socket, 10_000).catch(async (fault) => {
        if ((await served.jobOf(Names[0].slice(served.namespace.length + 2))) !== null) faults.push(fault.message);
      });
  }
  return Date.now() - from;
}

async function restartEngine(served) {
  if (options.restart !== undefined) await run('sh', ['-c', options.restart]);
  else if (options.engine !== undefined) throw new Error('--restart says how to kill and start the engine');
  else {
    await run(script, ['kill', options['engine-name']]);
    await run(script, ['start', options['engine-name']]);
  }
  const from = Date.now();
  await served.untilAnswers(served.unix);
  return Date.now() - from;
}

/** How large the crowd is. */
function ofCrowd() {
  return {
    jobs: given('jobs', 100, 5),
    containers: given('containers', 10, 3),
    minutes: given('minutes', 5, 1),
    atOnce: Number(options['at-once']),
    ending: Number(options.ending),
    say,
  };
}

async function bare() {
  const { phases, made, endedS } = await bareCrowd({ engine: socket, ...ofCrowd() });
  report.table(
    `inspect at the engine, ms, while ${made} containers are made and removed at the engine itself`,
    [
      { key: 'calls', title: 'calls', digits: 0 },
      { key: 'direct50', title: 'p50' },
      { key: 'direct95', title: 'p95' },
    ],
    Object.entries(phases).map(([name, seen]) => ({ name, figures: seen })),
  );
  console.log(`removed in ${endedS.toFixed(1)} s, ${options.ending} at once`);
}

async function many() {
  const before = await holdingsOf(socket);
  const served = await serveFor('crowd');
  const { phases, figures, left } = await crowd({
    served,
    before,
    ...ofCrowd(),
  });
  await served.stop();
  faults.push(...left);
  report.table(
    `inspect by another job, ms, while there are ${figures.jobs} jobs with ${figures.containers} containers`,
    [
      { key: 'calls', title: 'calls', digits: 0 },
      { key: 'p50', title: 'p50' },
      { key: 'p95', title: 'p95' },
      { key: 'direct50', title: 'directly p50' },
      { key: 'direct95', title: 'directly p95' },
    ],
    Object.entries(phases).map(([name, seen]) => ({ name, figures: seen })),
  );
  report.table(
    'the jobs',
    Object.keys(figures).map((key) => ({ key, title: key, digits: key.endsWith('S') ? 1 : 0 })),
    [{ name: 'jobs', figures }],
  );
  const { alone, ...others } = phases;
  for (const [name, { p95, direct95 }] of Object.entries(others)) {
    report.aim(`p95 of inspect, ${name}, of that alone`, p95 / alone.p95, { atMost: 1.5 });
    report.aim(`the same directly at the engine`, direct95 / alone.direct95, { atMost: 1.5 });
  }
  report.aim('longest sweep, seconds', figures.sweepLongestS, { atMost: 30 });
  report.aim('things left over or missing', figures.left + figures.missing, { atMost: 0 });
}

async function wall() {
  needPrograms('docker-registry');
  const registry = await startRegistry(options.folder, options.bridge ?? (await bridgeOf()));
  const served = await serveFor('wall', [{ host: UPSTREAM, url: `http://${registry.local}` }]);
  const rounds = Math.min(options.rounds, 3);
  const { seconds, why } = await wallTimes({ served, client, registry, rounds, folder: options.folder, say });
  await served.stop();
  await registry.stop();
  const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
  const names = { socket: 'a job socket', bare: "the engine's own socket", dind: 'Docker-in-Docker' };
  report.table(
    'wall time of the same job, seconds',
    [
      { key: 'first', title: 'first run', digits: 1 },
      { key: 'second', title: 'second run', digits: 1 },
    ],
    Object.entries(seconds).map(([name, { first, second }]) => ({
      name: names[name],
      figures: { first: median(first), second: median(second) },
    })),
  );
  if (why !== null) console.log(`\nDocker-in-Docker did not come up here:\n${why}`);
}

async function upgrades() {
  needPrograms('docker-registry');
  const before = await holdingsOf(socket);
  const registry = await startRegistry(options.folder, options.bridge ?? (await bridgeOf()));
  const served = await serveFor('upgrades', [{ host: UPSTREAM, url: `http://${registry.local}` }]);
  const seconds = given('seconds', 600, 30);
  const { figures, faults: found } = await upgradesDuringJob({
    served,
    client,
    registry,
    seconds,
    at: UPGRADES_AT.map((part) => part * seconds),
    before,
    folder: options.folder,
    say,
  });
  await served.stop();
  await registry.stop();
  faults.push(...found);
  report.table(
    'a job over upgrades',
    Object.keys(figures).map((key) => ({ key, title: key, digits: 0 })),
    [{ name: 'job', figures }],
  );
  report.aim('what the job noticed', figures.faults, { atMost: 0 });
  report.aim('things left over or missing', figures.left, { atMost: 0 });
}

async function publicImage() {
  needPrograms('docker-registry', 'htpasswd');
  const before = await holdingsOf(socket);
  const users = join(options.folder, 'users');
  writeFileSync(users, await usersOfBench());
  const bridge = options.bridge ?? (await bridgeOf());
  const open = await startRegistry(options.folder, bridge);
  const closed = await startRegistry(options.folder, bridge, users);
  const sites = [
    { host: UPSTREAM, registry: open, open, asks: false },
    { host: `private.${UPSTREAM}`, registry: closed, open, asks: true },
  ];
  const upstreams = sites.map(({ host, registry }) => ({ host, url: `http://${registry.local}` }));
  const served = await serveFor('public', upstreams, true);
  const mib = given('mib', 1024, 64);
  const { rows, faults: found } = await twoProjects({ served, client, sites, mib, folder: options.folder, say });
  await served.stop();
  await Promise.all([open.stop(), closed.stop()]);
  await dropKept(socket);
  const networks = JSON.parse((await callEngine(socket, 'GET', '/networks')).text);
  for (const { Name: name } of networks)
    if (name.startsWith(`${served.namespace}-`)) await callEngine(socket, 'DELETE', `/networks/${name}`);
  const { left, missing } = difference(before, await holdingsOf(socket));
  faults.push(...found, ...left.map((thing) => `left: ${thing}`), ...missing.map((thing) => `missing: ${thing}`));
  report.table(
    `jobs that pull an image of ${mib} MiB and run it`,
    [
      { key: 'seconds', title: 'seconds', digits: 1 },
      { key: 'blobs', title: 'blobs from the registry', digits: 0 },
      { key: 'unpacked', title: 'layers unpacked', digits: 0 },
    ],
    rows.map(({ name, ...figures }) => ({ name, figures })),
  );
  report.aim('faults', faults.length, { atMost: 0 });
}

/** The address of the host on the engine's default network. */
async function bridgeOf() {
  const { text } = await callEngine(socket, 'GET', '/networks/bridge');
  return JSON.parse(text).IPAM.Config[0].Gateway;
}
