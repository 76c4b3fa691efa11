/** `berthgate init`: a commented configuration for this machine. */

import { writeFile } from 'node:fs/promises';
import { initConfig, lookAtMachine } from '../operate/config/index.ts';
import type { AddCommand } from './program.ts';
import { CommandFailed } from './terminal.ts';

const help = `
The engine is that of DOCKER_HOST, or the first usual socket that is there. No engine is asked anything.

Examples:
  berthgate init
  berthgate init --write /etc/berthgate/berthgate.yaml

Exit codes: 0 done, 1 the file is there already or cannot be written, 2 wrong usage.`;

export const init: AddCommand = (program, terminal) => {
  program
    .command('init')
    .summary('write a commented configuration')
    .description('Writes a commented configuration for this machine to standard output, or to a new file.')
    .option('-w, --write <file>', 'write it to this file, which must not be there yet')
    .addHelpText('after', help)
    .action(async ({ write }: { write?: string }) => {
      const text = initConfig(await lookAtMachine(terminal.env, terminal.uid));
      if (write === undefined) {
        terminal.out(text);
        return;
      }
      try {
        await writeFile(write, text, { flag: 'wx', mode: 0o644 });
      } catch (fault) {
        throw new CommandFailed(`${write}: ${(fault as Error).message}`);
      }
      terminal.out(`${write}: written; next: berthgate check --config ${write}\n`);
    });
};
