// Runs the tests of one project of vitest, and counts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runStep } from './steps.mjs';

/** More than a busy machine makes late. */
const MOST_AGAIN = 10;
const reporter = fileURLToPath(new URL('./outcome-reporter.mjs', import.meta.url));

/**
 * What fails is run once more, alone: a machine that others use can make a test late, and a fault fails again. Both are
 * told at the end. A crash, an unhandled error, a file that cannot be imported and a run that was ended stay failures.
 */
export async function runTests(project, filters, env, scratch, timeoutMs) {
  const first = await runOnce(project, filters, env, join(scratch, `${project}.json`), timeoutMs);
  const { failures } = first;
  const late =
    failures.length > 0 && failures.length <= MOST_AGAIN && failures.every(({ imported }) => imported !== false);
  if (!first.whole || !late) return first;
  const files = [...new Set(failures.map(({ file }) => file))];
  const again = await runOnce(project, files, env, join(scratch, `${project}-again.json`), timeoutMs);
  const ms = first.ms + again.ms;
  const passed = new Set(again.whole ? again.passedFiles : []);
  const stay = failures.filter(({ file }) => !passed.has(file));
  if (again.failed > 0 || stay.length > 0) return { ...first, ms, failures: again.failed > 0 ? again.failures : stay };
  return { ...first, ms, passed: first.passed + first.failed, failed: 0, failures: [], late: failures };
}

async function runOnce(project, filters, env, file, timeoutMs) {
  const args = [
    'vitest',
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    `--reporter=${reporter}`,
  ];
  const { code, ms } = await runStep('npx', [...args, ...filters], {
    env: { ...env, BERTHGATE_OUTCOME: file },
    timeoutMs,
  });
  const outcome = readOutcome(file);
  if (code !== 0 && outcome.failed === 0) {
    outcome.failed = 1;
    outcome.whole = false;
  }
  if (outcome.failed > 0 && outcome.failures.length === 0) {
    outcome.failures = [{ name: `${project} tests ended with exit code ${code}`, message: '' }];
  }
  return { name: `${project} tests`, ms, ...outcome };
}

function readOutcome(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // It did not come to its end.
    return { passed: 0, failed: 1, failures: [], passedFiles: [], whole: false };
  }
}
