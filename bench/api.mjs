// Small calls: 50 kept-alive connections that ask as fast as they are answered.
//
//   node bench/api.mjs [--quick] [--rounds 5] [--seconds 3] [--only berthgate,haproxy-usual,…] [--json FILE]
//                      [--transport unix,tcp] [--work ping,inspect,distinct,list,mixed] [--engine unix:///run/docker.sock]
//                      [--connections 50] [--wrk]
//
// `distinct` inspects another container over each connection, so that no two calls can share an answer.
// Without --engine, the engine is one of our own that is never the bottleneck; with it, a real one, where `inspect` asks
// about one of its containers (one is made, and removed afterwards, where there is none). `--wrk` lets wrk ask over TCP
// instead of our own client. Needs: gcc, haproxy, nginx-light, golang-go, and for --wrk wrk.

import { execFileSync } from 'node:child_process';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { cpuSeconds, runJson } from './harness/processes.mjs';
import { compile, findProgram, needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { EVERYBODY, pidOfSocket, socketOf, startContenders, startFastEngine } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  seconds: { type: 'string' },
  only: { type: 'string', default: EVERYBODY.join(',') },
  transport: { type: 'string', default: 'unix,tcp' },
  work: { type: 'string', default: 'ping,inspect,distinct,list' },
  engine: { type: 'string' },
  connections: { type: 'string', default: '50' },
  wrk: { type: 'boolean', default: false },
});
const seconds = options.seconds ?? (options.quick ? '0.5' : '2');
const report = new Report('api');
const client = compile('calls', options.folder);
if (options.wrk) needPrograms('wrk');

const own = options.engine === undefined ? await startFastEngine(options.folder) : null;
const socket = own?.socket ?? socketOf(options.engine);
const enginePid = own?.pid ?? pidOfSocket(socket);
const container = own === null ? await someContainer(socket) : { name: 'some-container', remove: async () => {} };

/** As many as there are connections: no two of them ask the same. */
const others = Array.from({ length: Number(options.connections) }, (_, i) => `/v1.41/containers/other-${i}/json`);

const WORKS = {
  ping: { title: '/_ping', paths: ['/_ping'] },
  inspect: { title: 'inspect of a container', paths: [`/v1.41/containers/${container.name}/json`] },
  distinct: { title: 'inspect, of another container by each connection', paths: others },
  list: { title: 'list of containers', paths: ['/v1.41/containers/json?all=1'] },
  mixed: { title: '/_ping and inspect in turn', paths: ['/_ping', `/v1.41/containers/${container.name}/json`] },
};

const contenders = await startContenders(options.only.split(','), {
  socket,
  folder: options.folder,
  main: options.berthgate,
  enginePid,
});
try {
  for (const transport of options.wrk ? ['tcp'] : options.transport.split(',')) {
    for (const work of options.work.split(',')) {
      // A real engine has no fifty containers for us.
      if (own !== null || work !== 'distinct') await run(WORKS[work], transport);
    }
  }
} finally {
  for (const one of contenders) await one.stop();
  await container.remove();
  await own?.stop();
}
report.finish(options.json);
process.exit(0);

async function run({ title, paths }, transport) {
  const there = contenders.filter((one) => one.speaks(transport));
  for (const one of there) await ask(one, transport, paths, '0.3');
  const figures = await takeTurns(there, options.rounds, (one) => ask(one, transport, paths, seconds));
  const rows = there.map(({ name }) => ({
    name,
    figures: { ...medians(figures.get(name)), cpuRatio: ratio(figures, 'berthgate', name, 'cpu') },
  }));
  report.table(
    `${title}, ${options.connections} connections over ${transport}, ${own === null ? 'a real engine' : 'our own engine'}`,
    [
      { key: 'rate', title: 'calls/s', digits: 0 },
      { key: 'cpu', title: 'CPU s/10k', digits: 3 },
      { key: 'engineCpu', title: "engine's CPU s/10k", digits: 3 },
      { key: 'p50', title: 'p50 µs', digits: 0 },
      { key: 'p99', title: 'p99 µs', digits: 0 },
      { key: 'cpuRatio', title: "Berthgate's CPU / its", digits: 2 },
    ],
    rows,
  );
  tellAims(figures, `${title} over ${transport}`);
}

