/** Answers without what they tell about the host that the engine runs on. */

import { isList, isObject, type Json } from '../ground/json.ts';
import { elementOf, fieldsOf, type Shape } from './shape.ts';

/** The value with empty texts, lists and maps, and zeros, where it would tell. */
export function withoutHost(shape: Shape, value: Json): Json {
  if (value === null) return value;
  if (tellsOfHost(shape)) return emptyOf(shape);
  switch (shape.kind) {
    case 'list':
      if (tellsOfHost(shape.of)) return [];
      return isList(value) ? value.map((item) => withoutHost(shape.of, item)) : value;
    case 'map':
      if (tellsOfHost(shape.key) || tellsOfHost(shape.of)) return {};
      return mapped(value, (key, inner) => withoutHost(elementOf(shape, key), inner));
    case 'object': {
      if (!isObject(value)) return value;
      const fields = fieldsOf(shape, value);
      return mapped(value, (key, inner) => {
        const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
        // What the table does not know may tell anything.
        return field === undefined ? null : withoutHost(field, inner);
      });
    }
    default:
      return value;
  }
}

function mapped(value: Json, change: (key: string, inner: Json) => Json): Json {
  if (!isObject(value)) return value;
  const changed: Record<string, Json> = Object.create(null);
  for (const key in value) changed[key] = change(key, value[key] as Json);
  return changed;
}

function tellsOfHost({ marks }: Shape): boolean {
  return marks.some((mark) => mark.mark === 'reveals' && mark.about === 'host');
}

function emptyOf({ kind }: Shape): Json {
  if (kind === 'text') return '';
  if (kind === 'int' || kind === 'number') return 0;
  return kind === 'list' ? [] : null;
}
