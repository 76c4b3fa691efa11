// `docker build` of a large context: through Berthgate and at the engine's own socket, in turns, on a real engine.
//
//   node bench/build-context.mjs [--quick] [--rounds 5] [--mib 1024] [--work large,small] [--builder buildkit,classic]
//                                [--only direct,berthgate,berthgate-guarded,berthgate-namespace] [--json FILE]
//                                [--engine-name 28.5-bench | --engine unix:///run/docker.sock]
//
// `large` is a context of files of 16 MiB, `small` one of files of 16 KiB. `berthgate` is a listener without policies,
// `-guarded` one with `conservative` and `limits`, `-namespace` one with a namespace. The build copies everything into an image;
// what it leaves is removed each time, so nobody else may use the engine. Needs docker, with buildx for `buildkit`.

import { execFile, execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { berthgate, berthgateGuarded, direct } from './harness/contenders.mjs';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { freePort } from './harness/processes.mjs';
import { needPrograms } from './harness/programs.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio, takeTurns } from './harness/rounds.mjs';
import { pidOfSocket, socketOf } from './harness/stage.mjs';
import { dropKept } from './jobs/holdings.mjs';

const FILE_KIB = { large: 16 * 1024, small: 16 };
const FILES_A_FOLDER = 1000;

const options = readOptions(import.meta.url, {
  engine: { type: 'string' },
  'engine-name': { type: 'string', default: '28.5-bench' },
  mib: { type: 'string' },
  work: { type: 'string', default: 'large,small' },
  builder: { type: 'string', default: 'buildkit' },
  only: { type: 'string', default: 'direct,berthgate,berthgate-guarded,berthgate-namespace' },
});
const mib = Number(options.mib ?? (options.quick ? 256 : 1024));
const run = promisify(execFile);
needPrograms('docker');
const report = new Report('build-context');
const socket = socketOf(options.engine ?? (await startEngine(options['engine-name'])));
const dockerConfig = makeDockerConfig();
const contenders = [];
for (const name of options.only.split(',')) contenders.push(await start(name));
try {
  for (const work of options.work.split(',')) {
    const context = makeContext(work);
    for (const builder of options.builder.split(',')) await compare(work, builder, context);
  }
} finally {
  for (const one of contenders) await one.stop();
}
report.finish(options.json);
process.exit(0);

async function compare(work, builder, context) {
  const figures = await takeTurns(contenders, options.rounds, (one) => build(one, builder, context));
  report.table(
    `build of ${mib} MiB in files of ${FILE_KIB[work]} KiB, ${builder}`,
    [
      { key: 'seconds', title: 's' },
      { key: 'rate', title: 'MB/s', digits: 0 },
      { key: 'cpu', title: 'CPU s' },
      { key: 'ofDirect', title: 'speed of direct' },
    ],
    contenders.map(({ name }) => ({
      name,
      figures: { ...medians(figures.get(name)), ofDirect: ratio(figures, name, 'direct', 'rate') },
    })),
  );
  for (const { name } of contenders) {
    if (name === 'direct' || !figures.has('direct')) continue;
    const value = ratio(figures, name, 'direct', 'rate');
    report.aim(`${builder}, files of ${FILE_KIB[work]} KiB: ${name}, of the direct speed`, value, { atLeast: 0.9 });
  }
}

async function build(one, builder, context) {
  const tag = `bench-context:${one.name}`;
  // What the round before has left to be written would be paid by this one.
  execFileSync('sync');
  const before = one.cpu();
  const from = performance.now();
  await docker(one.unix, ['build', '--no-cache', '--quiet', '--tag', tag, context], builder);
  const seconds = (performance.now() - from) / 1000;
  const cpu = one.cpu() - before;
  await docker(one.unix, ['rmi', '--force', tag], builder);
  await dropKept(socket);
  await callEngine(socket, 'POST', '/v1.41/build/prune?all=1');
  return { seconds, rate: (mib * 2 ** 20) / 1e6 / seconds, cpu };
}

function docker(to, args, builder) {
  const env = {
    ...process.env,
    DOCKER_HOST: `unix://${to}`,
    DOCKER_CONFIG: dockerConfig,
    DOCKER_BUILDKIT: builder === 'classic' ? '0' : '1',
  };
  return run('docker', args, { env, timeout: 600_000 });
}

async function start(name) {
  const { folder, berthgate: main } = options;
  switch (name) {
    case 'direct':
      return direct(socket, pidOfSocket(socket));
    case 'berthgate':
      return berthgate(socket, folder, { main });
    case 'berthgate-guarded':
      return berthgateGuarded(socket, folder, { main });
    case 'berthgate-namespace': {
      const gateway = `127.0.0.1:${await freePort()}`;
      return berthgate(socket, folder, { main, name, policies: ['conservative'], namespace: 'bench-context', gateway });
    }
    default:
      throw new Error(`${name} is nobody here`);
  }
}

async function startEngine(name) {
  await run(fileURLToPath(new URL('../test/engines/engine', import.meta.url)), ['start', name]);
  return join(process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines', name, 'docker.sock');
}

/** With the plugins of this machine, or those of the newest tree of test/engines. */
function makeDockerConfig() {
  const folder = join(options.folder, 'docker-config');
  mkdirSync(folder);
  const trees = process.env.BERTHGATE_TREES ?? '/var/cache/berthgate-trees';
  const plugins = [join(trees, '28.5/usr/libexec/docker/cli-plugins'), join(homedir(), '.docker/cli-plugins')];
  const found = plugins.find(existsSync);
  if (found !== undefined) symlinkSync(found, join(folder, 'cli-plugins'));
  return folder;
}

/** Files whose contents nobody can make shorter. */
function makeContext(work) {
  const folder = join(options.folder, `context-${work}`);
  const bytes = Buffer.alloc(FILE_KIB[work] * 1024);
  const files = (mib * 1024) / FILE_KIB[work];
  for (let i = 0; i < files; i++) {
    const place = join(folder, `folder-${Math.floor(i / FILES_A_FOLDER)}`);
    if (i % FILES_A_FOLDER === 0) mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `file-${i}`), randomFillSync(bytes));
  }
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  return folder;
}
