/** Times, sizes, shares and ranges. Times are milliseconds, sizes bytes, shares percent (0 to 100). */

import { durationPattern, formatDuration, parseDuration } from '../../../ground/duration.ts';
import { formatSize, parseSize, sizePattern } from '../../../ground/size.ts';
import { Objection, textOf, textOrNumberOf } from './field.ts';

const durationReading = {
  kind: 'duration',
  what: 'a duration such as 30s, 1h30m or 250ms',
  pattern: durationPattern,
} as const;

function durationBetween(leastMs: number, mostMs: number) {
  return textOf(durationReading, (text) => {
    const ms = parseDuration(text);
    if (ms === undefined) return undefined;
    if (ms < leastMs) return new Objection(`must be at least ${formatDuration(leastMs)}`);
    if (ms > mostMs) return new Objection(`must be at most ${formatDuration(mostMs)}`);
    return ms;
  });
}

const dayMs = 86_400_000;

/** A span of time, in milliseconds: ages, lifetimes. */
export const duration = () => durationBetween(0, 36_500 * dayMs);

/** As `duration`, but not nothing. */
export const lastingDuration = () => durationBetween(1000, 36_500 * dayMs);

/** What a timer waits for, in milliseconds. Node's timers fire at once beyond 2^31-1 ms, which would end everything. */
export const timeout = () => durationBetween(1, 24 * dayMs);

/** As `timeout`, or no time at all. */
export const gracePeriod = () => durationBetween(0, 24 * dayMs);

/** Bytes. */
export function size(least = 1, most: number = Number.MAX_SAFE_INTEGER) {
  const reading = { kind: 'size', what: 'a size such as 64KiB, 50GiB or 4096', pattern: sizePattern };
  return textOrNumberOf(reading, (input) => {
    const bytes = typeof input === 'number' ? input : parseSize(input);
    if (bytes === undefined) return undefined;
    if (bytes < least) return new Objection(`must be at least ${formatSize(least)}`);
    if (bytes > most) return new Objection(`must be at most ${formatSize(most)}`);
    return bytes;
  });
}

/** Percent, 1 to 100. */
export function percent() {
  const reading = { kind: 'percentage', what: 'a percentage such as 85%', pattern: '^(100|[1-9][0-9]?)%$' };
  return textOf(reading, (text) => (/^(100|[1-9]\d?)%$/.test(text) ? Number.parseInt(text, 10) : undefined));
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export function portRange() {
  const reading = { kind: 'range of ports', what: 'a range such as 1024-65535', pattern: '^[0-9]{1,5}-[0-9]{1,5}$' };
  return textOf(reading, (text): PortRange | Objection | undefined => {
    const found = /^(\d{1,5})-(\d{1,5})$/.exec(text);
    if (found === null) return undefined;
    const first = Number(found[1]);
    const last = Number(found[2]);
    if (first < 1 || last > 65_535) return new Objection('ports go from 1 to 65535');
    return first <= last ? { first, last } : new Objection('the first port must not be above the last one');
  });
}

/** The permissions of a socket's file. Set-user-id and its like mean nothing there. */
export function fileMode() {
  const reading = {
    kind: 'octal mode',
    what: 'an octal mode in quotes, such as "0660"',
    pattern: '^0?[0-7]{3}$',
  };
  return textOf(reading, (text) => (/^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined));
}
