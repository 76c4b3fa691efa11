// The options of a benchmark, and the folder that it works in.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { berthgateMain } from './contenders.mjs';

const COMMON = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  json: { type: 'string' },
  berthgate: { type: 'string', default: berthgateMain },
  help: { type: 'boolean', default: false },
};

/**
 * The options of `bench/NAME.mjs`; `--help` prints the comment at the head of that file. `folder` is removed when the
 * process ends.
 */
export function readOptions(url, own = {}) {
  const file = fileURLToPath(url);
  const { values } = parseArgs({ options: { ...COMMON, ...own }, allowNegative: true });
  if (values.help) {
    console.log(headOf(file));
    process.exit(0);
  }
  const rounds = values.rounds === undefined ? (values.quick ? 1 : 5) : Number(values.rounds);
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { ...values, rounds, folder };
}

function headOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join('\n');
}
