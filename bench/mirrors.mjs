// Jobs against the package mirrors that this machine is configured for, through the cache, over HTTPS: apt, npm, curl,
// Python and Java, in containers that are Debian's, or look as other systems do. Shows what is served from the cache the
// second time, what becomes of jobs when the mirrors cannot be reached any more, and that nothing of the CA is kept.
//
//   node bench/mirrors.mjs [--engine-name 28.5] [--layouts debian,alpine,…] [--works apt,npm,…] [--base TREE.tar] [--json FILE]
//
// The mirrors are those of apt-get and npm here. As root: berthgate runs as a user of its own, whose packets to the mirrors
// are dropped by a rule of nft for the time that they are "cut off". Needs debootstrap, docker, nft, npm, setpriv; ports 80
// and 443 of the engine's bridge must be free. Takes some minutes; the tree is made anew unless --base names one. Exit
// code 0: everything held.

import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readOptions } from './harness/options.mjs';
import { freePort, startProcess, waitUntilOpen } from './harness/processes.mjs';
import { needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { works, writeJob } from './mirrors/jobs.mjs';
import { layouts, without } from './mirrors/layouts.mjs';

const options = readOptions(import.meta.url, {
  'engine-name': { type: 'string', default: '28.5' },
  layouts: { type: 'string', default: Object.keys(layouts).join(',') },
  works: { type: 'string', default: Object.keys(works).join(',') },
  base: { type: 'string' },
});
needPrograms('debootstrap', 'docker', 'nft', 'npm', 'setpriv');
/** Of nobody else here. */
const USER = 64_321;
const TABLE = `berthgate-mirrors-${process.pid}`;
const NAME = `cajobs-${process.pid}`;
const PACKAGES = 'ca-certificates,curl,python3,openssl,nodejs,openjdk-17-jdk-headless';
const SUITE = 'bookworm';
const RUN_MS = 300_000;

const run = promisify(execFile);
const script = fileURLToPath(new URL('../test/engines/engine', import.meta.url));
const socket = join(process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines', options['engine-name'], 'docker.sock');
const report = new Report('mirrors');
const startedAt = Date.now();
const faults = [];
const rows = [];
const job = join(options.folder, 'job');
const state = join(options.folder, 'own');
let served = null;
let metrics = '';

const direct = (...args) => run('docker', ['-H', `unix://${socket}`, ...args], { maxBuffer: 2 ** 28 });
const through = (...args) =>
  run('docker', ['-H', `unix://${state}/docker.sock`, ...args], { maxBuffer: 2 ** 28, timeout: RUN_MS });
const say = (words) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${words}`);
const hold = (holds, words) => {
  if (holds) return;
  faults.push(words);
  say(`NOT SO: ${words}`);
};

const worksOf = (layout) => options.works.split(',').filter((work) => without[layout]?.[work] === undefined);
const tail = (told) => told.trim().split('\n').slice(-4).join(' / ');

await run(script, ['start', options['engine-name']]);
const mirrors = await mirrorsHere();
const chosen = options.layouts.split(',');
try {
  await makeImages();
  await makeJob();
  await serve({ staleIfError: '1h' });
  for (const layout of chosen) await twice(layout);
  await cutOff();
  await keptOf(chosen[0]);
  await otherCa();
} finally {
  await run('nft', ['delete', 'table', 'inet', TABLE]).catch(() => {});
  await served?.stop();
  const log = join(state, 'state', 'passthrough.log');
  // What stands by goes on without it; the last one is the one that does.
  await pause(1000);
  const standing = existsSync(log) ? (readFileSync(log, 'utf8').match(/\d+(?= serve is gone)/g) ?? []).slice(-1) : [];
  for (const pid of standing) await run('kill', [pid]).catch(() => {});
  const left = (await direct('ps', '-aq', '--filter', `name=${NAME}`)).stdout.split('\n').filter(Boolean);
  if (left.length > 0) await direct('rm', '-f', ...left);
  const names = ['images', '--format', '{{.Repository}}:{{.Tag}}', NAME];
  const images = (await direct(...names)).stdout.split('\n').filter(Boolean);
  if (images.length > 0) await direct('rmi', '-f', ...images).catch((fault) => faults.push(fault.message));
}
report.table(
  'jobs, seconds and what the second run asked of the mirrors',
  [
    { key: 'first', title: 'first, s', digits: 1 },
    { key: 'second', title: 'second, s', digits: 1 },
    { key: 'asked', title: 'requests', digits: 0 },
    { key: 'hits', title: 'of them hits', digits: 0 },
    { key: 'cutOff', title: 'cut off, s', digits: 1 },
    { key: 'failed', title: 'refused after, s', digits: 1 },
  ],
  rows.map(({ name, ...figures }) => ({ name, figures })),
);
report.finish(options.json);
for (const fault of faults) console.log(fault);
process.exit(faults.length === 0 ? 0 : 1);

/** What apt-get and npm of this machine ask, and where that lies. */
async function mirrorsHere() {
  const format = ['indextargets', '--format', '$(SITE)'];
  const sites = [...new Set((await run('apt-get', format)).stdout.trim().split('\n'))];
  const found = sites.map((site) => new URL(site)).find(({ pathname }) => !pathname.includes('security'));
  const apt = new URL(`https://${found.host}${found.pathname}`);
  const npm = new URL((await run('npm', ['config', 'get', 'registry'])).stdout.trim());
  const hosts = [...new Set([apt.hostname, npm.hostname])];
  const addresses = (await Promise.all(hosts.map((host) => lookup(host, { all: true })))).flat();
  return { apt: apt.href.replace(/\/$/, ''), npm: npm.href, hosts, addresses: addresses.map(({ address }) => address) };
}

async function makeImages() {
  let tar = options.base;
  if (tar === undefined) {
    const tree = join(options.folder, 'tree');
    const plain = mirrors.apt.replace('https:', 'http:');
    say('debootstrap');
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, SUITE, tree, plain], {
      maxBuffer: 2 ** 26,
    });
    tar = join(options.folder, 'tree.tar');
    await run('tar', ['-C', tree, '-cf', tar, '.']);
  }
  await direct('import', tar, `${NAME}:base`);
  const context = join(options.folder, 'context');
  // npm of this machine, for the Node of Debian.
  cpSync(
    dirname(dirname(realpathSync((await run('sh', ['-c', 'command -v npm'])).stdout.trim()))),
    join(context, 'npm'),
    {
      recursive: true,
    },
  );
  // The Node of this machine, which does not look at what the system trusts.
  cpSync(realpathSync(process.execPath), join(context, 'node'));
  writeFileSync(join(context, 'sources.list'), `deb ${mirrors.apt} ${SUITE} main\n`);
  for (const layout of chosen) {
    const lines = [
      `FROM ${NAME}:base`,
      'COPY npm /usr/lib/npm',
      'COPY node /opt/makers/node',
      'COPY sources.list /etc/apt/sources.list',
      'RUN rm -rf /etc/apt/sources.list.d/* /var/lib/apt/lists/*; ln -s /usr/lib/npm/bin/npm-cli.js /usr/bin/npm',
      ...layouts[layout],
    ];
    writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    say(`image ${layout}`);
    await direct('build', '-q', '-t', `${NAME}:${layout}`, context);
  }
}

