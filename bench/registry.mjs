// The registry mirror, against Debian's docker-registry as a pull-through mirror and nginx's proxy_cache in the same run:
// one large blob that is there, read by several clients at once, and manifests by digest. Each is one process, and nginx has one
// worker. And one image that nobody has had, pulled by several engines at once, through the mirror and straight from its
// registry: on loopback, where a registry is as fast as memory, and behind a link of limited rate.
//
//   node bench/registry.mjs [--quick] [--rounds 5] [--seconds 3] [--clients 4] [--no-warm] [--cold] [--mib 1024] [--no-near]
//                           [--no-far] [--rate 1gbit] [--pulls 2] [--json FILE]
//
// Needs: npm run build, docker-registry, nginx-light, wrk. --cold needs root, the engines of test/engines, and some 10 GB of disk.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readOptions } from './harness/options.mjs';
import { runJson, runText } from './harness/processes.mjs';
import { findProgram, needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { berthgateMirror, dockerMirror, nginxMirror, startRegistry } from './registry/contenders.mjs';
import { pushImage } from './registry/images.mjs';
import { pullAtOnce, startEngines } from './registry/pulls.mjs';
import { openSlowNetwork } from './registry/slow-network.mjs';

const options = readOptions(import.meta.url, {
  seconds: { type: 'string' },
  clients: { type: 'string', default: '4' },
  warm: { type: 'boolean', default: true },
  cold: { type: 'boolean', default: false },
  mib: { type: 'string', default: '1024' },
  near: { type: 'boolean', default: true },
  far: { type: 'boolean', default: true },
  rate: { type: 'string', default: '1gbit' },
  pulls: { type: 'string', default: '2' },
});
needPrograms('docker-registry', 'nginx', 'wrk');
const seconds = options.seconds ?? (options.quick ? '1' : '3');
const reader = fileURLToPath(new URL('./cache/reader.mjs', import.meta.url));
const WARM_MIB = 256;
const NAME = 'team/app';
/** nginx sends files from within the kernel, which Node cannot. */
const MOST_CPU_OF_NGINX = 2;

const report = new Report('registry');
if (options.warm) await measureWarm();
if (options.cold) await measureCold();
report.finish(options.json);
process.exit(0);

async function measureWarm() {
  const folder = join(options.folder, 'warm');
  mkdirSync(folder);
  const origin = await startRegistry(join(folder, 'origin'));
  const [layer] = await pushImage(origin.url, { name: NAME, tag: '1', layers: 1, mib: WARM_MIB });
  const contenders = [
    await berthgateMirror(folder, origin),
    await dockerMirror(folder, origin),
    await nginxMirror(folder, origin),
  ];
  try {
    const manifest = new Map();
    for (const one of contenders) {
      await take(one, `blobs/${layer}`);
      const answer = await take(one, 'manifests/1');
      manifest.set(one, `manifests/${answer.headers.get('docker-content-digest')}`);
      await take(one, manifest.get(one));
    }
    // It puts away what it has fetched when it has sent it.
    const before = origin.asked();
    const works = [
      [
        `a blob of ${WARM_MIB} MiB, ${options.clients} clients at once`,
        'gigabytes',
        (one) => large(one, `blobs/${layer}`),
      ],
      ['manifests by digest', 'rate', (one) => small(one, manifest.get(one))],
    ];
    for (const [title, key, run] of works) {
      const figures = await takeTurns(contenders, options.rounds, run);
      const columns = [
        { key, title: key === 'rate' ? 'answers/s' : 'GB/s', digits: key === 'rate' ? 0 : 2 },
        { key: 'cpu', title: key === 'rate' ? 'CPU s/10k' : 'CPU s/GB', digits: 3 },
      ];
      report.table(
        title,
        columns,
        contenders.map(({ name }) => ({ name, figures: medians(figures.get(name)) })),
      );
      for (const other of ['docker-registry', 'nginx']) {
        if (key === 'rate' && other === 'nginx') continue;
        const rate = ratio(figures, 'berthgate', other, key);
        report.aim(`${title}: ${columns[0].title}, of ${other}'s`, rate, { atLeast: 1 });
        report.aim(`${title}: ${columns[1].title}, of ${other}'s`, ratio(figures, 'berthgate', other, 'cpu'), {
          atMost: other === 'nginx' ? MOST_CPU_OF_NGINX : 1,
        });
      }
    }
    if (origin.asked() > before)
      console.log(`the registry was asked for blobs ${origin.asked() - before} times meanwhile`);
    await measureFirst(origin, contenders);
  } finally {
    for (const one of contenders) await one.stop();
    await origin.stop();
  }
}

/** What nobody has had: each time another one. */
async function measureFirst(origin, contenders) {
  const straight = { name: 'straight', port: new URL(origin.url).port, prefix: '/v2', cpu: () => 0 };
  const all = [...contenders, straight];
  const figures = await takeTurns(all, options.rounds, async (one, round) => {
    const tag = `${one.name}-${round}`;
    const [layer] = await pushImage(origin.url, { name: NAME, tag, layers: 1, mib: WARM_MIB });
    // Berthgate has shown the manifest, as to every engine.
    await take(one, `manifests/${tag}`);
    const before = origin.asked();
    const { seconds, cpu } = await readAtOnce(one, `blobs/${layer}`, '0');
    return { wall: seconds, cpu, asked: origin.asked() - before };
  });
  report.table(
    `a blob of ${WARM_MIB} MiB that nobody has had, ${options.clients} clients at once`,
    [
      { key: 'wall', title: 'wall s' },
      { key: 'cpu', title: 'CPU s/GB', digits: 3 },
      { key: 'asked', title: 'requests at the registry', digits: 0 },
    ],
    all.map(({ name }) => ({ name, figures: medians(figures.get(name)) })),
  );
}

async function take({ port, prefix }, path) {
  const headers = { accept: 'application/vnd.docker.distribution.manifest.v2+json' };
  const answer = await fetch(`http://127.0.0.1:${port}${prefix}/${NAME}/${path}`, { headers });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  await answer.arrayBuffer();
  return answer;
}

async function large(one, path) {
  const { bytes, seconds: spent, cpu } = await readAtOnce(one, path, seconds);
  return { gigabytes: bytes / 1e9 / spent, cpu };
}

async function readAtOnce({ port, prefix, cpu }, path, least) {
  const before = cpu();
  const args = [reader, 'http', String(port), `${prefix}/${NAME}/${path}`, least];
  const clients = Array.from({ length: Number(options.clients) }, () => runJson(process.execPath, args));
  const figures = await Promise.all(clients);
  const bytes = figures.reduce((sum, one) => sum + one.bytes, 0);
  return {
    bytes,
    seconds: Math.max(...figures.map((one) => one.seconds)),
    cpu: (cpu() - before) / (bytes / 1e9),
  };
}

async function small({ port, prefix, cpu }, path) {
  const before = cpu();
  const accept = 'Accept: application/vnd.docker.distribution.manifest.v2+json';
  const url = `http://127.0.0.1:${port}${prefix}/${NAME}/${path}`;
  const text = await runText(findProgram('wrk'), [
    '-t1',
    '-c16',
    '--timeout',
    '30s',
    `-d${seconds}s`,
    '-H',
    accept,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text);
  const requests = Number(/(\d+) requests in/.exec(text)[1]);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), cpu: ((cpu() - before) / requests) * 10_000 };
}

