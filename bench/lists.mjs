// Many clients that poll `docker ps` on a real engine with many containers; and a writer, through the same proxy, that
// must always find in the list what it made, and never what it removed.
//
//   node bench/lists.mjs [--quick] [--rounds 5] [--engine unix:///var/run/docker.sock] [--containers 300]
//                        [--seconds 3] [--only berthgate,haproxy-usual,…] [--json FILE]
//
// The engine is that of --engine, else of DOCKER_HOST; it needs one image. The containers are made for the run, never
// started, and removed after it. Take an engine that nobody else uses. Needs: gcc, haproxy, nginx-light, golang-go.

import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { cpuSeconds, runJson } from './harness/processes.mjs';
import { compile } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { pidOfSocket, socketOf, startContenders } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  engine: { type: 'string', default: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock' },
  containers: { type: 'string', default: '300' },
  seconds: { type: 'string' },
  only: { type: 'string', default: 'berthgate,haproxy-usual,direct' },
});
const count = Number(options.containers);
const seconds = options.seconds ?? (options.quick ? '1' : '3');
const POLLERS = '50';
const LIST = '/v1.41/containers/json?all=1';
const prefix = `berthgate-bench-${process.pid}-`;
const report = new Report('lists');
const client = compile('calls', options.folder);
const socket = socketOf(options.engine);
const enginePid = pidOfSocket(socket);
const [image] = JSON.parse((await callEngine(socket, 'GET', '/v1.41/images/json')).text);
if (image === undefined) throw new Error('the engine has no image: containers cannot be made');

const contenders = await startContenders(options.only.split(','), {
  socket,
  folder: options.folder,
  main: options.berthgate,
  enginePid,
});
try {
  await make(count);
  await run();
} finally {
  for (const one of contenders) await one.stop();
  await removeAll();
}
report.finish(options.json);
process.exit(0);

async function run() {
  const figures = await takeTurns(contenders, options.rounds, poll);
  const compare = (other, key) => ratio(figures, 'berthgate', other, key);
  report.table(
    `${POLLERS} clients poll the list of ${count} containers`,
    [
      { key: 'rate', title: 'lists/s', digits: 0 },
      { key: 'p50', title: 'p50 ms', digits: 1 },
      { key: 'p99', title: 'p99 ms', digits: 1 },
      { key: 'cpu', title: 'CPU s/1k', digits: 3 },
      { key: 'engineCpu', title: "engine's CPU s/1k", digits: 3 },
      { key: 'writes', title: 'writes checked', digits: 0 },
      { key: 'stale', title: 'stale lists', digits: 0 },
      { key: 'rateRatio', title: "Berthgate's rate / its" },
    ],
    contenders.map(({ name }) => ({
      name,
      figures: { ...medians(figures.get(name)), rateRatio: compare(name, 'rate') },
    })),
  );
  if (!figures.has('berthgate')) return;
  const stale = figures.get('berthgate').reduce((sum, one) => sum + one.stale, 0);
  report.aim('lists that did not show what their reader had just written', stale, { atMost: 0 });
  if (figures.has('direct')) report.aim("lists: rate, of the engine's own", compare('direct', 'rate'), { atLeast: 15 });
}

/** The pollers, and beside them the writer. */
async function poll(one) {
  const engineBefore = enginePid === null ? Number.NaN : cpuSeconds(enginePid);
  const before = one.name === 'direct' ? Number.NaN : one.cpu();
  let polling = true;
  const told = runJson(client, [one.over('unix'), POLLERS, seconds, LIST]).finally(() => {
    polling = false;
  });
  const written = await write(one, () => polling);
  const { calls, failures, seconds: took, p50, p99 } = await told;
  if (failures > 0) throw new Error(`${one.name}: ${failures} of ${calls} calls failed`);
  return {
    rate: calls / took,
    p50: p50 / 1e3,
    p99: p99 / 1e3,
    cpu: ((one.cpu() - before) / calls) * 1e3,
    engineCpu: enginePid === null ? Number.NaN : ((cpuSeconds(enginePid) - engineBefore) / calls) * 1e3,
    ...written,
  };
}

async function write(one, goesOn) {
  let writes = 0;
  let stale = 0;
  while (goesOn()) {
    const name = `${prefix}writer-${writes}`;
    const id = await create(one.unix, name);
    if (!(await listed(one.unix)).has(id)) stale++;
    await remove(one.unix, id);
    if ((await listed(one.unix)).has(id)) stale++;
    writes += 2;
  }
  return { writes, stale };
}

async function listed(to) {
  const { status, text } = await callEngine(to, 'GET', LIST);
  if (status !== 200) throw new Error(`no list: ${status} ${text}`);
  return new Set(JSON.parse(text).map(({ Id }) => Id));
}

async function create(to, name) {
  const made = await callEngine(to, 'POST', `/v1.41/containers/create?name=${name}`, {
    Image: image.Id,
    Cmd: ['true'],
  });
  if (made.status !== 201) throw new Error(`no container: ${made.status} ${made.text}`);
  return JSON.parse(made.text).Id;
}

async function remove(to, id) {
  const { status, text } = await callEngine(to, 'DELETE', `/v1.41/containers/${id}?force=1`);
  if (status !== 204) throw new Error(`not removed: ${status} ${text}`);
}

async function make(number) {
  for (let i = 0; i < number; i += 10) {
    await Promise.all(Array.from({ length: Math.min(10, number - i) }, (_, j) => create(socket, `${prefix}${i + j}`)));
  }
}

async function removeAll() {
  const filters = encodeURIComponent(JSON.stringify({ name: [prefix] }));
  const { text } = await callEngine(socket, 'GET', `/v1.41/containers/json?all=1&filters=${filters}`);
  const ids = JSON.parse(text).map(({ Id }) => Id);
  for (let i = 0; i < ids.length; i += 10) await Promise.all(ids.slice(i, i + 10).map((id) => remove(socket, id)));
}
