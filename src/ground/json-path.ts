/** What stands at a path of a JSON value, and the same value with something else there. */

import { isList, isObject, type Json } from './json.ts';

export type JsonPath = readonly (string | number)[];

/** null where there is nothing. */
export function valueAt(value: Json, path: JsonPath): Json {
  let found: Json = value;
  for (const step of path) {
    let next: Json | undefined;
    if (isList(found)) next = typeof step === 'number' ? found[step] : undefined;
    else if (isObject(found)) next = found[step];
    if (next === undefined) return null;
    found = next;
  }
  return found;
}

/** A copy with the value at the path; the same value where the way there does not exist. */
export function withValueAt(value: Json, path: JsonPath, wanted: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return wanted;
  if (isList(value)) return value.map((item, index) => (index === step ? withValueAt(item, rest, wanted) : item));
  if (!isObject(value)) return value;
  const copy: Record<string, Json> = Object.assign(Object.create(null), value);
  copy[step] = withValueAt(copy[step] ?? null, rest, wanted);
  return copy;
}