async function measureCold() {
  const places = [];
  if (options.near) places.push(['on loopback', null]);
  if (options.far) places.push([`behind ${options.rate}`, openSlowNetwork(options.rate)]);
  for (const [where, inside] of places) {
    const folder = join(options.folder, inside === null ? 'near' : 'far');
    const origin = await startRegistry(join(folder, 'origin'), inside);
    const mirror = await berthgateMirror(folder, origin);
    const engines = await startEngines([origin.host]);
    const ways = [
      { name: 'berthgate', cpu: mirror.cpu, of: `127.0.0.1:${mirror.port}/${origin.host.replace(':', '__')}/${NAME}` },
      { name: 'straight', cpu: () => 0, of: `${origin.host}/${NAME}` },
    ];
    try {
      const figures = await takeTurns(ways, Number(options.pulls), async ({ name, cpu, of }, round) => {
        const tag = `${name}-${round}`;
        await pushImage(origin.url, { name: NAME, tag, layers: 4, mib: Number(options.mib) / 4 });
        const before = { asked: origin.asked(), cpu: cpu() };
        const wall = await pullAtOnce(engines, `${of}:${tag}`);
        return { wall, cpu: cpu() - before.cpu, asked: origin.asked() - before.asked };
      });
      report.table(
        `${engines.length} engines pull one image of ${options.mib} MiB at the same moment, its registry ${where}`,
        [
          { key: 'wall', title: 'wall s', digits: 1 },
          { key: 'cpu', title: 'CPU s of the mirror', digits: 1 },
          { key: 'asked', title: 'blobs asked of the registry', digits: 0 },
        ],
        ways.map(({ name }) => ({ name, figures: medians(figures.get(name)) })),
      );
      report.aim(
        `${where}: wall time, of that of pulls straight from it`,
        ratio(figures, 'berthgate', 'straight', 'wall'),
        {
          atMost: 1,
        },
      );
      report.aim(`${where}: requests for each blob`, medians(figures.get('berthgate')).asked / 5, { atMost: 1 });
    } finally {
      await engines.stop();
      await mirror.stop();
      await origin.stop();
    }
  }
}
