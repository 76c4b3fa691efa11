/** What a document of Docker's has and the table has not, or has otherwise. */

import type { Endpoint } from '../../../src/docker/endpoint.ts';
import type { ApiVersion, Shape } from '../../../src/docker/shape.ts';
import { minorOf, type OpenApi, type Operation, type Schema } from './openapi.ts';

export interface Difference {
  readonly version: ApiVersion;
  /** The id of the endpoint, or Docker's where the table has none. */
  readonly operation: string;
  /** `path.id`, `query.all`, `header.x-registry-auth`, `body.HostConfig.Binds[]`, `answer[].Id`, or `operation`. */
  readonly place: string;
  readonly problem: string;
}

export function differences(document: OpenApi, table: readonly Endpoint[]): readonly Difference[] {
  const byRoute = new Map(table.map((endpoint) => [routeOf(endpoint), endpoint]));
  return document.operations.flatMap((operation) => {
    const endpoint = byRoute.get(routeOf(operation));
    const comparison = new Comparison(document, operation, endpoint?.id ?? operation.id);
    if (endpoint === undefined) comparison.differ('operation', `${routeOf(operation)} is missing`);
    else comparison.compare(endpoint);
    return comparison.found;
  });
}

export function describeDifference({ version, operation, place, problem }: Difference): string {
  return `${operation} ${place}: ${problem} (${version})`;
}

/** Names of parameters are compared apart. */
function routeOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path.replaceAll(/\{[^}]+\}/g, '{}')}`;
}

/** Which of our kinds can stand for a type of the documents. */
const kindsFor: Readonly<Record<string, readonly Shape['kind'][]>> = {
  string: ['text', 'filters', 'embedded'],
  integer: ['int'],
  number: ['number', 'int'],
  boolean: ['bool'],
  array: ['list'],
  object: ['object', 'map', 'any'],
};

class Comparison {
  readonly found: Difference[] = [];
  private readonly document: OpenApi;
  private readonly operation: Operation;
  private readonly id: string;

  constructor(document: OpenApi, operation: Operation, id: string) {
    this.document = document;
    this.operation = operation;
    this.id = id;
  }

  differ(place: string, problem: string): void {
    this.found.push({ version: this.document.version, operation: this.id, place, problem });
  }

  compare(endpoint: Endpoint): void {
    this.within('operation', endpoint);
    for (const parameter of this.operation.parameters) {
      if (parameter.in === 'path')
        this.field(parameter, [endpoint.parameters[parameter.name]], `path.${parameter.name}`);
      if (parameter.in === 'query') this.field(parameter, [endpoint.query[parameter.name]], `query.${parameter.name}`);
      // Every endpoint has its own content type; the client's is not carried.
      if (parameter.in === 'header' && parameter.name.toLowerCase() !== 'content-type') {
        const name = parameter.name.toLowerCase();
        this.field(parameter, [endpoint.headers[name]], `header.${name}`);
      }
      if (parameter.in === 'body' && parameter.schema) this.wholeBody('body', parameter.schema, endpoint.body);
    }
    for (const schema of this.operation.answers) this.wholeBody('answer', schema, endpoint.answer);
  }

  /** A whole body: only those of JSON have a shape. */
  private wholeBody(
    place: string,
    schema: Schema,
    { travel, shape }: { readonly travel: string; readonly shape?: Shape },
  ): void {
    if (shape !== undefined) {
      this.schema(schema, [shape], place, []);
      return;
    }
    const { types } = this.document.flatten(schema);
    const isBytes = types.length === 0 || types.includes('string');
    if (travel === 'json' || travel === 'lines' || !isBytes) this.differ(place, `is ${types} and has no shape`);
  }

  private field(
    schema: Schema,
    shapes: readonly (Shape | undefined)[],
    place: string,
    stack: readonly string[] = [],
  ): void {
    const present = shapes.filter((shape) => shape !== undefined);
    if (present.length === 0) {
      this.differ(place, 'is missing');
      return;
    }
    for (const shape of present) this.within(place, shape);
    this.schema(schema, present, place, stack);
  }

  /** Versions: what the document of a version has, the table must have in that version. */
  private within(place: string, { since, until }: { readonly since?: ApiVersion; readonly until?: ApiVersion }): void {
    const minor = minorOf(this.document.version);
    if (since !== undefined && minor < minorOf(since)) this.differ(place, `is there before ${since}`);
    if (until !== undefined && minor > minorOf(until)) this.differ(place, `is still there after ${until}`);
  }

  /** `shapes`: all that the value can be, where an object varies. */
  private schema(schema: Schema, shapes: readonly Shape[], place: string, stack: readonly string[]): void {
    const flat = this.document.flatten(schema);
    const shaped = shapes.filter((shape) => shape.kind !== 'any');
    if (shaped.length === 0 || flat.through.some((name) => timesIn(stack, name) > 1)) return;
    const types = flat.properties !== null || flat.additional !== null ? ['object'] : flat.types;
    const misfit = shaped.find((shape) => !fits(types, shape));
    if (misfit !== undefined) {
      this.differ(place, `is ${types.join(' or ')} and the table says ${misfit.kind}`);
      return;
    }
    const inner = [...stack, ...flat.through];
    if (flat.items !== null) this.schema(flat.items, elements(shaped), `${place}[]`, inner);
    if (flat.additional !== null) this.values(flat.additional, shaped, place, inner);
    for (const [name, property] of Object.entries(flat.properties ?? {})) {
      this.field(property, fieldsNamed(name, shaped), `${place}.${name}`, inner);
    }
  }

  private values(schema: Schema, shapes: readonly Shape[], place: string, stack: readonly string[]): void {
    const maps = shapes.filter((shape) => shape.kind === 'map');
    if (maps.length < shapes.length) {
      this.differ(place, 'is a map and the table says object');
      return;
    }
    this.schema(
      schema,
      maps.flatMap((shape) => [shape.of, ...Object.values(shape.known ?? {})]),
      `${place}.*`,
      stack,
    );
  }
}

function fits(types: readonly string[], shape: Shape): boolean {
  // A list that may also be written as its single element.
  if (types.length > 1) return types.includes('array') && shape.kind === 'list' && shape.orOne === true;
  return types.every((type) => kindsFor[type]?.includes(shape.kind));
}

function timesIn(stack: readonly string[], name: string): number {
  return stack.filter((one) => one === name).length;
}

function elements(shapes: readonly Shape[]): readonly Shape[] {
  return shapes.flatMap((shape) => (shape.kind === 'list' ? [shape.of] : []));
}

function fieldsNamed(name: string, shapes: readonly Shape[]): readonly (Shape | undefined)[] {
  return shapes.flatMap((shape) => {
    if (shape.kind === 'map') return [shape.known?.[name] ?? shape.of];
    if (shape.kind !== 'object') return [];
    return [shape.fields, ...Object.values(shape.varies?.cases ?? {})].map((fields) => fields[name]);
  });
}
