/** One place of a call, looked at or changed: `HostConfig.Memory` of the body, `query.memory`, `path.id`, `header …`. */

import { isList, isObject, type Json, type JsonObject, placeOf } from '../ground/json.ts';
import type { CallValues } from './visit-call.ts';

/** Where in a call: first the part, then the steps into its value. */
export type CallPath = readonly ['body' | 'query' | 'path' | 'header', ...(string | number)[]];

/** As refusals, changes and the audit write it. */
export function printPlace([part, ...steps]: CallPath): string {
  if (part === 'body') return placeOf(steps);
  return part === 'header' ? `header ${steps[0] ?? ''}` : `${part}.${placeOf(steps)}`;
}

const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;

/** Null for what is no place. */
export function readPlace(place: string): CallPath | null {
  if (place.startsWith('header ')) return ['header', place.slice('header '.length).toLowerCase()];
  const [, part, rest = ''] = /^(query|path)\.(.*)$/s.exec(place) ?? [];
  const text = part === undefined ? place : rest;
  const steps: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const found = STEP.exec(text);
    if (found === null) return null;
    const [, name, index, quoted] = found;
    if (quoted !== undefined) steps.push(unquoted(quoted));
    else steps.push(index === undefined ? (name as string) : Number(index));
  }
  return [part === undefined ? 'body' : (part as 'query' | 'path'), ...steps];
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return text;
  }
}

/** Undefined where there is nothing. */
export function valueAt(call: CallValues, [part, ...steps]: CallPath): Json | undefined {
  let value: Json | undefined = partOf(call, part);
  for (const step of steps) {
    if (value === undefined) return undefined;
    if (isList(value)) value = typeof step === 'number' ? value[step] : undefined;
    else value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

/** The call with the value there; what is missing on the way is made. Only into the body and the query. */
export function withValueAt<C extends CallValues>(call: C, [part, ...steps]: CallPath, value: Json): C {
  if (part === 'body') return { ...call, body: put(call.body, steps, value) };
  if (part === 'query') return { ...call, query: put(call.query as JsonObject, steps, value) as C['query'] };
  throw new Error(`nothing is changed in the ${part} of a call`);
}

function partOf(call: CallValues, part: CallPath[0]): Json {
  switch (part) {
    case 'body':
      return call.body;
    case 'query':
      return call.query as JsonObject;
    case 'path':
      return call.parameters;
    case 'header':
      return call.headers;
  }
}

function put(into: Json, steps: readonly (string | number)[], value: Json): Json {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (isList(into)) return into.map((item, index) => (index === step ? put(item, rest, value) : item));
  const copy: Record<string, Json> = Object.assign(Object.create(null), isObject(into) ? into : {});
  copy[step] = put(copy[step] ?? null, rest, value);
  return copy;
}
