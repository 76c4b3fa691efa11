// What connections cost that do nothing: resident memory before and after 1,000 clients have asked once and stay.
//
//   node bench/idle.mjs [--quick] [--rounds 3] [--connections 1000] [--only berthgate,haproxy-usual,…]
//                       [--transport unix,tcp] [--json FILE]
//
// Each round is a new process. Before the first figure it serves 20,000 calls over 50 connections, as it would have in an
// hour of its life; what that costs is not the connections'. Needs: gcc, haproxy, nginx-light, golang-go.

import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { readOptions } from './harness/options.mjs';
import { residentBytes, runJson } from './harness/processes.mjs';
import { compile } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio } from './harness/rounds.mjs';
import { EVERYBODY, startContenders, startFastEngine } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  connections: { type: 'string', default: '1000' },
  only: { type: 'string', default: EVERYBODY.filter((name) => name !== 'direct').join(',') },
  transport: { type: 'string', default: 'unix,tcp' },
});
const count = Number(options.connections);
const rounds = options.quick ? 1 : Math.max(3, options.rounds);
const report = new Report('idle');
const client = compile('calls', options.folder);
const engine = await startFastEngine(options.folder);
const names = options.only.split(',');
try {
  for (const transport of options.transport.split(',')) await run(transport);
} finally {
  await engine.stop();
}
report.finish(options.json);
process.exit(0);

async function run(transport) {
  const figures = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const { socket } = engine;
      const [one] = await startContenders([name], { socket, folder: options.folder, main: options.berthgate });
      if (one === undefined) continue;
      figures.set(name, [...(figures.get(name) ?? []), await measure(one, transport)]);
      await one.stop();
    }
  }
  report.table(
    `${count} idle connections over ${transport}`,
    [
      { key: 'before', title: 'MB before', digits: 1 },
      { key: 'growth', title: 'MB grown', digits: 1 },
      { key: 'each', title: 'kB a connection', digits: 1 },
    ],
    [...figures].map(([name, runs]) => ({ name, figures: medians(runs) })),
  );
  if (figures.has('berthgate') && figures.has('go-stand-in')) {
    const value = ratio(figures, 'berthgate', 'go-stand-in', 'growth');
    report.aim(`idle connections over ${transport}: memory, of the Go stand-in`, value, { atMost: 0.333 });
  }
}

async function measure(one, transport) {
  for (let calls = 0; calls < 20_000; )
    calls += (await runJson(client, [one.over(transport), '50', '0.5', '/_ping'])).calls;
  await pause(500);
  const before = residentBytes(one.pid);
  const where = transport === 'unix' ? { path: one.unix } : { host: '127.0.0.1', port: one.port };
  const sockets = [];
  for (let i = 0; i < count; i += 50) {
    const some = Array.from({ length: Math.min(50, count - i) }, () => askOnce(where));
    sockets.push(...(await Promise.all(some)));
  }
  await pause(1500);
  const growth = residentBytes(one.pid) - before;
  const open = sockets.filter((socket) => socket.readyState === 'open').length;
  for (const socket of sockets) socket.destroy();
  if (open < count) throw new Error(`${one.name} kept ${open} of ${count} connections`);
  return { before: before / 1e6, growth: growth / 1e6, each: growth / 1e3 / count };
}

function askOnce(where) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(where);
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('a connection was closed')));
    socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n');
    socket.once('data', (answer) => {
      if (answer.subarray(0, 12).toString() === 'HTTP/1.1 200') resolve(socket);
      else reject(new Error(`not the answer that was expected: ${answer}`));
    });
  });
}
