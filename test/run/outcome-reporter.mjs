// A reporter of vitest: writes what a run came to, as JSON, to the file that BERTHGATE_OUTCOME names.
import { writeFileSync } from 'node:fs';

export default class OutcomeReporter {
  onTestRunEnd(modules, unhandledErrors, reason) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state) => tests.filter((test) => test.result().state === state).length;
    const failures = modules.flatMap(failuresOf);
    const outcome = {
      passed: count('passed'),
      failed: Math.max(failures.length, reason === 'passed' ? 0 : 1),
      skipped: tests.length - count('passed') - count('failed'),
      tests: count('passed') + count('failed'),
      failures,
      passedFiles: modules.filter((module) => module.state() === 'passed').map(({ moduleId }) => moduleId),
      // Nobody knows which test an unhandled error is of; without `reason` a run that was ended would look whole.
      whole: unhandledErrors.length === 0 && reason !== 'interrupted',
    };
    writeFileSync(process.env.BERTHGATE_OUTCOME, JSON.stringify(outcome));
  }
}

function failuresOf(module) {
  const file = module.moduleId;
  const tests = [...module.children.allTests()];
  const failures = tests
    .filter((test) => test.result().state === 'failed')
    .map((test) => ({ file, name: test.fullName, message: messagesOf(test.result().errors) }));
  if (failures.length > 0 || module.ok()) return failures;
  // A hook, or the import: then there are no tests.
  const errors = [module, ...module.children.allSuites()].flatMap((one) => one.errors());
  return [{ file, name: file, message: messagesOf(errors), imported: tests.length > 0 }];
}

function messagesOf(errors) {
  return errors.map(({ stack, message }) => stack || message).join('\n');
}
