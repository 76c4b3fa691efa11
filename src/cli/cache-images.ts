/** `berthgate cache warm` and `cache ls --images`: images that are pulled ahead, and those that are there. */

import type { CachedImage, WarmLine } from '../operate/admin/images-api.ts';
import { askRunning, type RunningServer } from './ask-running.ts';
import { printSize } from './print-size.ts';
import { plain, printTable } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const BAR_CHARACTERS = 30;
const PATH = '/api/cache/images';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Of the machine that asks, as images say it. */
export function ownPlatform(): string {
  return `linux/${ARCHITECTURES[process.arch] ?? process.arch}`;
}

export async function listImages(server: RunningServer, asJson: boolean, terminal: Terminal): Promise<void> {
  const { body } = await askRunning(server, terminal, 'GET', PATH);
  const rows: (readonly string[])[] = [];
  for await (const line of body.lines()) {
    if (asJson) terminal.out(`${line}\n`);
    else rows.push(rowOf(JSON.parse(line) as CachedImage));
  }
  rows.sort(([one = ''], [other = '']) => one.localeCompare(other));
  if (!asJson) terminal.out(printTable(['IMAGE', 'DIGEST', 'SIZE', 'BLOBS', 'CHECKED', 'LAST USE'], rows));
}

/** @throws CommandFailed where one of them could not be pulled; the others are */
export async function warmImages(
  server: RunningServer,
  references: readonly string[],
  platform: string,
  asJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const failed: string[] = [];
  for (const reference of references) {
    const query = new URLSearchParams({ reference, platform });
    const { body } = await askRunning(server, terminal, 'POST', `${PATH}?${query}`);
    let end: WarmLine | null = null;
    for await (const text of body.lines()) {
      const line = JSON.parse(text) as WarmLine;
      if (asJson) terminal.out(`${JSON.stringify({ reference, ...line })}\n`);
      else if (line.step === 'progress') terminal.err(`${reference} ${bar(line.bytes, line.of)}\n`);
      if (line.step !== 'progress') end = line;
    }
    if (end === null) failed.push(`berthgate: ${reference}: interrupted: run it again for the rest`);
    else if (end.step === 'failed') failed.push(`berthgate: ${reference}: ${plain(end.reason)}`);
    else if (!asJson) terminal.out(`${reference} is there: ${end.blobs} blobs, ${printSize(end.bytes)}\n`);
  }
  if (failed.length > 0) throw new CommandFailed(failed.join('\n'));
}

function rowOf({ name, digest, bytes, blobs, checkedAt, lastUse }: CachedImage): readonly string[] {
  const at = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  return [name, digest.slice(0, 19), printSize(bytes), `${blobs.kept}/${blobs.named}`, at(checkedAt), at(lastUse)];
}

function bar(bytes: number, of: number): string {
  const share = of === 0 ? 1 : Math.min(1, bytes / of);
  const full = Math.round(share * BAR_CHARACTERS);
  const drawn = '#'.repeat(full).padEnd(BAR_CHARACTERS, '.');
  return `[${drawn}] ${Math.floor(share * 100)} % of ${printSize(of)}`;
}
