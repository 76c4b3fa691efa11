/** `berthgate tokens`: adds, revokes and lists the bearer tokens in the file of the authenticator `token`. */

import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { changeFile } from '../front/identity/locked-file.ts';
import { isPlainName } from '../front/identity/plain-name.ts';
import { expired, makeToken, printRecord, readTokenFile, type TokenRecord } from '../front/identity/token-file.ts';
import { parseDuration } from '../ground/duration.ts';
import type { AddCommand } from './program.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
A running berthgate serve reads the file again within a second: nothing needs a restart.

Examples:
  berthgate tokens add --file /etc/berthgate/tokens --user alice --group ci --expires 90d
  berthgate tokens list --file /etc/berthgate/tokens
  berthgate tokens revoke --file /etc/berthgate/tokens 3f0a91c2d4e5

Exit codes: 0 done, 1 it failed, 2 wrong usage.`;

const fileOption = ['-f, --file <file>', 'the file of tokens, as the configuration names it'] as const;

interface AddOptions {
  readonly file: string;
  readonly user: string;
  readonly group?: readonly string[];
  readonly expires?: number;
  readonly note?: string;
  readonly json?: boolean;
}

export const tokens: AddCommand = (program, terminal) => {
  const command = program
    .command('tokens')
    .summary('add, revoke and list bearer tokens')
    .description('Keeps the file of bearer tokens that the authenticator `token` reads.')
    .addHelpText('after', help);

  child(command, 'add')
    .summary('add a token and print it')
    .description(
      'Adds a token. It is printed once, and only its SHA-256 is kept. Makes the file (mode 0600) if need be.',
    )
    .requiredOption(...fileOption)
    .requiredOption('-u, --user <name>', 'who the token speaks for', readName)
    .option('-g, --group <name>', 'a group of the user; may be given again', addName)
    .option(
      '-e, --expires <duration>',
      'for how long it is good, e.g. 12h or 90d; absent: until it is revoked',
      readSpan,
    )
    .option('-n, --note <text>', 'what it is for', readNote)
    .option('--json', 'print JSON')
    .action((options: AddOptions) => add(options, terminal));

  child(command, 'revoke')
    .summary('revoke a token')
    .description('Revokes a token by its id (as list shows it), or all of a user.')
    .argument('[id]', 'the id of the token')
    .requiredOption(...fileOption)
    .option('-u, --user <name>', 'all tokens of this user', readName)
    .option('--json', 'print JSON')
    .action((id: string | undefined, options: { file: string; user?: string; json?: boolean }, self: Command) => {
      if ((id === undefined) === (options.user === undefined)) self.error('error: give an id, or --user');
      return revoke(id, options, terminal);
    });

  child(command, 'list')
    .summary('list the tokens')
    .description('Lists the tokens: ids, users, groups and times. There is no way to show a token again.')
    .requiredOption(...fileOption)
    .option('--json', 'print JSON')
    .action((options: { file: string; json?: boolean }) => list(options, terminal));

  for (const each of command.commands) each.copyInheritedSettings(program);
};

function child(command: Command, name: string): Command {
  return command.command(name).addHelpText('after', help);
}

async function add(options: AddOptions, terminal: Terminal): Promise<void> {
  const { token, record } = makeToken({
    user: options.user,
    groups: [...(options.group ?? [])],
    ...(options.expires === undefined ? {} : { expires: new Date(Date.now() + options.expires).toISOString() }),
    ...(options.note === undefined ? {} : { note: options.note }),
  });
  await change(options.file, (before) => {
    const text = before.toString('utf8');
    return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${printRecord(record)}`;
  });
  if (options.json) terminal.out(`${JSON.stringify({ token, ...shown(record) })}\n`);
  else {
    terminal.out(`${token}\n`);
    terminal.err(`The token ${record.id} of ${record.user} is added. It is shown only now.\n`);
  }
}

async function revoke(
  id: string | undefined,
  { file, user, json }: { file: string; user?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const revoked: TokenRecord[] = [];
  await change(file, (before) => {
    const gone = readTokenFile(before).records.filter((record) => record.id === id || record.user === user);
    if (gone.length === 0) {
      throw new CommandFailed(id === undefined ? `${user} has no token in ${file}` : `${file} has no token ${id}`);
    }
    revoked.push(...gone);
    const hashes = new Set(gone.map(({ sha256 }) => sha256));
    // Line by line, so that comments stay.
    const lines = before.toString('utf8').split('\n');
    return lines.filter((line) => !line.startsWith('{') || !hashes.has(hashIn(line))).join('\n');
  });
  if (json) terminal.out(`${JSON.stringify(revoked.map(shown))}\n`);
  else for (const record of revoked) terminal.out(`revoked ${record.id} of ${record.user}\n`);
}

function hashIn(line: string): string {
  return (JSON.parse(line) as { sha256: string }).sha256;
}

async function list({ file, json }: { file: string; json?: boolean }, terminal: Terminal): Promise<void> {
  const { records } = await failing(file, async () => readTokenFile(await readFile(file)));
  if (json) {
    terminal.out(`${JSON.stringify(records.map(shown))}\n`);
    return;
  }
  const now = Date.now();
  const rows = records.map((record) => [
    record.id,
    record.user,
    record.groups.join(','),
    record.expires === undefined ? 'never' : `${record.expires}${expired(record, now) ? ' (expired)' : ''}`,
    record.note ?? '',
  ]);
  printTable([['ID', 'USER', 'GROUPS', 'EXPIRES', 'NOTE'], ...rows], terminal);
}

function printTable(rows: readonly (readonly string[])[], terminal: Terminal): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => cell.padEnd(widths[column]!));
    terminal.out(`${cells.join('  ').trimEnd()}\n`);
  }
}

/** Hashes are no secret, but of no use to a reader either. */
function shown({ sha256: _, ...facts }: TokenRecord): Omit<TokenRecord, 'sha256'> {
  return facts;
}

/** What comes out is read before it is written: a file that serve would not take is never made. */
function change(file: string, edit: (before: Buffer) => string): Promise<void> {
  return failing(file, () =>
    changeFile(file, (before) => {
      readTokenFile(before);
      const after = edit(before);
      readTokenFile(Buffer.from(after));
      return after;
    }),
  );
}

async function failing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof CommandFailed) throw fault;
    throw new CommandFailed(`${file}: ${(fault as Error).message}`, { cause: fault });
  }
}

function readName(text: string): string {
  if (!isPlainName(text)) throw new InvalidArgumentError('It must be a name without control characters.');
  return text;
}

function addName(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, readName(text)];
}

function readNote(text: string): string {
  if (!isPlainName(text)) throw new InvalidArgumentError('It must be one line of at most 256 characters.');
  return text;
}

function readSpan(text: string): number {
  const ms = parseDuration(text);
  // Dates end at 8.64e15 ms; nobody means more than a hundred years.
  if (ms === undefined || ms === 0 || ms > 36_500 * 86_400_000) {
    throw new InvalidArgumentError('It must be a duration such as 12h or 90d.');
  }
  return ms;
}
