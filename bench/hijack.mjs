// Connections that have become streams of bytes (docker attach, exec): how long one byte takes there and back, and how
// fast an engine that talks without end gets through.
//
//   node bench/hijack.mjs [--quick] [--rounds 5] [--echoes 20000] [--mib 2048] [--only berthgate,haproxy-usual,…]
//                         [--transport unix,tcp] [--json FILE]
//
// Needs: gcc, haproxy, golang-go.

import { readOptions } from './harness/options.mjs';
import { runJson } from './harness/processes.mjs';
import { compile } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { EVERYBODY, startContenders, startFastEngine } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  echoes: { type: 'string' },
  mib: { type: 'string' },
  only: { type: 'string', default: EVERYBODY.join(',') },
  transport: { type: 'string', default: 'unix,tcp' },
});
const echoes = options.echoes ?? (options.quick ? '4000' : '20000');
const mib = Number(options.mib ?? (options.quick ? 512 : 2048));
const report = new Report('hijack');
const client = compile('streams', options.folder);
const engine = await startFastEngine(options.folder);
const contenders = await startContenders(options.only.split(','), {
  socket: engine.socket,
  folder: options.folder,
  main: options.berthgate,
});
try {
  for (const transport of options.transport.split(',')) await run(transport);
} finally {
  for (const one of contenders) await one.stop();
  await engine.stop();
}
report.finish(options.json);
process.exit(0);

async function run(transport) {
  const there = contenders.filter((one) => one.speaks(transport));
  for (const one of there) await measure(one, transport, '2000', 64);
  const figures = await takeTurns(there, options.rounds, (one) => measure(one, transport, echoes, mib));
  const compare = (other, key) => ratio(figures, 'berthgate', other, key);
  report.table(
    `${echoes} echoes of one byte, then ${mib} MiB from the engine, over ${transport}`,
    [
      { key: 'p50', title: 'echo p50 µs', digits: 1 },
      { key: 'p99', title: 'echo p99 µs', digits: 1 },
      { key: 'echoCpu', title: 'CPU s/10k echoes', digits: 3 },
      { key: 'rate', title: 'flood GB/s' },
      { key: 'cpu', title: 'flood CPU s/GB', digits: 3 },
      { key: 'p50Ratio', title: "Berthgate's p50 / its" },
      { key: 'rateRatio', title: "Berthgate's flood / its" },
    ],
    there.map(({ name }) => ({
      name,
      figures: { ...medians(figures.get(name)), p50Ratio: compare(name, 'p50'), rateRatio: compare(name, 'rate') },
    })),
  );
  for (const other of ['haproxy-tuned', 'haproxy-usual']) {
    if (!figures.has('berthgate') || !figures.has(other)) continue;
    report.aim(`echo over ${transport}: p50, of ${other}`, compare(other, 'p50'), { atMost: 1.1 });
    report.aim(`flood over ${transport}: GB/s, of ${other}`, compare(other, 'rate'), { atLeast: 1.5 });
  }
}

async function measure(one, transport, times, size) {
  const first = one.cpu();
  const echo = await runJson(client, [one.over(transport), 'echo', times]);
  const second = one.cpu();
  const flood = await runJson(client, [one.over(transport), 'flood', String(size * 2 ** 20)]);
  const gigabytes = flood.bytes / 1e9;
  return {
    p50: echo.p50,
    p99: echo.p99,
    echoCpu: ((second - first) / Number(times)) * 1e4,
    rate: gigabytes / flood.seconds,
    cpu: (one.cpu() - second) / gigabytes,
  };
}
