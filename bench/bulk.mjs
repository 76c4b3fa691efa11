// Large bodies: a chunked upload (docker load) and a chunked download (docker export), one at a time.
//
//   node bench/bulk.mjs [--quick] [--rounds 5] [--mib 1024] [--only berthgate,haproxy-usual,…] [--json FILE]
//                       [--transport unix,tcp] [--work upload,download]
//
// Needs: gcc, haproxy, nginx-light, golang-go.

import { readOptions } from './harness/options.mjs';
import { runJson } from './harness/processes.mjs';
import { compile } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { EVERYBODY, startContenders, startFastEngine } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  mib: { type: 'string' },
  only: { type: 'string', default: EVERYBODY.join(',') },
  transport: { type: 'string', default: 'unix,tcp' },
  work: { type: 'string', default: 'upload,download' },
});
const mib = Number(options.mib ?? (options.quick ? 256 : 1024));
const report = new Report('bulk');
const client = compile('streams', options.folder);
const engine = await startFastEngine(options.folder);
const contenders = await startContenders(options.only.split(','), {
  socket: engine.socket,
  folder: options.folder,
  main: options.berthgate,
});
try {
  for (const transport of options.transport.split(',')) {
    for (const work of options.work.split(',')) await run(work, transport);
  }
} finally {
  for (const one of contenders) await one.stop();
  await engine.stop();
}
report.finish(options.json);
process.exit(0);

async function run(work, transport) {
  const there = contenders.filter((one) => one.speaks(transport));
  for (const one of there) await move(one, work, transport, 64);
  const figures = await takeTurns(there, options.rounds, (one) => move(one, work, transport, mib));
  const compare = (other, key) => ratio(figures, 'berthgate', other, key);
  report.table(
    `${work} of ${mib} MiB, chunked, over ${transport}`,
    [
      { key: 'rate', title: 'GB/s' },
      { key: 'cpu', title: 'CPU s/GB', digits: 3 },
      { key: 'rateRatio', title: "Berthgate's rate / its" },
      { key: 'cpuRatio', title: "Berthgate's CPU / its" },
    ],
    there.map(({ name }) => ({
      name,
      figures: { ...medians(figures.get(name)), rateRatio: compare(name, 'rate'), cpuRatio: compare(name, 'cpu') },
    })),
  );
  const atLeast = work === 'upload' ? 1.15 : 1;
  for (const other of ['haproxy-tuned', 'haproxy-usual']) {
    if (!figures.has('berthgate') || !figures.has(other)) continue;
    report.aim(`${work} over ${transport}: GB/s, of ${other}`, compare(other, 'rate'), { atLeast });
  }
}

async function move(one, work, transport, size) {
  const before = one.cpu();
  const told = await runJson(client, [one.over(transport), work, String(size * 2 ** 20)]);
  const gigabytes = told.bytes / 1e9;
  return { rate: gigabytes / told.seconds, cpu: (one.cpu() - before) / gigabytes };
}