/** A project with a lock file, as `npm ci` wants it. */
async function makeJob() {
  const npm = join(job, 'npm');
  mkdirSync(npm, { recursive: true });
  const dependencies = { yaml: '2', commander: '14', express: '4' };
  writeFileSync(join(npm, 'package.json'), JSON.stringify({ name: 'job', version: '1.0.0', dependencies }));
  await run('npm', ['install', '--package-lock-only', '--ignore-scripts'], { cwd: npm });
  writeJob(job, mirrors);
}

async function serve({ staleIfError, ca = { life: '7d', rotate: '2d' } }) {
  if (served === null) {
    for (const folder of ['', 'state']) mkdirSync(join(state, folder), { recursive: true, mode: 0o700 });
    chownSync(options.folder, USER, -1);
    chownSync(state, USER, -1);
    chownSync(join(state, 'state'), USER, -1);
    metrics = `http://127.0.0.1:${await freePort()}`;
  }
  const rule = mirrors.hosts.map((host) => ({ host, path: '/**/InRelease', minFresh: '1s', staleIfError }));
  const rest = mirrors.hosts.map((host) => ({ host, minFresh: staleIfError === '1s' ? '1s' : '1h', staleIfError }));
  const config = {
    state: join(state, 'state'),
    engines: [{ name: 'engine', url: `unix://${socket}` }],
    listeners: [
      {
        name: 'l',
        url: `unix://${state}/docker.sock`,
        auth: ['anonymous'],
        namespace: null,
        policies: [],
        cache: true,
      },
    ],
    outbound: {
      ca: process.env.SSL_CERT_FILE ?? '/etc/ssl/certs/ca-certificates.crt',
      allowPrivate: mirrors.addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
    },
    cache: { store: join(state, 'store'), hosts: mirrors.hosts, rules: [...rule, ...rest], ca },
    firewall: { apply: false },
    admin: { metrics },
    log: { level: 'info', format: 'json' },
  };
  const file = join(options.folder, 'berthgate.json');
  writeFileSync(file, JSON.stringify(config));
  await served?.stop();
  const who = ['--reuid', String(USER), '--regid', String(statSync(socket).gid), '--clear-groups'];
  const may = ['--inh-caps', '+net_bind_service', '--ambient-caps', '+net_bind_service'];
  const args = [...who, ...may, process.execPath, options.berthgate, 'serve', '--config', file];
  served = startProcess('setpriv', args, { log: join(options.folder, 'berthgate.log') });
  await waitUntilOpen({ path: join(state, 'docker.sock') });
}

