/** Walking the schema beside a value of the file: what each place says about itself, and which keys it knows. */

import { z } from 'zod';
import type { Path } from './faults.ts';

type Schema = z.core.$ZodType;
type Known = z.core.$ZodTypes;

export interface Opened {
  /** Behind optional, nullable, defaults and transforms. */
  readonly shape: Known;
  readonly meta: z.core.GlobalMeta;
  /** What stands for an absent value, as it would be written. */
  readonly byDefault: unknown;
  readonly optional: boolean;
  readonly nullable: boolean;
}

export function openSchema(schema: Schema): Opened {
  let shape = schema as Known;
  let meta: z.core.GlobalMeta = {};
  let byDefault: unknown;
  let optional = false;
  let nullable = false;
  for (;;) {
    meta = { ...z.globalRegistry.get(shape), ...meta };
    const def = shape._zod.def;
    if (def.type === 'prefault' && byDefault === undefined) byDefault = def.defaultValue;
    optional ||= def.type === 'optional' || def.type === 'prefault';
    nullable ||= def.type === 'nullable';
    if (def.type === 'optional' || def.type === 'nullable' || def.type === 'prefault') shape = def.innerType as Known;
    else if (def.type === 'pipe') shape = def.in as Known;
    else return { shape, meta, byDefault, optional, nullable };
  }
}

/** The alternative that a value was meant for: maps are told from words by looking. */
function meantOption(options: readonly Schema[], value: unknown): Schema | undefined {
  const map = typeof value === 'object' && value !== null;
  return options.find((option) => (openSchema(option).shape._zod.def.type === 'object') === map);
}

/** The fields of a map's schema; none where it is no map. */
export function fieldsOf(shape: Known, value: unknown): Readonly<Record<string, Schema>> {
  const def = shape._zod.def;
  if (def.type === 'object') return def.shape as Readonly<Record<string, Schema>>;
  if (def.type !== 'union') return {};
  const option = meantOption(def.options, value);
  return option === undefined ? {} : fieldsOf(openSchema(option).shape, value);
}

export interface Place {
  readonly path: Path;
  readonly meta: z.core.GlobalMeta;
  readonly value: unknown;
  /** What stands where the file says nothing. */
  readonly byDefault: unknown;
  /** Whether the file says it; else it is a default. */
  readonly given: boolean;
}

/** Every described place that has a value, parents first. Defaults count as values. Where `enter` gives false, nothing below is visited. */
export function walkSchema(schema: Schema, value: unknown, enter: (place: Place) => boolean): void {
  visit(schema, value, [], true, enter);
}

function visit(
  schema: Schema,
  found: unknown,
  path: Path,
  parentGiven: boolean,
  enter: (place: Place) => boolean,
): void {
  const { shape, meta, byDefault } = openSchema(schema);
  const given = parentGiven && found !== undefined;
  const value = found === undefined ? byDefault : found;
  if (value === undefined || !enter({ path, meta, value, byDefault, given })) return;
  if (Array.isArray(value)) {
    if (shape._zod.def.type !== 'array') return;
    const element = shape._zod.def.element;
    for (const [i, item] of value.entries()) visit(element, item, [...path, i], given, enter);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, field] of Object.entries(fieldsOf(shape, value))) {
      visit(field, (value as Record<string, unknown>)[key], [...path, key], given, enter);
    }
  }
}

/** The keys that may stand in the map at this path. */
export function knownKeysAt(schema: Schema, value: unknown, path: Path): readonly string[] {
  let current = schema;
  let at = value;
  for (const step of path) {
    const { shape } = openSchema(current);
    const next =
      typeof step === 'number' && shape._zod.def.type === 'array' ? shape._zod.def.element : fieldsOf(shape, at)[step];
    if (next === undefined) return [];
    current = next;
    at = (at as Record<string | number, unknown> | null | undefined)?.[step];
  }
  return Object.keys(fieldsOf(openSchema(current).shape, at));
}
