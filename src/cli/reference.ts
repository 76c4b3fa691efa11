/** `berthgate reference`: the pages of docs/reference, from what the program itself goes by. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderReference as renderApi } from '../docker/reference.ts';
import { everyCall } from '../docker/table.ts';
import { reasons } from '../ground/refusal.ts';
import { configJsonSchema, renderReference as renderConfiguration } from '../operate/config/index.ts';
import { renderMetricsReference } from '../operate/signals/index.ts';
import { renderRefused } from '../rules/policies/conservative/reference.ts';
import type { AddCommand } from './program.ts';
import { CommandFailed } from './terminal.ts';

const help = `
Writes the pages of the API, the configuration with its JSON Schema, the refusals, the metrics, and what conservative
refuses.

Example:
  berthgate reference --write docs/reference

Exit codes: 0 done, 1 a file cannot be written, 2 wrong usage.`;

export const reference: AddCommand = (program, terminal) => {
  program
    .command('reference')
    .summary('write the reference pages')
    .description('Writes the reference pages, Markdown, from what the program itself goes by.')
    .requiredOption('-w, --write <dir>', 'the folder to write them into')
    .addHelpText('after', help)
    .action(async ({ write }: { write: string }) => {
      const pages = referencePages();
      try {
        await mkdir(join(write, 'api'), { recursive: true });
        for (const [name, text] of pages) await writeFile(join(write, name), text);
      } catch (fault) {
        throw new CommandFailed((fault as Error).message);
      }
      terminal.out(`${pages.size} pages written to ${write}\n`);
    });
};

/** By the name of their file. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ...[...renderApi(everyCall)].map(([name, page]): [string, string] => [`api/${name}`, page]),
    ['configuration.md', renderConfiguration()],
    ['configuration.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
    ['refusals.md', renderRefusals()],
    ['refused.md', renderRefused()],
    ['metrics.md', renderMetricsReference()],
  ]);
}

function renderRefusals(): string {
  const rows = Object.entries(reasons).map(([code, { status, source, about }]) => {
    return `| \`${code}\` | ${status} | ${source} | ${about} |`;
  });
  return `# Refusals

Why a call was not served. The code stands in the header \`Berthgate-Refusal\` of the answer, in the log and in the
metrics; the body is Docker's own form of an error, \`{"message": "…"}\`. The source says whose doing it is.

| code | status | source | what it means |
|---|---|---|---|
${rows.join('\n')}
`;
}
