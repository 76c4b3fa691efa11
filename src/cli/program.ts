/** The command line: every command in its place, and exit codes: 0 done, 1 it failed, 2 wrong usage. */

import { Command, CommanderError } from 'commander';
import { CommandEnded, CommandFailed, type Terminal } from './terminal.ts';
import { version } from './version.ts';

/** Adds one command with its options, its help and what it does. */
export type AddCommand = (program: Command, terminal: Terminal) => void;

const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

const about = `A reverse proxy for the Docker Engine API: many people and CI jobs share Docker engines safely and fast.`;

const help = `
Examples:
  berthgate init > berthgate.yaml
  berthgate check --config berthgate.yaml
  berthgate serve --config berthgate.yaml
  berthgate run -- docker compose up
  DOCKER_HOST=unix:///run/berthgate/docker.sock docker ps

Exit codes: 0 done, 1 it failed, 2 wrong usage; of run, those of its command.`;

/** `args` without the names of the program. Gives the exit code. */
export async function run(
  args: readonly string[],
  commands: readonly AddCommand[],
  terminal: Terminal,
): Promise<number> {
  const program = new Command('berthgate')
    .description(about)
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .enablePositionalOptions()
    .showHelpAfterError('(berthgate --help tells more)')
    .addHelpText('after', help)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) });
  for (const add of commands) add(program, terminal);
  for (const command of program.commands) command.copyInheritedSettings(program);
  if (args.length === 0) {
    terminal.err(program.helpInformation());
    return WRONG_USAGE;
  }
  const [first = ''] = args;
  const known = first.startsWith('-') || first === 'help' || program.commands.some((one) => one.name() === first);
  try {
    // Behind a command that is not there, commander takes --help for the program's own.
    await program.parseAsync(known ? [...args] : [first], { from: 'user' });
    return DONE;
  } catch (fault) {
    if (fault instanceof CommandEnded) return fault.exitCode;
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? DONE : WRONG_USAGE;
    if (!(fault instanceof CommandFailed)) throw fault;
    terminal.err(`${fault.message}\n`);
    return FAILED;
  }
}
