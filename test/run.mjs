// What `npm test` runs: brings the real engines up, builds and checks the house, runs every test, takes the engines down
// again, and ends with the line "N passed, N failed". `node test/run.mjs --help` tells the rest.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEngines } from './run/engines.mjs';
import { Report } from './run/report.mjs';
import { endAll, runStep } from './run/steps.mjs';

const help = `usage: node test/run.mjs [--fast] [--keep] [FILTER...]

  --fast    what needs nothing but Node: build, checks, unit tests
  --keep    leave the engines running at the end
  FILTER    only test files whose path contains it

As root on Debian, engines 20.10, 26.1 and 28.5 are installed (once; see test/engines/prepare) and started. Elsewhere the
engine of DOCKER_HOST, or of the default socket, is used. Engines that ran before stay as they are.
BERTHGATE_TEST_ENGINES=20.10,28.5 takes only those.`;

const minute = 60_000;
/** More than a busy machine makes late. */
const MOST_AGAIN = 10;
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
    if (interrupted === undefined) report.add(await vitest('unit', filters, {}, scratch, 10 * minute));
    const { env, leftOut, results = [] } = await up;
    for (const result of results) report.add(result);
    if (leftOut !== undefined) report.leaveOut(leftOut);
    if (env !== null && interrupted === undefined) {
      report.add(await vitest('engines', filters, env, scratch, 60 * minute));
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

/**
 * What fails is run once more, alone: a machine that others use can make a test late, and a fault fails again. Both are
 * told at the end.
 */
async function vitest(project, filters, env, scratch, timeoutMs) {
  const first = await runVitest(project, filters, env, join(scratch, `${project}.json`), timeoutMs);
  const { failures } = first;
  if (failures.length === 0 || failures.length > MOST_AGAIN || failures.some(({ file }) => file === undefined))
    return first;
  const files = [...new Set(first.failures.map(({ file }) => file))];
  const again = await runVitest(project, files, env, join(scratch, `${project}-again.json`), timeoutMs);
  const stays = new Set(again.failures.map(({ name }) => name));
  return {
    ...first,
    ms: first.ms + again.ms,
    passed: first.passed + first.failed - again.failed,
    failed: again.failed,
    failures: again.failures,
    late: first.failures.filter(({ name }) => !stays.has(name)),
  };
}

async function runVitest(project, filters, env, file, timeoutMs) {
  const args = ['vitest', 'run', '--project', project, '--passWithNoTests', '--reporter=default', '--reporter=json'];
  const { code, ms } = await runStep('npx', [...args, `--outputFile.json=${file}`, ...filters], { env, timeoutMs });
  const counted = countTests(file);
  // An unhandled error, a file that cannot be imported or a crash fails the run without failing a test.
  if (code !== 0 && counted.failed === 0) counted.failed = 1;
  if (counted.failed > 0 && counted.failures.length === 0) {
    counted.failures = [{ name: `${project} tests ended with exit code ${code}`, message: '' }];
  }
  return { name: `${project} tests`, ms, ...counted };
}

function countTests(file) {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8'));
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = read;
    const failures = read.testResults.flatMap(failuresOf);
    return {
      passed: numPassedTests,
      // A file that cannot be imported has no tests.
      failed: Math.max(numFailedTests, failures.length),
      skipped: numPendingTests + numTodoTests,
      tests: numPassedTests + numFailedTests,
      failures,
    };
  } catch {
    return { passed: 0, failed: 1, failures: [] };
  }
}

function failuresOf({ name: file, status, message, assertionResults }) {
  const tests = assertionResults.filter((test) => test.status === 'failed');
  if (tests.length === 0) return status === 'failed' ? [{ file, name: file, message: message ?? '' }] : [];
  return tests.map(({ fullName, failureMessages }) => ({ file, name: fullName, message: failureMessages.join('\n') }));
}

process.exitCode = await main(process.argv.slice(2));
