import { relative } from 'node:path';

// Adds up what the steps of a test run say, and prints it: durations, what was left out, and the last line.
export class Report {
  #lines = [];
  #leftOut = [];

  /**
   * {name, ms, passed, failed, skipped, tests, failures, late}; `tests` counts those that ran and are tests, not checks;
   * `late` are failures that did not come again when they were run alone.
   */
  add(line) {
    if (line !== undefined) this.#lines.push(line);
  }

  leaveOut(what) {
    this.#leftOut.push(what);
  }

  /** Returns the exit code. */
  print() {
    const sum = (key) => this.#lines.reduce((total, line) => total + (line[key] ?? 0), 0);
    const width = Math.max(...this.#lines.map(({ name }) => name.length));
    for (const { failures = [], late = [] } of this.#lines) {
      for (const failure of failures) tell('FAILED', failure);
      for (const failure of late) tell('failed, then passed alone', failure);
    }
    console.log('');
    for (const { name, ms, passed, failed, skipped } of this.#lines) {
      const counts = [passed && `${passed} passed`, failed && `${failed} FAILED`, skipped && `${skipped} skipped`];
      console.log(
        `  ${name.padEnd(width)}  ${(ms / 1000).toFixed(1).padStart(6)} s  ${counts.filter(Boolean).join(', ')}`,
      );
    }
    for (const what of this.#leftOut) console.log(`  left out: ${what}`);
    const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];
    const nothing = sum('tests') === 0;
    if (nothing) console.log('  no test ran: that is a failure');
    const failures = failed + (nothing && failed === 0 ? 1 : 0);
    console.log(`\n${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failures > 0 ? 1 : 0;
  }
}

const MESSAGE_LINES = 12;

function tell(what, { file, name, message }) {
  const lines = message.split('\n').slice(0, MESSAGE_LINES);
  console.log([`\n${what}: ${name}${file === undefined ? '' : ` (${relative('.', file)})`}`, ...lines].join('\n    '));
}