async function counted() {
  const text = await (await fetch(`${metrics}/metrics`)).text();
  const sum = (pattern) => [...text.matchAll(pattern)].reduce((all, [, number]) => all + Number(number), 0);
  return {
    asked: sum(/^berthgate_cache_asked_total\{scheme="https"\} (\d+)/gm),
    hits: sum(
      /^berthgate_http_cache_requests_total\{kind="(?:fresh|revalidated|stale|follower)",scheme="https"\} (\d+)/gm,
    ),
  };
}

/** Seconds, and what it printed; the exit code. */
async function runIn(layout, work, ...more) {
  const from = performance.now();
  const file = `${mirrors.apt}/dists/${SUITE}/Release`;
  const args = ['run', '--rm', '-v', `${job}:/job:ro`, '-e', `FILE=${file}`, ...more, `${NAME}:${layout}`];
  const ran = await through(...args, 'sh', '-c', works[work]).then(
    ({ stdout, stderr }) => ({ code: 0, told: `${stdout}${stderr}` }),
    ({ code, stdout, stderr }) => ({ code, told: `${stdout}${stderr}` }),
  );
  return { ...ran, seconds: (performance.now() - from) / 1000 };
}

async function twice(layout) {
  for (const work of worksOf(layout)) {
    const name = `${layout}, ${work}`;
    const first = await runIn(layout, work);
    const before = await counted();
    const second = await runIn(layout, work);
    const after = await counted();
    const row = { name, first: first.seconds, second: second.seconds };
    row.asked = after.asked - before.asked;
    row.hits = after.hits - before.hits;
    rows.push(row);
    say(`${name}: ${first.code} ${second.code}, ${row.asked} requests, ${row.hits} hits: ${tail(second.told)}`);
    hold(first.code === 0 && second.code === 0, `${name}: ${tail(first.told)}`);
    hold(row.asked > 0 && row.hits > 0, `${name}: ${row.hits} hits of ${row.asked} requests`);
  }
}

