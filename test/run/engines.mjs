// Which real engines this machine can give to the tests, and their life around one test run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { runStep } from './steps.mjs';

const folder = fileURLToPath(new URL('../engines/', import.meta.url));
const runFolder = process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines';
const minute = 60_000;

/**
 * `up()` resolves with {env, leftOut, results}: the environment for tests with engines, or null where there is none; what
 * is left out; and what the steps say. `down()` undoes it and says how that went.
 */
export function findEngines() {
  const root = process.platform === 'linux' && process.getuid() === 0;
  return root && existsSync('/usr/bin/apt-get') ? ownEngines() : foreignEngine();
}

/** The three generations, installed and started by test/engines. */
function ownEngines() {
  const wanted = process.env.BERTHGATE_TEST_ENGINES?.split(/[\s,]+/) ?? ['20.10', '26.1', '28.5'];
  let before = [];
  let lock;
  let isUp;
  async function bringUp() {
    before = await runningEngines();
    lock = takeLock();
    const prepared = await step('prepare engines', ['prepare'], 30 * minute);
    if (prepared.failed) return { env: null, leftOut: 'tests with engines: not prepared', results: [prepared] };
    const started = await step('start engines', ['engine', 'start', ...wanted], 5 * minute);
    if (started.failed) return { env: null, leftOut: 'tests with engines: not started', results: [prepared, started] };
    return { env: { BERTHGATE_TEST_ENGINES: wanted.join(',') }, results: [prepared, started] };
  }
  return {
    up() {
      isUp = bringUp();
      return isUp;
    },
    async down() {
      await isUp;
      await release(lock);
      const ours = (await runningEngines()).filter((name) => !before.includes(name));
      if (ours.length === 0) return undefined;
      // Another test run may have found our engines running and uses them: then they are not ours alone to stop.
      const alone = ['flock', '--nonblock', '--conflict-exit-code', '0', lockFile()];
      return step('stop engines', ['engine', 'stop', ...ours], 5 * minute, alone);
    },
  };
}

function lockFile() {
  mkdirSync(runFolder, { recursive: true });
  return `${runFolder}/.in-use`;
}

/** A process that holds the lock, shared, as long as it lives: until the end of this run, however that comes. */
function takeLock() {
  const command = 'exec setpriv --pdeathsig KILL flock --shared --no-fork "$0" sleep 3h';
  const holder = spawn('/bin/sh', ['-c', command, lockFile()], { stdio: 'ignore', detached: true });
  holder.unref();
  return holder.on('error', () => {});
}

async function release(holder) {
  if (holder === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
  const ended = once(holder, 'exit', { signal: AbortSignal.timeout(5000) });
  holder.ref();
  holder.kill('SIGKILL');
  await ended;
}

async function runningEngines() {
  const { output } = await runStep(`${folder}engine`, ['list'], { timeoutMs: minute, quiet: true });
  return [...output.matchAll(/^(\S+) running /gm)].map(([, name]) => name);
}

async function step(name, [script, ...args], timeoutMs, wrapper = []) {
  const [program, ...rest] = [...wrapper, `${folder}${script}`, ...args];
  const { code, output, ms } = await runStep(program, rest, { timeoutMs, quiet: true });
  console.log(output.trimEnd());
  if (code !== 0) console.log(`> ${name} failed (exit ${code})`);
  return { name, ms, ...(code === 0 ? { passed: 1 } : { failed: 1 }) };
}

/** The engine that is there, when we may not install any. */
function foreignEngine() {
  const host = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  const why = 'engines 20.10, 26.1 and 28.5: they need root and apt';
  return {
    async up() {
      const missing = await whatIsMissing(host);
      if (missing !== undefined) return { env: null, leftOut: `tests with engines (${missing}), and ${why}` };
      return { env: { BERTHGATE_TEST_ENGINES: JSON.stringify([{ name: 'local', host }]) }, leftOut: why };
    },
    async down() {
      return undefined;
    },
  };
}

/** Why the engine at `host` cannot be tested with; undefined when it can. The fixture image is pulled if need be. */
async function whatIsMissing(host) {
  if (!/^(unix|tcp):/.test(host)) return `${host} is neither unix:// nor tcp://`;
  try {
    if ((await ask(host, 'GET', '/_ping', 10_000)) !== 200) return `${host} does not answer`;
    if ((await ask(host, 'GET', '/images/busybox:latest/json', 10_000)) === 200) return undefined;
    await ask(host, 'POST', '/images/create?fromImage=busybox&tag=latest', 2 * minute);
    const found = (await ask(host, 'GET', '/images/busybox:latest/json', 10_000)) === 200;
    return found ? undefined : `${host} has no image busybox:latest, and cannot pull it`;
  } catch (error) {
    return `${host}: ${error.message}`;
  }
}

function ask(host, method, path, timeoutMs) {
  const url = new URL(host);
  const where = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port };
  return new Promise((resolve, reject) => {
    const call = request({ ...where, method, path, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      answer.on('error', reject);
      answer.on('end', () => resolve(answer.statusCode));
      answer.resume();
    });
    call.on('error', reject);
    call.end();
  });
}
