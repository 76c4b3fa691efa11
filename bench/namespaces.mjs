// What a namespace costs as the engine fills with containers of others; whether the time of an answer tells what is
// another's from what is not there; and how much memory the index takes.
//
//   node bench/namespaces.mjs [--quick] [--engine unix:///var/run/docker.sock] [--counts 10,100,1000,3000]
//                             [--calls 400] [--pairs 2000] [--json FILE]
//
// The engine is that of --engine, else of DOCKER_HOST; it needs one image with a name. Containers of others are made for the run, in
// namespaces of 10, never started, and removed after it. Take an engine that nobody else uses. Each call through Berthgate
// and the call that it is forwarded as, made directly, take turns one by one; what counts is the ratio of the medians.

import { randomBytes } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { Directory } from '../dist/rules/namespaces/directory.js';
import { berthgate } from './harness/contenders.mjs';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { Report } from './harness/report.mjs';
import { socketOf } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  engine: { type: 'string', default: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock' },
  counts: { type: 'string' },
  calls: { type: 'string' },
  pairs: { type: 'string' },
});
const counts = (options.counts ?? (options.quick ? '10,100' : '10,100,1000,3000')).split(',').map(Number);
const calls = Number(options.calls ?? (options.quick ? 100 : 400));
const pairs = Number(options.pairs ?? (options.quick ? 200 : 2000));
const OWN = 10;
const MADE_AT_ONCE = 4;
const API = '/v1.41';
const run = randomBytes(3).toString('hex');
const own = `bench-${run}`;
const report = new Report('namespaces');
const socket = socketOf(options.engine);
const images = JSON.parse((await callEngine(socket, 'GET', `${API}/images/json`)).text);
const image = images.flatMap(({ RepoTags: names }) => names ?? []).find((name) => !name.startsWith('<none>'));
if (image === undefined) throw new Error('the engine has no image with a name: containers cannot be made');

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const made = [];
const through = await berthgate(socket, options.folder, { namespace: own, sharedImages: [image] });
try {
  for (let i = 0; i < OWN; i++) {
    await expectedTimed(201, through.unix, 'POST', `/containers/create?name=web${i}`, {
      Image: image,
      HostConfig: { NetworkMode: 'none' },
    });
  }
  // Once for nothing: what runs for the first time is slow.
  await costs();
  await scale();
  if (pairs > 0) await oracle();
} finally {
  await removeAll();
  await through.stop();
  agent.destroy();
}
await index();
report.finish(options.json);
process.exit(0);

/** Milliseconds from the first byte of the call to the last of its answer. */
function timed(to, method, path, body) {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      payload === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) };
    const start = process.hrtime.bigint();
    const call = httpRequest({ socketPath: to, agent, method, path: `${API}${path}`, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const ms = Number(process.hrtime.bigint() - start) / 1e6;
        resolve({ ms, status: answer.statusCode, text: Buffer.concat(chunks).toString() });
      });
    });
    call.on('error', reject);
    call.end(payload);
  });
}

async function expectedTimed(status, ...asked) {
  const answer = await timed(...asked);
  if (answer.status !== status) throw new Error(`${asked[1]} ${asked[2]}: ${answer.status} ${answer.text}`);
  return answer;
}

async function fill(count) {
  let next = made.length;
  const makeSome = async () => {
    while (next < count) {
      const i = next++;
      const namespace = `other-${run}-${Math.floor(i / 10)}`;
      const name = `${namespace}.web${i % 10}`;
      const body = {
        Image: image,
        Labels: { 'berthgate.namespace': namespace, 'com.docker.compose.project': 'shop' },
        HostConfig: { NetworkMode: 'none' },
      };
      const { text, status } = await callEngine(socket, 'POST', `${API}/containers/create?name=${name}`, body);
      if (status !== 201) throw new Error(text);
      made.push({ id: JSON.parse(text).Id, name });
    }
  };
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, makeSome));
}

async function scale() {
  const rows = [];
  for (const count of counts) {
    await fill(count);
    rows.push({ name: String(count), figures: await costs() });
  }
  const columns = ['list', 'inspect', 'create'].flatMap((key) => [
    { key: `${key}Ms`, title: `${key} ms` },
    { key: `${key}Direct`, title: 'direct ms' },
    { key: `${key}Ratio`, title: 'ratio' },
  ]);
  report.table('one namespace, as the engine holds containers of others', columns, rows);
  const [first] = rows;
  const last = rows.at(-1);
  const growth = (key) => last.figures[key] / first.figures[key];
  report.aim(`inspect: ratio to direct at ${last.name} of others, of that at ${first.name}`, growth('inspectRatio'), {
    atMost: 1.15,
  });
  report.aim(`create: ratio to direct at ${last.name} of others, of that at ${first.name}`, growth('createRatio'), {
    atMost: 1.15,
  });
  report.aim(`list: ratio to direct at ${last.name} of others, of that at ${first.name}`, growth('listRatio'), {
    atMost: 1.3,
  });
}

