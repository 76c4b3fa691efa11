/** `berthgate explain`: what would happen to a call, and by which rule. */

import type { Command } from 'commander';
import type { ApiVersion } from '../../docker/shape.ts';
import { newestVersion, oldestVersion } from '../../docker/table.ts';
import { minorOf } from '../../docker/target.ts';
import { type Circumstances, explainCall, plain, plainRefusal } from '../../exchange/explain-call.ts';
import { printJson } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { AddCommand } from '../program.ts';
import { CommandFailed, type Terminal } from '../terminal.ts';
import { askDocker } from './ask-docker.ts';
import { circumstancesOf, type Standing } from './circumstances.ts';
import { printExplanation, printRefusal } from './print.ts';

const help = `
METHOD and PATH are those of the call, with or without the version: GET "/v1.51/containers/json?all=1". A docker command
line behind -- is run against this command itself: each of its calls is explained, none reaches an engine.

With --config and --listener the policies of that listener judge the call, for the user and groups that are given, and its
namespace gives it the engine's names, ports and addresses. What the call refers to is looked up at the listener's engine,
which is told to do nothing. Where the configuration has gc, a call that fills the engine's disk is told how full that is.

Examples:
  berthgate explain GET /info
  berthgate explain POST "/containers/create?name=web" --data '{"Image": "busybox", "HostConfig": {"Binds": ["/etc:/e"]}}'
  berthgate explain --config berthgate.yaml --listener people --user alice -- docker run --privileged busybox

Exit codes: 0 it would be sent, 1 it would be refused, 2 wrong usage.`;

interface ExplainOptions extends Standing {
  readonly data?: string;
  readonly api?: string;
  readonly json?: true;
}

export const explain: AddCommand = (program, terminal) => {
  program
    .command('explain')
    .summary('tell what would happen to a call')
    .description('Tells what the table knows of a call, what the policies decide, and what an engine would be sent.')
    .argument('[method-or-command...]', 'METHOD PATH, or behind --: a docker command line')
    .option('-d, --data <json>', 'the JSON body of the call')
    .option('-c, --config <file>', 'a configuration, YAML')
    .option('-l, --listener <name>', 'one of its listeners; the first where none is given')
    .option('-u, --user <name>', 'who asks', 'nobody')
    .option('-g, --group <name...>', 'the groups of who asks')
    .option('--api <version>', 'the newest API version of the engine, e.g. 1.51; default: what the engine says')
    .option('--json', 'print JSON, one document a call')
    .addHelpText('after', help)
    .action((words: readonly string[], options: ExplainOptions, command: Command) =>
      runExplain(words, options, command, terminal),
    );
};

async function runExplain(
  words: readonly string[],
  options: ExplainOptions,
  command: Command,
  terminal: Terminal,
): Promise<void> {
  const [method, target, ...rest] = words;
  if (method === undefined || target === undefined)
    command.error('berthgate: say METHOD PATH, or -- docker …', { exitCode: 2 });
  const standing = await circumstancesOf(options, terminal);
  const circumstances = { ...standing, api: apiOf(options.api, standing.api) };
  try {
    if (/^[A-Z]+$/.test(method) && target.startsWith('/') && rest.length === 0) {
      await explainOne(method, target, options, circumstances, terminal);
    } else {
      await explainCommand(words, options, circumstances, terminal);
    }
  } finally {
    standing.close();
  }
}

async function explainOne(
  method: string,
  target: string,
  options: ExplainOptions,
  circumstances: Circumstances,
  terminal: Terminal,
): Promise<void> {
  try {
    const explanation = await explainCall({ method, target, data: options.data ?? null }, circumstances);
    terminal.out(options.json === true ? `${printJson(plain(explanation))}\n` : printExplanation(explanation));
    if (explanation.refusal !== null) throw new CommandFailed('berthgate: the call would be refused');
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    tellRefusal(fault, options, terminal);
    throw new CommandFailed('berthgate: the call would be refused');
  }
}

async function explainCommand(
  command: readonly string[],
  options: ExplainOptions,
  circumstances: Circumstances,
  terminal: Terminal,
): Promise<void> {
  let refused = 0;
  await askDocker(command, terminal.env, circumstances, (method, target, told) => {
    if (options.json !== true) terminal.out(`\n${method} ${target}\n`);
    if (told instanceof Error) {
      refused++;
      if (told instanceof Refusal) tellRefusal(told, options, terminal);
      return;
    }
    if (told.refusal !== null) refused++;
    terminal.out(options.json === true ? `${printJson(plain(told))}\n` : printExplanation(told));
  });
  if (refused > 0) throw new CommandFailed(`berthgate: ${refused} of the calls would be refused`);
}

function tellRefusal(refusal: Refusal, options: ExplainOptions, terminal: Terminal): void {
  const printed =
    options.json === true ? printJson({ refusal: plainRefusal(refusal) }) : printRefusal(refusal).join('\n');
  terminal.out(`${printed}\n`);
}

function apiOf(written: string | undefined, engine: Circumstances['api'] | null): Circumstances['api'] {
  if (written === undefined && engine !== null) return engine;
  if (written !== undefined && !/^1\.[0-9]{1,3}$/.test(written)) throw new CommandFailed('berthgate: --api is 1.NN');
  return { oldest: minorOf(oldestVersion), newest: minorOf((written as ApiVersion | undefined) ?? newestVersion) };
}
