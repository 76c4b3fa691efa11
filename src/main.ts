#!/usr/bin/env node
/** Where the program begins. */

import './cli/node-version.ts';

import { commands } from './cli/commands.ts';
import { run } from './cli/program.ts';
import { realTerminal } from './cli/terminal.ts';

// Whoever reads our output may have read enough (`berthgate explain … | head`).
process.stdout.on('error', (fault: NodeJS.ErrnoException) => {
  if (fault.code === 'EPIPE') process.exit(0);
  throw fault;
});
const code = await run(process.argv.slice(2), commands, realTerminal);
// A stray timer or socket must not keep a process whose work is done; what was printed goes out first.
process.stdout.write('', () => process.exit(code));
