/** `berthgate gc`: what nobody needs goes from the engines' disks now. */

import type { GarbageReport } from '../operate/admin/garbage-api.ts';
import { askRunning, DEFAULT_SOCKET } from './ask-running.ts';
import type { AddCommand } from './program.ts';
import { printTable } from './table.ts';

const help = `
Asks the server that runs, over its admin socket (admin.url). The server does the same once a minute by itself, where its
configuration has gc.

What goes: images that jobs have pulled, when they were not used for gc.keepImages; and where the engine's disk is fuller
than gc.high, down to gc.low, whatever was not used for longest first: those images that are younger, the build cache, and,
where gc.idleNamespaces says so, whole namespaces in which nothing runs and that nobody has used for so long. Layers that
somebody has an image of stay.

Examples:
  berthgate gc --dry-run
  berthgate gc --json --config /etc/berthgate/berthgate.yaml

Exit codes: 0 done, 1 it failed, 2 wrong usage.`;

interface Options {
  readonly config?: string;
  readonly socket?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

export const gc: AddCommand = (program, terminal) => {
  program
    .command('gc')
    .summary('remove from the engines what nobody needs')
    .description('Removes from the engines what nobody needs.')
    .option('-c, --config <file>', 'the configuration that names the admin socket')
    .option('-s, --socket <path>', `the admin socket itself (default: ${DEFAULT_SOCKET})`)
    .option('-n, --dry-run', 'remove nothing: say what could go')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const { body } = await askRunning(options, terminal, options.dryRun ? 'GET' : 'POST', '/api/gc');
      const { engines } = JSON.parse(await body.text()) as { readonly engines: readonly GarbageReport[] };
      terminal.out(options.json ? `${JSON.stringify(engines)}\n` : print(engines));
    });
};

function print(engines: readonly GarbageReport[]): string {
  const rows = engines.flatMap(({ engine, garbage }) =>
    garbage.map(({ kind, name, bytes, used, why }) => [engine, kind, name, String(bytes ?? '-'), used, why]),
  );
  const disks = engines.map(({ engine, disk }) => `${engine}: disk ${disk === null ? 'unknown' : `${disk}%`}\n`);
  const table = rows.length === 0 ? '' : printTable(['ENGINE', 'KIND', 'NAME', 'BYTES', 'LAST USE', 'WHY'], rows);
  return `${table}${disks.join('')}`;
}
