/** `berthgate namespaces`: what the namespaces of a running server have, and the end of one. */

import { InvalidArgumentError } from 'commander';
import type { NamespaceSummary, NamespaceThing } from '../operate/admin/namespaces-api.ts';
import { isNamespace } from '../rules/namespaces/index.ts';
import { askingOf, askRunning, type AskingOptions as Options } from './ask-running.ts';
import { followRemoval } from './follow-removal.ts';
import type { AddCommand } from './program.ts';
import { printTable } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
Asks the server that runs, over its admin socket (admin.url), which only its own user and root can open.

rm stops and removes every container, network and volume of the namespace, volumes without a name included, and every
name of an image that it has; layers that nobody else has go with the last name. Meanwhile the namespace takes no call
that changes anything. It waits for an engine that is down. Interrupted, or when the server was killed, it is run again and
goes on with what is left.

Examples:
  berthgate namespaces list --config /etc/berthgate/berthgate.yaml
  berthgate namespaces show alice --json
  berthgate namespaces rm alice --yes

Exit codes: 0 done, 1 it failed, or something is left, 2 wrong usage.`;

interface RemoveOptions extends Options {
  readonly yes?: true;
}

export const namespaces: AddCommand = (program, terminal) => {
  const command = program
    .command('namespaces')
    .summary('list, show and remove namespaces')
    .description('Lists, shows and removes the namespaces of a running server.')
    .addHelpText('after', help);
  const asking = askingOf(command, help);
  asking('list', 'list all namespaces', 'Lists the namespaces that have anything, with how much.').action(
    async (options: Options) => {
      const { body } = await askRunning(options, terminal, 'GET', '/api/namespaces');
      const listed = JSON.parse(await body.text()) as { readonly namespaces: readonly NamespaceSummary[] };
      terminal.out(options.json ? `${JSON.stringify(listed.namespaces)}\n` : printList(listed.namespaces));
    },
  );
  asking(
    'show',
    'show what a namespace has',
    'Shows what a namespace has, by the names of its clients and of the engine.',
  )
    .argument('<name>', 'the namespace', readName)
    .action(async (name: string, options: Options) => {
      const { body } = await askRunning(options, terminal, 'GET', `/api/namespaces/${name}`);
      const shown = JSON.parse(await body.text()) as { readonly things: readonly NamespaceThing[] };
      terminal.out(options.json ? `${JSON.stringify(shown.things)}\n` : printThings(shown.things));
    });
  asking('rm', 'remove everything of a namespace', 'Stops and removes everything that a namespace has.')
    .argument('<name>', 'the namespace', readName)
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: RemoveOptions) => {
      if (options.yes !== true) await confirm(name, terminal);
      const { body } = await askRunning(options, terminal, 'DELETE', `/api/namespaces/${name}`);
      await followRemoval(body.lines(), name, options.json === true, terminal);
    });
  for (const each of command.commands) each.copyInheritedSettings(program);
};

async function confirm(name: string, terminal: Terminal): Promise<void> {
  const answer = await terminal.ask?.(`Remove every container, network, volume and image of ${name}? [y/N] `);
  if (answer === undefined || answer === null)
    throw new CommandFailed('berthgate: say --yes where nobody can be asked');
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailed('berthgate: nothing was removed');
}

function printList(all: readonly NamespaceSummary[]): string {
  const rows = all.map(({ namespace, engine, containers, networks, volumes, images, lastUse }) => [
    namespace,
    engine,
    `${containers.running}/${containers.total}`,
    String(networks),
    String(volumes),
    String(images),
    lastUse ?? '-',
  ]);
  return printTable(['NAMESPACE', 'ENGINE', 'RUNNING', 'NETWORKS', 'VOLUMES', 'IMAGES', 'LAST USE'], rows);
}

function printThings(things: readonly NamespaceThing[]): string {
  const rows = things.map(({ kind, name, engine, state, id }) => [kind, name, engine, state ?? '-', id]);
  return printTable(['KIND', 'NAME', 'ENGINE', 'STATE', 'ID'], rows);
}

function readName(text: string): string {
  if (!isNamespace(text)) throw new InvalidArgumentError('It must be a namespace, as alice or ci-web.');
  return text;
}
