/** `berthgate audit`: what the audit says of a refusal or a call. */

import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { readConfiguration } from './configuration.ts';
import type { AddCommand } from './program.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
ID stands in the message of a refusal: "(refusal 7f3a09c1)". The id of a call (call in the audit) is taken too.
Files that were rotated away are looked through as well: FILE.1, FILE.2026-01-31, but none that is compressed.

Examples:
  berthgate audit show --config /etc/berthgate/berthgate.yaml 7f3a09c1
  berthgate audit show --file /var/log/berthgate/audit.jsonl 7f3a09c1 --json

Exit codes: 0 done, 1 there is no such entry, or no audit, 2 wrong usage.`;

interface ShowOptions {
  readonly config?: string;
  readonly file?: string;
  readonly json?: boolean;
}

export const audit: AddCommand = (program, terminal) => {
  const command = program
    .command('audit')
    .summary('show what was refused, and why')
    .description('Reads the audit that serve writes (log.audit).')
    .addHelpText('after', help);
  command
    .command('show')
    .summary('show the entries of a refusal')
    .description('Shows who was refused what, by which rule, for which field and value, and what can be done about it.')
    .argument('<id>', 'the id of the refusal', readId)
    .option('-c, --config <file>', 'the configuration that names the audit')
    .option('-f, --file <file>', 'the audit itself')
    .option('--json', 'print the entries as they are')
    .addHelpText('after', help)
    .action(async (id: string, options: ShowOptions) => {
      const file = await auditFile(options, terminal);
      const entries = await find(file, id);
      if (entries.length === 0) throw new CommandFailed(`berthgate: ${file} has no entry ${id}`);
      for (const entry of entries) terminal.out(options.json ? `${JSON.stringify(entry)}\n` : printEntry(entry));
    });
  for (const each of command.commands) each.copyInheritedSettings(program);
};

async function auditFile({ config, file }: ShowOptions, terminal: Terminal): Promise<string> {
  if (file !== undefined) return file;
  if (config === undefined) throw new CommandFailed('berthgate: say --config or --file');
  const named = (await readConfiguration(config, terminal)).config.log.audit;
  if (named === null) throw new CommandFailed(`berthgate: ${config} names no audit (log.audit)`);
  return named;
}

/** An entry as it was written; entries of other versions may lack what is asked for. */
type Entry = Readonly<Record<string, unknown>>;

async function find(file: string, id: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const path of await filesOf(file)) {
    for (const line of (await read(path)).split('\n')) {
      if (!line.includes(id)) continue;
      const entry = parse(line);
      if (entry !== null && (entry.refusal === id || entry.call === id)) found.push(entry);
    }
  }
  return found;
}

/** The file, and those that it was renamed to. */
async function filesOf(file: string): Promise<readonly string[]> {
  const rotated = (await readdir(dirname(file)).catch(() => [])).filter(
    (name) => name.startsWith(`${basename(file)}.`) && !/\.(gz|bz2|xz|zst)$/.test(name),
  );
  return [...rotated.sort().map((name) => join(dirname(file), name)), file];
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (fault) {
    throw new CommandFailed(`berthgate: ${(fault as Error).message}`);
  }
}

/** A line that was cut off by the end of a disk is no entry. */
function parse(line: string): Entry | null {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? (entry as Entry) : null;
  } catch {
    return null;
  }
}

function printEntry(entry: Entry): string {
  const { user, groups, by, claims } = entry;
  const rows: readonly (readonly [string, unknown])[] = [
    ['time', entry.time],
    ['decision', entry.decision],
    ['refusal', entry.refusal],
    ['user', user],
    ['groups', Array.isArray(groups) && groups.length > 0 ? groups.join(', ') : null],
    ['identified by', by],
    ['claims', isEmpty(claims) ? null : claims],
    ['namespace', entry.namespace],
    ['project', entry.project],
    ['listener', entry.listener],
    ['call', `${entry.method} ${entry.path} (${entry.endpoint})`],
    ['objects', printObjects(entry.objects)],
    ['policy', entry.policy],
    ['rule', entry.rule],
    ['field', entry.field],
    ['value', entry.value],
    ['message', entry.message],
    ['remedy', entry.remedy],
    ...printChanges(entry.changes),
  ];
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  return `${shown.map(([name, value]) => `${`${name}:`.padEnd(15)}${printValue(value)}`).join('\n')}\n\n`;
}

function printObjects(objects: unknown): string | null {
  if (!Array.isArray(objects) || objects.length === 0) return null;
  return objects.map(({ kind, name }: Entry) => `${kind} ${printValue(name)}`).join(', ');
}

function printChanges(changes: unknown): readonly (readonly [string, unknown])[] {
  if (!Array.isArray(changes)) return [];
  return changes.map(({ field, from, to }: Entry) => [
    'changed',
    `${field}: ${JSON.stringify(from)} to ${JSON.stringify(to)}`,
  ]);
}

/** Texts of clients could command the terminal: what is not plain is quoted. */
function printValue(value: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  const commands = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(commands, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}

function readId(text: string): string {
  if (!/^[0-9a-f]{4,64}$/.test(text)) throw new InvalidArgumentError('It must be the id of a refusal, as 7f3a09c1.');
  return text;
}