/** The mirrors are there no more: what is kept serves, for as long as it may; then clients are told which host it is. */
async function cutOff() {
  await run('nft', ['add', 'table', 'inet', TABLE]);
  await run('nft', ['add', 'chain', 'inet', TABLE, 'out', '{ type filter hook output priority 0; }']);
  for (const address of new Set(mirrors.addresses)) {
    const match = [address.includes(':') ? 'ip6' : 'ip', 'daddr', address];
    await run('nft', ['add', 'rule', 'inet', TABLE, 'out', 'meta', 'skuid', String(USER), ...match, 'drop']);
  }
  for (const row of rows) {
    const [layout, work] = row.name.split(', ');
    const ran = await runIn(layout, work);
    row.cutOff = ran.seconds;
    say(`${row.name}, cut off: ${ran.code} in ${ran.seconds.toFixed(1)} s`);
    hold(ran.code === 0, `${row.name}, cut off: ${tail(ran.told)}`);
  }
  await serve({ staleIfError: '1s' });
  await pause(2500);
  for (const row of rows) {
    const [layout, work] = row.name.split(', ');
    const ran = await runIn(layout, work);
    row.failed = ran.seconds;
    say(`${row.name}, nothing kept any more: ${ran.code} in ${ran.seconds.toFixed(1)} s: ${tail(ran.told)}`);
    hold(ran.code !== 0, `${row.name}, nothing kept: ${ran.code}`);
    // Beside what it takes to start.
    const waited = ran.seconds - row.second;
    hold(waited < 10, `${row.name}, nothing kept: ${waited.toFixed(1)} s`);
    hold(
      mirrors.hosts.some((host) => ran.told.includes(host)),
      `${row.name}, nothing kept: names no host`,
    );
  }
  await run('nft', ['delete', 'table', 'inet', TABLE]);
  // A server that could not be reached is not asked again at once.
  await pause(12_000);
}

/** Nothing of the CA is in what is kept of a container that has worked. */
async function keptOf(layout) {
  const name = `${NAME}-kept`;
  await through(
    'run',
    '--name',
    name,
    '-e',
    `FILE=${mirrors.apt}/dists/${SUITE}/Release`,
    `${NAME}:${layout}`,
    'sh',
    '-c',
    works.apt,
  );
  const line = new X509Certificate(await (await fetch(`${metrics}/ca.crt`)).text()).toString().split('\n')[2];
  const look = `grep -rlF '${line}' /etc /usr /opt /var; find / -xdev -iname '*berthgate*'`;
  const search = async (image) => (await direct('run', '--rm', image, 'sh', '-c', `${look}; true`)).stdout.trim();
  await direct('commit', name, `${NAME}:control`);
  hold((await search(`${NAME}:control`)) !== '', 'the control shows nothing either');
  await through('commit', name, `${NAME}:committed`);
  hold((await search(`${NAME}:committed`)) === '', `commit: ${await search(`${NAME}:committed`)}`);
  const exported = join(options.folder, 'exported.tar');
  await through('export', '-o', exported, name);
  await direct('import', exported, `${NAME}:exported`);
  hold((await search(`${NAME}:exported`)) === '', `export: ${await search(`${NAME}:exported`)}`);
  const { stdout } = await through('diff', name);
  const shown = stdout.split('\n').filter((path) => /certs|pki|berthgate/.test(path));
  hold(shown.length === 0, `diff: ${shown.join(', ')}`);
  say('commit, export and diff were looked through');
}

/** A container that is started again when its CA is over has the one of today. */
async function otherCa() {
  await served.stop();
  rmSync(join(state, 'state', 'ca'), { recursive: true });
  await serve({ staleIfError: '1h', ca: { life: '20s', rotate: '10s' } });
  const name = `${NAME}-again`;
  const file = `${mirrors.apt}/dists/${SUITE}/Release`;
  await through('run', '--name', name, '-e', `FILE=${file}`, `${NAME}:${chosen[0]}`, 'sh', '-c', works.curl);
  const root = async () => (await (await fetch(`${metrics}/ca.crt`)).text()).split('-----END')[0];
  const before = await root();
  while ((await (await fetch(`${metrics}/ca.crt`)).text()).includes(before)) await pause(500);
  const ran = await through('start', '-a', name).catch((fault) => fault);
  say(`started again when its CA was over: ${tail(`${ran.stdout}${ran.stderr}`)}`);
  hold(/^[0-9a-f]{64}/.test(ran.stdout), `started again: ${tail(`${ran.stdout}${ran.stderr}`)}`);
}
