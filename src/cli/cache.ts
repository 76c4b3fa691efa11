/** `berthgate cache`: what the caches of a running server keep, and its upkeep. */

import type {
  CachedRecord,
  CacheFacts,
  CollectedFacts,
  ImageFacts,
  PurgeLine,
  VerifyLine,
} from '../operate/admin/cache-api.ts';
import { askingOf, askRunning, type AskingOptions as Options } from './ask-running.ts';
import { listImages, ownPlatform, warmImages } from './cache-images.ts';
import { printSize } from './print-size.ts';
import type { AddCommand } from './program.ts';
import { plain, printTable } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
Asks the server that runs, over its admin socket (admin.url), which only its own user and root can open.

A key begins with what kind of thing it is: "http:" for what containers have fetched, "manifest:" and "blob:" for images.
PREFIX is the beginning of keys, as ls shows them.

stats    how much is kept, of which kind, what went to make room, and what could not be kept; what registries were spared,
         and how many more pulls they give, as they said last
ls       every record: its key, size and last use; --json has one object a line, with the digest too
         ls --images lists images by the tags that they were asked for, with how much of them is there
warm     pulls images ahead, as a client without credentials would
rm       removes what is kept under one key, all variants
purge    removes all records whose keys begin with PREFIX, or everything
verify   reads every body and record again; what is not what it should be is removed, with what names it, and told
gc       removes what nobody names and what killed processes have left half written, counts anew, and makes room

What is being read stays readable for its readers. Progress goes to standard error. The server does its upkeep by itself
once an hour; interrupting a command ends purge and verify where they are.

Examples:
  berthgate cache stats --config /etc/berthgate/berthgate.yaml
  berthgate cache ls http: --json
  berthgate cache purge http: --yes
  berthgate cache warm debian:12 ghcr.io/org/tool:v1 --platform linux/amd64
  berthgate cache verify

