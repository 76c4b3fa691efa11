/** Whether a value says nothing: clients send many fields always, and mean by them what leaving them out would mean. */

import { isList, isObject, type Json, Lexeme } from '../ground/json.ts';
import { elementOf, fieldsOf, type Shape } from './shape.ts';

export function isNeutral(shape: Shape, value: Json): boolean {
  if (value === null) return true;
  if (shape.emptyMeans !== undefined) return false;
  if (shape.neutral?.some((one) => one === value)) return true;
  switch (shape.kind) {
    case 'object': {
      if (!isObject(value)) return false;
      const fields = fieldsOf(shape, value);
      return Object.keys(value).every((key) => isFieldNeutral(fields, key, value[key] ?? null));
    }
    case 'embedded':
      return typeof value === 'string' ? isEmpty(value) : isNeutral(shape.of, value);
    default:
      return isEmpty(value);
  }
}

/** null, 0, "", false, [] and {}: what a field that nobody knows may say. */
export function isEmpty(value: Json): boolean {
  if (value === null || value === false || value === 0 || value === '') return true;
  if (value instanceof Lexeme) return false;
  if (isList(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function isFieldNeutral(fields: Readonly<Record<string, Shape>>, key: string, value: Json): boolean {
  const shape = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return shape === undefined ? isEmpty(value) : isNeutral(shape, value);
}

/** The same value without what its shape does not know; itself where it knows all. */
export function withoutUnknown(shape: Shape, value: Json): Json {
  if (shape.kind === 'list' && isList(value)) return value.map((item) => withoutUnknown(shape.of, item));
  if (!isObject(value)) return value;
  const known: Record<string, Json> = Object.create(null);
  if (shape.kind === 'map') {
    for (const key in value) known[key] = withoutUnknown(elementOf(shape, key), value[key] as Json);
    return known;
  }
  if (shape.kind !== 'object') return value;
  const fields = fieldsOf(shape, value);
  for (const key in value) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field !== undefined) known[key] = withoutUnknown(field, value[key] as Json);
  }
  return known;
}