function tellAims(figures, what) {
  const compare = (other, key) => ratio(figures, 'berthgate', other, key);
  if (!figures.has('berthgate')) return;
  if (figures.has('berthgate-guarded')) {
    const guarded = ratio(figures, 'berthgate-guarded', 'berthgate', 'rate');
    report.aim(`${what}: rate with conservative and limits, of that without policies`, guarded, { atLeast: 0.8 });
    const cpu = ratio(figures, 'berthgate', 'berthgate-guarded', 'cpu');
    report.aim(`${what}: CPU a call without policies, of that with conservative and limits`, cpu, { atLeast: 0.8 });
  }
  if (own !== null && figures.has('haproxy-usual'))
    report.aim(`${what}: CPU a call, of HAProxy as usual`, compare('haproxy-usual', 'cpu'), { atMost: 0.85 });
  if (own === null && figures.has('haproxy-usual'))
    report.aim(`${what}: rate, of HAProxy as usual`, compare('haproxy-usual', 'rate'), { atLeast: 2 });
  if (own !== null && figures.has('go-stand-in'))
    report.aim(`${what}: rate, of the Go stand-in`, compare('go-stand-in', 'rate'), { atLeast: 5 });
}

async function ask(one, transport, paths, forSeconds) {
  const engineBefore = enginePid === null ? Number.NaN : cpuSeconds(enginePid);
  const before = one.cpu();
  const told = options.wrk
    ? askWithWrk(one, paths[0], forSeconds)
    : await runJson(client, [one.over(transport), options.connections, forSeconds, ...paths]);
  const cpu = one.cpu() - before;
  const engineCpu = enginePid === null ? Number.NaN : cpuSeconds(enginePid) - engineBefore;
  if (told.failures > 0) throw new Error(`${one.name}: ${told.failures} of ${told.calls} calls failed`);
  const { calls, p50, p99 } = told;
  return { rate: calls / told.seconds, cpu: (cpu / calls) * 1e4, engineCpu: (engineCpu / calls) * 1e4, p50, p99 };
}

function askWithWrk(one, path, forSeconds) {
  const whole = String(Math.max(1, Math.round(Number(forSeconds))));
  const args = ['-t1', `-c${options.connections}`, `-d${whole}s`, '--latency', `http://127.0.0.1:${one.port}${path}`];
  const text = execFileSync(findProgram('wrk'), args, { encoding: 'utf8' });
  const calls = Number(/(\d+) requests in/.exec(text)[1]);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  return {
    calls,
    failures: Number(bad?.[1] ?? 0),
    seconds: calls / Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]),
    p50: microseconds(/50%\s+([\d.]+\w+)/.exec(text)[1]),
    p99: microseconds(/99%\s+([\d.]+\w+)/.exec(text)[1]),
  };
}

function microseconds(text) {
  const [, number, unit] = /([\d.]+)(us|ms|s)/.exec(text);
  return Number(number) * { us: 1, ms: 1e3, s: 1e6 }[unit];
}

async function someContainer(at) {
  const [image] = JSON.parse((await callEngine(at, 'GET', '/v1.41/images/json')).text);
  if (image === undefined) throw new Error('the engine has no image: a container cannot be made');
  const name = `berthgate-bench-${process.pid}`;
  const made = await callEngine(at, 'POST', `/v1.41/containers/create?name=${name}`, {
    Image: image.Id,
    Cmd: ['true'],
  });
  if (made.status !== 201) throw new Error(`no container: ${made.text}`);
  return { name, remove: () => callEngine(at, 'DELETE', `/v1.41/containers/${name}?force=1`) };
}
