/** Values of a call for those who write them down: what may be a secret is left out, by the marks of its place. */

import { isList, isObject, type Json } from '../ground/json.ts';
import type { CallPath } from './call-place.ts';
import type { Endpoint } from './endpoint.ts';
import type { Mark } from './marks.ts';
import { elementOf, fieldsOf, type Shape } from './shape.ts';

const SECRET = '(secret)';

/** Names and texts that look like secrets where no mark says so: options of drivers are anybody's. */
const secretName = /pass|secret|token|credential|private|auth/i;
const secretText = /(?:pass|secret|token|credential|key)[\w-]*\s*[=:]|:\/\/[^/\s:@]+:[^/\s@]+@/i;

/** The value that stands, or would stand, at the place. */
export function withoutSecrets(endpoint: Endpoint, path: CallPath, value: Json): Json {
  const last = path.at(-1);
  if (typeof last === 'string' && path.length > 2 && secretName.test(last) && !isShaped(endpoint, path)) return SECRET;
  const { shape, inMap } = shapeAt(endpoint, path);
  // A header is the list of its values.
  if (path[0] === 'header' && isList(value))
    return value.map((one) => mask(shape?.kind === 'list' ? shape.of : shape, one));
  return mask(shape, value, inMap);
}

interface Found {
  readonly shape: Shape | null;
  /** Below a map, whose key has said the name of a variable already. */
  readonly inMap: boolean;
}

function shapeAt(endpoint: Endpoint, [part, ...steps]: CallPath): Found {
  const [first, ...rest] = steps;
  let shape: Shape | null;
  let left: readonly (string | number)[] = rest;
  if (part === 'body') {
    shape = endpoint.body.shape ?? null;
    left = steps;
  } else {
    const shapes = { query: endpoint.query, path: endpoint.parameters, header: endpoint.headers }[part];
    shape = typeof first === 'string' && Object.hasOwn(shapes, first) ? (shapes[first] ?? null) : null;
  }
  let inMap = false;
  for (const step of left) {
    if (shape?.kind === 'embedded') shape = shape.of;
    inMap = shape?.kind === 'map';
    shape = shape === null ? null : within(shape, step);
  }
  return { shape, inMap };
}

function within(shape: Shape, step: string | number): Shape | null {
  switch (shape.kind) {
    case 'list':
      return shape.of;
    case 'map':
      return elementOf(shape, String(step));
    case 'object':
      return Object.hasOwn(shape.fields, step) ? (shape.fields[step] ?? null) : null;
    default:
      return null;
  }
}

/** Fields that the table names are marked where they hold secrets. */
function isShaped(endpoint: Endpoint, path: CallPath): boolean {
  const { shape, inMap } = shapeAt(endpoint, path);
  return shape !== null && !inMap;
}

function mask(shape: Shape | null, value: Json, inMap = false): Json {
  if (value === null) return null;
  if (shape?.kind === 'embedded') return typeof value === 'string' ? SECRET : mask(shape.of, value);
  if (typeof value === 'string') return maskText(shape, value, inMap);
  if (isList(value)) {
    const of = shape?.kind === 'list' ? shape.of : null;
    return value.map((item) => mask(of, item));
  }
  if (!isObject(value)) return marksOf(shape).some(isCredential) ? SECRET : value;
  const masked: Record<string, Json> = Object.create(null);
  const fields = shape?.kind === 'object' ? fieldsOf(shape, value) : null;
  for (const [key, inner] of Object.entries(value)) {
    const innerShape = shape?.kind === 'map' ? elementOf(shape, key) : (fields?.[key] ?? null);
    const named = innerShape === null || shape?.kind === 'map';
    masked[key] =
      named && secretName.test(key) && inner !== null ? SECRET : mask(innerShape, inner, shape?.kind === 'map');
  }
  return masked;
}

function maskText(shape: Shape | null, text: string, inMap: boolean): string {
  const marks = marksOf(shape);
  if (marks.some(isCredential)) return SECRET;
  if (marks.some(({ mark }) => mark === 'env')) {
    const equals = text.indexOf('=');
    if (inMap || shape?.kind !== 'text' || shape.grammar === undefined) return SECRET;
    return equals < 0 ? text : `${text.slice(0, equals)}=${SECRET}`;
  }
  return secretText.test(text) ? SECRET : text;
}

function isCredential({ mark }: Mark): boolean {
  return mark === 'credential';
}

function marksOf(shape: Shape | null): readonly Mark[] {
  if (shape === null) return [];
  return shape.kind === 'text' && shape.grammar !== undefined ? [...shape.marks, ...shape.grammar.marks] : shape.marks;
}
