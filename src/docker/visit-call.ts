/** Visits everything that a call says: path, query, headers and body, with places such as `query.filters.label[0]`. */

import type { Json } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import type { QueryValue, QueryValues } from './query.ts';
import type { Shape } from './shape.ts';
import { type Visitor, visit } from './visit.ts';

export interface CallValues {
  readonly endpoint: Endpoint;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: QueryValues;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Json;
}

/** The same call with what the visitor put in place; places of the body have no prefix. */
export function visitCall<C extends CallValues>(call: C, visitor: Visitor): C {
  const { endpoint } = call;
  return {
    ...call,
    parameters: visitAll(endpoint.parameters, call.parameters, visitor, 'path') as C['parameters'],
    query: visitAll(endpoint.query, call.query, visitor, 'query') as QueryValues,
    headers: visitHeaders(call, visitor),
    body: endpoint.body.shape === undefined ? call.body : visit(endpoint.body.shape, call.body, visitor),
  };
}

function visitAll(
  shapes: Readonly<Record<string, Shape>>,
  values: Readonly<Record<string, QueryValue>>,
  visitor: Visitor,
  root: string,
): Readonly<Record<string, QueryValue>> {
  const visited: Record<string, QueryValue> = Object.create(null);
  for (const key in values) {
    const shape = shapes[key];
    const value = values[key] as Json;
    visited[key] = shape === undefined ? value : visit(shape, value, visitor, `${root}.${key}`);
  }
  return visited;
}

function visitHeaders(call: CallValues, visitor: Visitor): CallValues['headers'] {
  const visited: Record<string, readonly string[]> = {};
  for (const name in call.headers) {
    const values = call.headers[name] as readonly string[];
    const shape = call.endpoint.headers[name];
    const each = shape?.kind === 'list' ? shape.of : shape;
    visited[name] =
      each === undefined ? values : values.map((value) => visit(each, value, visitor, `header ${name}`) as string);
  }
  return visited;
}
