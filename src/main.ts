#!/usr/bin/env node
/** Where the program begins. */

import { commands } from './cli/commands.ts';
import { run } from './cli/program.ts';
import { realTerminal } from './cli/terminal.ts';

const code = await run(process.argv.slice(2), commands, realTerminal);
// A stray timer or socket must not keep a process whose work is done; what was printed goes out first.
process.stdout.write('', () => process.exit(code));
