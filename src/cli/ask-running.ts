/** What the commands about a running server have alike: where it is asked, and what a refusal of it becomes. */

import type { Command } from 'commander';
import { type AdminAnswer, askAdmin } from './ask-admin.ts';
import { readConfiguration } from './configuration.ts';
import { plain } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

export const DEFAULT_SOCKET = '/run/berthgate/admin.sock';

/** As the options of a command say it. */
export interface RunningServer {
  readonly config?: string;
  readonly socket?: string;
}

export interface AskingOptions extends RunningServer {
  readonly json?: true;
}

/** Makes subcommands that ask it, each with the help of all. */
export function askingOf(command: Command, help: string) {
  return (name: string, summary: string, description: string): Command =>
    command
      .command(name)
      .summary(summary)
      .description(description)
      .option('-c, --config <file>', 'the configuration that names the admin socket')
      .option('-s, --socket <path>', `the admin socket itself (default: ${DEFAULT_SOCKET})`)
      .option('--json', 'print JSON')
      .addHelpText('after', help);
}

/** @throws CommandFailed where it is not there, or answers with anything but 200 */
export async function askRunning(
  server: RunningServer,
  terminal: Terminal,
  method: string,
  path: string,
): Promise<AdminAnswer> {
  const answer = await askAdmin(await socketOf(server, terminal), method, path);
  if (answer.status === 200) return answer;
  const text = await answer.body.text();
  throw new CommandFailed(`berthgate: ${messageOf(text) ?? `the server answered ${answer.status}`}`);
}

async function socketOf({ config, socket }: RunningServer, terminal: Terminal): Promise<string> {
  if (socket !== undefined) return socket;
  if (config === undefined) return DEFAULT_SOCKET;
  const { url } = (await readConfiguration(config, terminal)).config.admin;
  if (url?.kind !== 'unix') throw new CommandFailed(`berthgate: ${config} names no admin socket (admin.url: unix://…)`);
  return url.path;
}

function messageOf(text: string): string | null {
  try {
    const said = JSON.parse(text) as { readonly message?: unknown };
    return typeof said.message === 'string' ? plain(said.message) : null;
  } catch {
    return null;
  }
}