async function costs() {
  const filters = encodeURIComponent(JSON.stringify({ label: [`berthgate.namespace=${own}`] }));
  const { Id: id } = JSON.parse((await expectedTimed(200, through.unix, 'GET', '/containers/web0/json')).text);
  const list = await takeTurns(calls, {
    ours: () => expectedTimed(200, through.unix, 'GET', '/containers/json?all=1'),
    theirs: () => expectedTimed(200, socket, 'GET', `/containers/json?all=1&filters=${filters}`),
  });
  const inspect = await takeTurns(calls, {
    ours: () => expectedTimed(200, through.unix, 'GET', '/containers/web0/json'),
    theirs: () => expectedTimed(200, socket, 'GET', `/containers/${id}/json`),
  });
  const create = (to, prefix, labels) => async (i) => {
    const body = { Image: image, Labels: labels, HostConfig: { NetworkMode: 'none' } };
    const answer = await expectedTimed(201, to, 'POST', `/containers/create?name=${prefix}made${i}`, body);
    await callEngine(socket, 'DELETE', `${API}/containers/${JSON.parse(answer.text).Id}`);
    return answer;
  };
  const creates = await takeTurns(Math.ceil(calls / 8), {
    ours: create(through.unix, '', {}),
    theirs: create(socket, `${own}.direct-`, { 'berthgate.namespace': own }),
  });
  return { ...named('list', list), ...named('inspect', inspect), ...named('create', creates) };
}

function named(key, { ours, theirs }) {
  return { [`${key}Ms`]: ours, [`${key}Direct`]: theirs, [`${key}Ratio`]: ours / theirs };
}

async function takeTurns(times, { ours, theirs }) {
  const figures = { ours: [], theirs: [] };
  for (let i = -5; i < times; i++) {
    // Who goes first changes, so that neither always finds the engine warm.
    const order = i % 2 === 0 ? { ours, theirs } : { theirs, ours };
    for (const [key, call] of Object.entries(order)) {
      const { ms } = await call(i + 5);
      if (i >= 0) figures[key].push(ms);
    }
  }
  return { ours: median(figures.ours), theirs: median(figures.theirs) };
}

/** What is another's beside what is not there, in turns. */
async function oracle() {
  const ways = [
    ['inspect', 'GET', (reference) => `/containers/${reference}/json`],
    ['start', 'POST', (reference) => `/containers/${reference}/start`],
    ['logs', 'GET', (reference) => `/containers/${reference}/logs?stdout=1`],
    ['exec', 'POST', (reference) => `/containers/${reference}/exec`, { Cmd: ['true'] }],
  ];
  const hex = (digits) => randomBytes(32).toString('hex').slice(0, digits);
  const spellings = [
    ['id', ({ id }) => id, () => hex(64)],
    ['prefix', ({ id }) => id.slice(0, 12), () => hex(12)],
    ['name', ({ name }) => name, () => `other-${run}-x.web${Math.floor(Math.random() * 10)}`],
  ];
  const rows = [];
  let most = 0;
  for (const [what, method, path, body] of ways) {
    for (const [spelling, foreign, absent] of spellings) {
      const ask = (reference) => expectedTimed(404, through.unix, method, path(reference), body);
      const { ours, theirs } = await takeTurns(pairs, {
        ours: () => ask(foreign(made[Math.floor(Math.random() * made.length)])),
        theirs: () => ask(absent()),
      });
      const difference = (ours / theirs - 1) * 100;
      most = Math.max(most, Math.abs(difference));
      rows.push({ name: `${what} by ${spelling}`, figures: { ours, theirs, difference } });
    }
  }
  report.table(
    `${pairs} calls for what is another's and ${pairs} for what is not there, in turns`,
    [
      { key: 'ours', title: "another's ms", digits: 3 },
      { key: 'theirs', title: 'absent ms', digits: 3 },
      { key: 'difference', title: 'difference %', digits: 1 },
    ],
    rows,
  );
  report.aim("largest difference between another's and absent, %", most, { atMost: 3 });
}

async function index() {
  const ENTRIES = 10_000;
  if (globalThis.gc === undefined) {
    console.log('\nThe memory of the index needs node --expose-gc');
    return;
  }
  const list = Array.from({ length: ENTRIES }, (_, i) => ({
    Id: randomBytes(32).toString('hex'),
    Names: [`/team-${Math.floor(i / 10)}.shop-web-${i % 10}`],
    Labels: { 'berthgate.namespace': `team-${Math.floor(i / 10)}`, 'com.docker.compose.project': 'shop' },
  }));
  // As the answer of an engine is read: every string is one of its own.
  const answer = () => JSON.parse(JSON.stringify(list));
  const desk = { ask: async (endpoint) => (endpoint === 'ContainerList' ? answer() : null) };
  let begin = () => {};
  const feed = {
    keep: (keeper) => {
      begin = keeper.onBegin;
      return () => {};
    },
  };
  const directory = new Directory(desk, feed, () => {});
  directory.start();
  const heap = () => {
    for (let i = 0; i < 4; i++) globalThis.gc();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  begin();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const bytes = (heap() - before) / ENTRIES;
  const { Id } = list[ENTRIES - 1];
  if (directory.owner(Id) === null) throw new Error('the index has not been filled');
  report.table(
    `the index of ${ENTRIES} containers`,
    [{ key: 'bytes', title: 'bytes a container', digits: 0 }],
    [{ name: 'heap', figures: { bytes } }],
  );
  report.aim('bytes of the index a container', bytes, { atMost: 1024 });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

async function removeAll() {
  const filters = encodeURIComponent(JSON.stringify({ label: ['berthgate.namespace'] }));
  const { text } = await callEngine(socket, 'GET', `${API}/containers/json?all=1&filters=${filters}`);
  const names = JSON.parse(text).filter(({ Labels }) => Labels['berthgate.namespace'].includes(run));
  const left = names.map(({ Id }) => Id);
  const removeSome = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop())
      await callEngine(socket, 'DELETE', `${API}/containers/${id}?force=1`);
  };
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, removeSome));
}
