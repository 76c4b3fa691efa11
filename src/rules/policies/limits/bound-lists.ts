/** Bounds of what is written as a list or a map: the limits of the kernel for a process, and how much is logged. */

import { type CallPath, valueAt } from '../../../docker/call-place.ts';
import { keepsLogs, readLogFiles, readLogSize, saidLog, saidUlimits, ulimit } from '../../../docker/limit-lists.ts';
import { formatSize } from '../../../ground/size.ts';
import { type Bounding, overLimit } from './bounding.ts';
import type { LimitsOptions } from './options.ts';

export function boundUlimits(bounding: Bounding, ulimits: NonNullable<LimitsOptions['ulimits']>): void {
  for (const [name, { default: usual, max }] of Object.entries(ulimits)) {
    const said = saidUlimits(bounding.call);
    if (said === null) return;
    const own = said.entries.filter((entry) => entry.name === name);
    for (const { path, amount } of own.flatMap(({ amounts }) => amounts)) {
      if (max === undefined || (amount !== null && amount >= 0 && amount <= max)) continue;
      bounding.lower(`ulimit-${name}`, path, max, String(max));
    }
    const given = usual ?? max;
    if (own.length > 0 || given === undefined) continue;
    bounding.fill(`ulimit-${name}`, said.path, [...said.list, ulimit(name, given)]);
  }
}

/** `usual` is the log driver of the engine: what a container gets that names none. */
export function boundLogs(bounding: Bounding, logs: NonNullable<LimitsOptions['logs']>, usual: string): void {
  const said = saidLog(bounding.call);
  if (said === null || !keepsLogs(said.driver === '' ? usual : said.driver)) return;
  const { maxSize, maxFiles } = logs;
  if (maxSize !== undefined) boundLog(bounding, said.size, maxSize, readLogSize, formatSize);
  if (maxFiles !== undefined) boundLog(bounding, said.files, maxFiles, readLogFiles, String);
}

function boundLog(
  bounding: Bounding,
  path: CallPath,
  max: number,
  read: (text: string) => number | null,
  print: (amount: number) => string,
): void {
  const said = valueAt(bounding.call, path) ?? '';
  if (typeof said !== 'string' || said === '') {
    bounding.fill('log', path, String(max));
    return;
  }
  const amount = read(said);
  if (amount === null) throw overLimit('log', path, JSON.stringify(said), print(max));
  if (amount < 0 || amount > max) bounding.lower('log', path, String(max), print(max));
}
