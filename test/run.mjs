// What `npm test` runs: brings the real engines up, builds and checks the house, runs every test, takes the engines down
// again, and ends with the line "N passed, N failed". `node test/run.mjs --help` tells the rest.
import './run/node-version.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEngines } from './run/engines.mjs';
import { Report } from './run/report.mjs';
import { endAll, runStep } from './run/steps.mjs';
import { runTests } from './run/tests.mjs';

const help = `usage: node test/run.mjs [--fast] [--keep] [FILTER...]

  --fast    what needs nothing but Node: build, checks, unit tests
  --keep    leave the engines running at the end
  FILTER    only test files whose path contains it

As root on Debian, engines 20.10, 26.1 and 28.5 are installed (once; see test/engines/prepare) and started. Elsewhere the
engine of DOCKER_HOST, or of the default socket, is used. Engines that ran before stay as they are.
BERTHGATE_TEST_ENGINES=20.10,28.5 takes only those.`;

const minute = 60_000;
/** One passed or failed check each. */
const checks = ['build', 'typecheck', 'lint', 'unused'];

async function main(args) {
  const unknown = args.find((arg) => arg.startsWith('-') && !['--fast', '--keep', '--help'].includes(arg));
  if (args.includes('--help') || unknown !== undefined) {
    console.log(help);
    return unknown === undefined ? 0 : 2;
  }
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const filters = args.filter((arg) => !arg.startsWith('-'));
  const report = new Report();
  const scratch = mkdtempSync(join(tmpdir(), 'berthgate-run-'));
  const engines = args.includes('--fast') ? null : findEngines();
  // A signal ends every step that runs; their failures then lead here to the end as usual, engines down and all.
  let interrupted;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (interrupted !== undefined) process.exit(1);
      interrupted = signal;
      console.error(`\n${signal}: ending`);
      endAll();
    });
  }
  try {
    // The engines come up while the checks run.
    const up = engines?.up() ?? Promise.resolve({ env: null, leftOut: 'tests with engines: --fast' });
    for (const name of checks) {
      if (interrupted === undefined) report.add(await check(name));
    }
    if (interrupted === undefined) report.add(await runTests('unit', filters, {}, scratch, 10 * minute));
    const { env, leftOut, results = [] } = await up;
    for (const result of results) report.add(result);
    if (leftOut !== undefined) report.leaveOut(leftOut);
    if (env !== null && interrupted === undefined) {
      report.add(await runTests('engines', filters, env, scratch, 60 * minute));
    }
    if (interrupted !== undefined) report.add({ name: `ended by ${interrupted}`, ms: 0, failed: 1 });
  } catch (error) {
    console.error(error);
    report.add({ name: 'test/run.mjs itself', ms: 0, failed: 1 });
  } finally {
    if (!args.includes('--keep')) report.add(await engines?.down());
    rmSync(scratch, { recursive: true, force: true });
  }
  return report.print();
}

async function check(name) {
  console.log(`> npm run ${name}`);
  const { code, output, ms } = await runStep('npm', ['run', '--silent', name], { timeoutMs: 10 * minute, quiet: true });
  if (code !== 0) console.log(`${output.trimEnd()}\n> npm run ${name} failed (exit ${code})`);
  return { name, ms, ...(code === 0 ? { passed: 1 } : { failed: 1 }) };
}

process.exitCode = await main(process.argv.slice(2));
