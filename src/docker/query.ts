/** Query strings: read by the table's closed list, printed from the values. */

import { isList, isObject, type Json, JsonFault, type JsonObject, printJson, readJsonText } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import { readAs, type Unknown } from './read.ts';
import type { Shape } from './shape.ts';

/** Filters in one form: each key with its values. */
export type FilterValues = Readonly<Record<string, readonly string[]>>;
export type QueryValue = string | boolean | readonly string[] | FilterValues | Json;
export type QueryValues = Readonly<Record<string, QueryValue>>;

export interface ReadQuery {
  readonly values: QueryValues;
  /** Keys that the table does not know; they are dropped. */
  readonly dropped: readonly string[];
  /** What embedded documents say beyond the table. */
  readonly unknown: readonly Unknown[];
}

const EMPTY: ReadQuery = { values: {}, dropped: [], unknown: [] };
const EMBEDDED_DEPTH = 16;
const NOT_VISIBLE_ASCII = /[^\u0021-\u007e]/;

/** @throws Refusal unreadable-query */
export function readQuery(raw: string, shapes: Readonly<Record<string, Shape>>): ReadQuery {
  if (raw === '') return EMPTY;
  const values: Record<string, QueryValue> = Object.create(null);
  const dropped: string[] = [];
  const unknown: Unknown[] = [];
  for (const piece of raw.split('&')) {
    if (piece === '') continue;
    // Go once took `;` for a separator, and refuses it now.
    if (piece.includes(';')) refuse('a semicolon stands in the query', 'query');
    const equals = piece.indexOf('=');
    const key = decode(equals < 0 ? piece : piece.slice(0, equals));
    const text = equals < 0 ? '' : decode(piece.slice(equals + 1));
    const shape = Object.hasOwn(shapes, key) ? shapes[key] : undefined;
    if (shape === undefined) {
      dropped.push(key);
    } else if (shape.kind === 'list') {
      values[key] = [...((values[key] as readonly string[] | undefined) ?? []), text];
    } else {
      if (key in values) {
        if (shape.firstCounts === true) continue;
        refuse('the parameter stands twice', `query.${key}`);
      }
      const value = readValue(shape, text, `query.${key}`, unknown);
      if (value !== undefined) values[key] = value;
    }
  }
  return { values, dropped, unknown };
}

function decode(text: string): string {
  // The wire gives one character a byte: what is not ASCII would be read as other characters than the engine reads.
  if (NOT_VISIBLE_ASCII.test(text)) refuse('a query must be visible ASCII', 'query');
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text);
  } catch {
    return refuse('a percent escape of the query is not UTF-8', 'query');
  }
  if (decoded.includes('\0')) refuse('a NUL stands in the query', 'query');
  return decoded;
}

function readValue(shape: Shape, text: string, place: string, unknown: Unknown[]): QueryValue | undefined {
  switch (shape.kind) {
    case 'bool':
      // Engines differ in what an empty one means: it stays what it is.
      return text === '' && shape.emptyMeans !== undefined ? '' : isTrue(text);
    case 'int':
      if (text === '') return undefined;
      if (!/^[+-]?[0-9]{1,19}$/.test(text)) refuse('not a whole number', place);
      // Where Go's ParseInt overflows, moby takes 0 (httputils.Int64ValueOrZero), which often means without limit.
      if (BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) refuse('not a whole number of 64 bits', place);
      return text.replace(/^\+/, '');
    case 'filters':
      return text === '' ? undefined : readFilters(text, place);
    case 'embedded': {
      if (text === '') return undefined;
      const read = readAs(shape.of, parseJson(text, place), place, 'unreadable-query');
      unknown.push(...read.unknown);
      return read.value;
    }
    default:
      return text;
  }
}

/** What Go's strings.TrimSpace takes off: not the same as JavaScript's trim. */
const GO_SPACE = /^[\s\u0085]+|[\s\u0085]+$/g;

/** moby's httputils.BoolValue: everything but these is true. */
export function isTrue(text: string): boolean {
  if (text === '1' || text === 'true') return true;
  const said = text.includes('\ufeff') ? text : text.replace(GO_SPACE, '').toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(said);
}

function parseJson(text: string, place: string): Json {
  try {
    return readJsonText(text, EMBEDDED_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return refuse(fault.message, place);
    throw fault;
  }
}

/** Both forms: lists of values, and maps of value to true. */
function readFilters(text: string, place: string): FilterValues {
  const read = parseJson(text, place);
  if (read === null) return {};
  if (!isObject(read)) return refuse('filters must be an object', place);
  const filters: Record<string, readonly string[]> = Object.create(null);
  for (const [key, given] of Object.entries(read)) filters[key] = filterValues(given, `${place}.${key}`);
  return filters;
}

function filterValues(given: Json, place: string): readonly string[] {
  if (given === null) return [];
  if (isList(given)) {
    return given.map((value) => (typeof value === 'string' ? value : refuse('a filter value must be a text', place)));
  }
  if (!isObject(given)) return refuse('a filter must be a list, or a map to true', place);
  return Object.entries(given).map(([value, wanted]) => {
    // Some of the engine's matchers take `{"x": false}` as x, others do not.
    if (wanted !== true) refuse('a filter value must be true', place);
    return value;
  });
}

/** The query that is sent: in the table's order, empty when nothing was said. */
export function printQuery(values: QueryValues, shapes: Readonly<Record<string, Shape>>): string {
  let printed = '';
  for (const key in shapes) {
    const value = values[key];
    if (value === undefined) continue;
    const shape = shapes[key] as Shape;
    if (shape.kind === 'list') {
      for (const item of value as readonly string[]) printed += pair(printed, key, item);
    } else {
      printed += pair(printed, key, printValue(shape, value));
    }
  }
  return printed;
}

function pair(before: string, key: string, value: string): string {
  return `${before === '' ? '?' : '&'}${key}=${encodeURIComponent(value)}`;
}

function printValue(shape: Shape, value: QueryValue): string {
  switch (shape.kind) {
    case 'bool':
      return value === '' ? '' : value === true ? '1' : '0';
    case 'filters':
      return printFilters(value as FilterValues);
    case 'embedded':
      return printJson(value as Json);
    default:
      return value as string;
  }
}

function printFilters(filters: FilterValues): string {
  const fields: Record<string, JsonObject> = Object.create(null);
  for (const [key, values] of Object.entries(filters)) {
    const wanted: Record<string, Json> = Object.create(null);
    for (const value of values) wanted[value] = true;
    fields[key] = wanted;
  }
  return printJson(fields);
}

function refuse(message: string, place: string): never {
  throw new Refusal('unreadable-query', message, { place });
}