Exit codes: 0 done, 1 it failed, or verify has found something, 2 wrong usage.`;

const TELL_EVERY_MS = 1000;

type Facts = CacheFacts & { readonly images: ImageFacts };

interface ListOptions extends Options {
  readonly images?: true;
}

interface WarmOptions extends Options {
  readonly platform: string;
}

interface PurgeOptions extends Options {
  readonly yes?: true;
}

export const cache: AddCommand = (program, terminal) => {
  const command = program
    .command('cache')
    .summary('show and tidy what is cached')
    .description('Shows, removes and verifies what the caches of a running server keep.')
    .addHelpText('after', help);
  const asking = askingOf(command, help);
  asking('stats', 'how much is kept', 'Shows how much is kept, and what happened to it.').action(
    async (options: Options) => {
      const { body } = await askRunning(options, terminal, 'GET', '/api/cache');
      const facts = JSON.parse(await body.text()) as Facts;
      terminal.out(options.json ? `${JSON.stringify(facts)}\n` : printFacts(facts));
    },
  );
  asking('ls', 'list what is kept', 'Lists every record that is kept.')
    .argument('[prefix]', 'how the keys begin', '')
    .option('--images', 'list images instead, by the tags that they were asked for')
    .action(async (prefix: string, options: ListOptions) => {
      if (options.images === true) return listImages(options, options.json === true, terminal);
      const { body } = await askRunning(options, terminal, 'GET', `/api/cache/records?${query({ prefix })}`);
      for await (const line of body.lines()) terminal.out(options.json ? `${line}\n` : printRecord(line));
    });
  asking('warm', 'pull images ahead', 'Pulls images into the cache, as a client without credentials would.')
    .argument('<reference...>', 'the images, as docker pull names them')
    .option('--platform <platform>', 'os/architecture of an index, or all', ownPlatform())
    .action((references: string[], options: WarmOptions) =>
      warmImages(options, references, options.platform, options.json === true, terminal),
    );
  asking('rm', 'remove what is kept under a key', 'Removes what is kept under one key.')
    .argument('<key>', 'the key, as ls shows it')
    .action(async (key: string, options: Options) => {
      const { body } = await askRunning(options, terminal, 'DELETE', `/api/cache/records?${query({ key })}`);
      const text = await body.text();
      terminal.out(options.json ? text : `removed ${plain(key)}\n`);
    });
  asking('purge', 'remove many, or everything', 'Removes all records whose keys begin so, or everything.')
    .argument('[prefix]', 'how the keys begin', '')
    .option('-y, --yes', 'do not ask')
    .action(async (prefix: string, options: PurgeOptions) => {
      if (options.yes !== true) await confirm(prefix, terminal);
      const { body } = await askRunning(options, terminal, 'POST', `/api/cache/purge?${query({ prefix })}`);
      await followPurge(body.lines(), options.json === true, terminal);
    });
  asking('verify', 'read everything again', 'Reads everything that is kept again, and removes what is wrong.').action(
    async (options: Options) => {
      const { body } = await askRunning(options, terminal, 'POST', '/api/cache/verify');
      await followVerification(body.lines(), options.json === true, terminal);
    },
  );
  asking('gc', 'tidy up', 'Removes what nobody names, counts anew, and makes room.').action(
    async (options: Options) => {
      const { body } = await askRunning(options, terminal, 'POST', '/api/cache/gc');
      const text = await body.text();
      terminal.out(options.json ? text : printCollected(JSON.parse(text) as CollectedFacts));
    },
  );
  for (const each of command.commands) each.copyInheritedSettings(program);
};

function query(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString();
}

async function confirm(prefix: string, terminal: Terminal): Promise<void> {
  const what = prefix === '' ? 'everything that is cached' : `everything whose key begins with ${prefix}`;
  const answer = await terminal.ask?.(`Remove ${what}? [y/N] `);
  if (answer === undefined || answer === null)
    throw new CommandFailed('berthgate: say --yes where nobody can be asked');
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailed('berthgate: nothing was removed');
}

/** Lines of progress, not more often than people read. */
function progressTo(terminal: Terminal): (text: string) => void {
  let told = performance.now();
  return (text) => {
    if (performance.now() - told < TELL_EVERY_MS) return;
    told = performance.now();
    terminal.err(`${text}\n`);
  };
}

async function* parsed<Line>(lines: AsyncIterable<string>): AsyncGenerator<{ line: Line; text: string }> {
  try {
    for await (const text of lines) yield { line: JSON.parse(text) as Line, text };
  } catch (fault) {
    throw new CommandFailed(`berthgate: interrupted (${(fault as Error).message}): run it again for the rest`);
  }
}

async function followPurge(lines: AsyncIterable<string>, asJson: boolean, terminal: Terminal): Promise<void> {
  const progress = progressTo(terminal);
  let done: PurgeLine | null = null;
  for await (const { line, text } of parsed<PurgeLine>(lines)) {
    if (asJson) terminal.out(`${text}\n`);
    else if (line.step === 'progress') progress(`removed ${records(line.removed)}, ${printSize(line.bytes)}`);
    if (line.step === 'done') done = line;
  }
  if (done === null) throw new CommandFailed('berthgate: interrupted (the server ended): run it again for the rest');
  if (!asJson) terminal.out(`removed ${records(done.removed)}, ${printSize(done.bytes)}\n`);
}

async function followVerification(lines: AsyncIterable<string>, asJson: boolean, terminal: Terminal): Promise<void> {
  const progress = progressTo(terminal);
  let done: Extract<VerifyLine, { readonly step: 'done' }> | null = null;
  for await (const { line, text } of parsed<VerifyLine>(lines)) {
    if (line.step === 'done') done = line;
    if (asJson) terminal.out(`${text}\n`);
    else if (line.step === 'progress') progress(`read ${line.checked} of ${line.of} bodies, ${printSize(line.bytes)}`);
    else if (line.step === 'damaged record') terminal.out(`damaged record removed: ${line.name}\n`);
    else if (line.step !== 'done') {
      const keys = line.keys.length === 0 ? '' : `, of ${line.keys.map(plain).join(', ')}`;
      terminal.out(`${line.step} body removed: sha256:${line.digest}${keys}\n`);
    }
  }
  if (done === null) throw new CommandFailed('berthgate: interrupted (the server ended): run it again');
  const { checked, bytes, corrupt, missing, damaged } = done;
  if (!asJson) terminal.out(`read ${checked} bodies, ${printSize(bytes)}\n`);
  const wrong = corrupt + missing + damaged;
  if (wrong > 0) {
    const what = `${corrupt} corrupt, ${missing} missing, ${damaged} damaged records`;
    throw new CommandFailed(`berthgate: what was wrong is removed, and is fetched anew when it is asked for: ${what}`);
  }
}

function printFacts(facts: Facts): string {
  const share = facts.maxBytes === 0 ? 0 : (100 * facts.bytes) / facts.maxBytes;
  const kinds = Object.entries(facts.kinds)
    .filter(([, kind]) => kind.records > 0)
    .map(([kind, { records: count, bytes }]) => [kind, String(count), printSize(bytes)]);
  const notKept = Object.entries(facts.notKept).filter(([, count]) => count > 0);
  const lines = [
    `kept      ${printSize(facts.bytes)} of ${printSize(facts.maxBytes)} (${share.toFixed(1)} %)${facts.complete ? '' : ', still counting'}`,
    `bodies    ${facts.bodies}, named by ${records(facts.records)}`,
    `fills     ${facts.fills} running`,
    `evicted   ${records(facts.evicted.records)}, ${printSize(facts.evicted.bytes)}`,
    ...notKept.map(([reason, count]) => `not kept  ${count}: ${reason}`),
    ...printImages(facts.images),
    ...(facts.corrupt === 0 ? [] : [`corrupt   ${facts.corrupt} thrown away`]),
  ];
  const table = kinds.length === 0 ? '' : `\n${printTable(['KIND', 'RECORDS', 'SIZE'], kinds)}`;
  return `${lines.join('\n')}\n${table}`;
}

function printImages({ manifestsSaved, bytesFromCache, bytesFromRegistries, quotas }: ImageFacts): readonly string[] {
  const saved = Object.values(manifestsSaved).reduce((sum, count) => sum + count, 0);
  if (saved === 0 && bytesFromRegistries === 0 && quotas.length === 0) return [];
  return [
    `images    ${printSize(bytesFromRegistries)} from registries, ${printSize(bytesFromCache)} from here; ${saved} manifests that no registry has counted`,
    ...quotas.map(printQuota),
  ];
}

function printQuota({ registry, account, limit, remaining, windowSeconds, at }: ImageFacts['quotas'][number]): string {
  const each = windowSeconds === null ? '' : ` in ${printTime(windowSeconds)}`;
  const whose = { none: '', configured: ', with the account of the configuration', clients: ', as a client' }[account];
  const said = new Date(at).toISOString().slice(0, 19);
  return `quota     ${plain(registry)}${whose}: ${remaining} of ${limit} pulls left${each}, as it said at ${said}Z`;
}

function printTime(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds} s`;
}

function printRecord(line: string): string {
  const { key, variant, size: bytes, lastUse } = JSON.parse(line) as CachedRecord;
  const name = variant === '' ? key : `${key} [${variant}]`;
  return `${printSize(bytes).padStart(8)}  ${new Date(lastUse).toISOString().slice(0, 19)}Z  ${plain(name)}\n`;
}

function printCollected({ fills, bodies, bytes, records: count }: CollectedFacts): string {
  return `removed ${fills} half written, ${bodies} bodies that nobody named (${printSize(bytes)}), ${records(count)} without a body\n`;
}

function records(count: number): string {
  return `${count} record${count === 1 ? '' : 's'}`;
}
