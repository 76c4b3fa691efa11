/** Limits that are written as lists and maps: those of the kernel for a process, and how much is kept of a log. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { type CallPath, valueAt } from './call-place.ts';
import { placeOfSetting } from './settings.ts';
import type { CallValues } from './visit-call.ts';

interface SaidUlimit {
  readonly name: string;
  /** The soft and the hard one; -1 is without limit, null what is no number that can be compared. */
  readonly amounts: readonly { readonly path: CallPath; readonly amount: number | null }[];
}

export interface SaidUlimits {
  readonly path: CallPath;
  readonly list: readonly Json[];
  readonly entries: readonly SaidUlimit[];
}

/** Null where the endpoint has none. */
export function saidUlimits(call: CallValues): SaidUlimits | null {
  const path = placeOfSetting(call.endpoint.id, 'ulimits');
  if (path === null) return null;
  const value = valueAt(call, path) ?? null;
  const list = isList(value) ? value : [];
  const entries = list.flatMap((entry, index) => {
    if (!isObject(entry) || typeof entry.Name !== 'string') return [];
    const amounts = ['Soft', 'Hard'].map((field) => {
      const amount = entry[field] ?? 0;
      return { path: [...path, index, field] as CallPath, amount: typeof amount === 'number' ? amount : null };
    });
    return [{ name: entry.Name, amounts }];
  });
  return { path, list, entries };
}

export function ulimit(name: string, amount: number): Json {
  return { Name: name, Soft: amount, Hard: amount };
}

export interface SaidLog {
  /** Empty where the engine's own is meant. */
  readonly driver: string;
  readonly size: CallPath;
  readonly files: CallPath;
}

/** Drivers that keep what is logged on the engine. */
export function keepsLogs(driver: string): boolean {
  return driver === 'json-file' || driver === 'local';
}

/** Null where the endpoint has none. */
export function saidLog(call: CallValues): SaidLog | null {
  const path = placeOfSetting(call.endpoint.id, 'log');
  if (path === null) return null;
  const said = valueAt(call, path) ?? null;
  const driver = isObject(said) && typeof said.Type === 'string' ? said.Type : '';
  return { driver, size: [...path, 'Config', 'max-size'], files: [...path, 'Config', 'max-file'] };
}

const powers: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * Bytes, -1 for without limit, null for what is no size. go-units reads powers of 1000; these are of 1024, so that
 * nothing is taken for less than it is.
 */
export function readLogSize(text: string): number | null {
  if (text === '-1') return -1;
  const found = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:ib|b)?$/i.exec(text);
  if (found === null) return null;
  return Math.ceil(Number(found[1]) * 1024 ** (powers[(found[2] ?? '').toLowerCase()] ?? 0));
}

export function readLogFiles(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** What of an engine decides about limits. */
export interface EngineNature {
  /** The engine refuses to be asked for more. */
  readonly processors: number;
  /** What containers get that name none. */
  readonly logDriver: string;
}

/** Of what the engine says of itself (`SystemInfo`); null where it said nothing. */
export function natureOf(info: Json): EngineNature {
  const { NCPU: processors, LoggingDriver: logDriver } = (isObject(info) ? info : {}) as JsonObject;
  return {
    processors: typeof processors === 'number' && processors > 0 ? processors : Number.POSITIVE_INFINITY,
    logDriver: typeof logDriver === 'string' ? logDriver : 'json-file',
  };
}
