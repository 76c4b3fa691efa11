/** What a removal tells line by line, as people read it. */

import type { RemovalLine } from '../operate/admin/namespaces-api.ts';
import { plain } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

/** `lines`: JSON, as the server says it. @throws CommandFailed where something is left */
export async function followRemoval(
  lines: AsyncIterable<string>,
  name: string,
  asJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const removed = new Map<string, number>();
  let complete: boolean | null = null;
  try {
    for await (const text of lines) {
      const line = JSON.parse(text) as RemovalLine;
      if (asJson) terminal.out(`${text}\n`);
      if (line.step === 'done') complete = line.complete;
      else if (line.step === 'removed') removed.set(line.thing.kind, (removed.get(line.thing.kind) ?? 0) + 1);
      if (!asJson && line.step !== 'done') terminal.out(`${printStep(line)}\n`);
    }
  } catch (fault) {
    if (complete === null) throw interrupted(name, (fault as Error).message);
  }
  if (complete === null) throw interrupted(name, 'the server ended');
  const counts = [...removed].map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  if (!asJson) terminal.out(`removed ${counts.length === 0 ? 'nothing: there was nothing' : counts.join(', ')}\n`);
  if (!complete) throw new CommandFailed(`berthgate: something of ${name} is left, see above`);
}

function interrupted(name: string, why: string): CommandFailed {
  return new CommandFailed(`berthgate: interrupted (${why}): run it again to remove what is left of ${name}`);
}

function printStep(line: Exclude<RemovalLine, { readonly step: 'done' }>): string {
  const what = line.thing === null ? 'the engine' : `${line.thing.kind} ${line.thing.name}`;
  const engine = line.step === 'waiting' ? line.engine : line.thing.engine;
  return line.step === 'removed'
    ? `${engine}: removed ${what}`
    : `${engine}: ${line.step === 'left' ? 'left' : 'trying again'}: ${what}: ${plain(line.reason)}`;
}
