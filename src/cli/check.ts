/** `berthgate check`: every fault of a configuration at once, and what of it does nothing yet. */

import { withoutEffect } from '../operate/config/index.ts';
import { printNote, readConfiguration, reasonsNotToServe } from './configuration.ts';
import { implementedFor } from './kinds.ts';
import type { AddCommand } from './program.ts';

const help = `
Faults are written as FILE:LINE:COL: PLACE: MESSAGE to standard error, so that editors jump to them. Settings that are
read but have no effect yet, and those that serve refuses to start with, are noted on standard output.

Example:
  berthgate check --config /etc/berthgate/berthgate.yaml

Exit codes: 0 the configuration is valid, 1 it is not, 2 wrong usage.`;

export const check: AddCommand = (program, terminal) => {
  program
    .command('check')
    .summary('validate a configuration')
    .description('Validates a configuration and says every fault with its place.')
    .requiredOption('-c, --config <file>', 'the configuration, YAML')
    .addHelpText('after', help)
    .action(async ({ config }: { config: string }) => {
      const loaded = await readConfiguration(config, terminal);
      for (const note of withoutEffect(loaded, implementedFor(loaded))) terminal.out(`${printNote(loaded, note)}\n`);
      for (const reason of reasonsNotToServe(loaded)) terminal.out(`${reason}\n`);
      terminal.out(`${config}: valid\n`);
    });
};
