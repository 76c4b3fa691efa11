/** Every node of the table's shapes with its place, for tests that look at all of them. */

import type { Endpoint } from '../../../src/docker/endpoint.ts';
import type { Grammar, Shape } from '../../../src/docker/shape.ts';

export interface Place {
  readonly endpoint: string;
  /** `query.all`, `body.HostConfig.Binds[]`, `body.Labels.*`; a map's keys are `body.Labels.(key)`. */
  readonly place: string;
  readonly shape: Shape;
}

export function requestPlaces(endpoint: Endpoint): readonly Place[] {
  const { parameters, query, headers, body } = endpoint;
  const walk = new Walk(endpoint.id);
  walk.fields('path', parameters);
  walk.fields('query', query);
  walk.fields('header', headers);
  if (body.shape !== undefined) walk.node('body', body.shape);
  return walk.places;
}

export function answerPlaces(endpoint: Endpoint): readonly Place[] {
  const walk = new Walk(endpoint.id);
  walk.fields('header', endpoint.answerHeaders);
  if (endpoint.answer.shape !== undefined) walk.node('answer', endpoint.answer.shape);
  return walk.places;
}

/** All grammars that the table uses. */
export function grammarsOf(table: readonly Endpoint[]): readonly Grammar[] {
  const places = table.flatMap((endpoint) => [...requestPlaces(endpoint), ...answerPlaces(endpoint)]);
  return [...new Set(places.flatMap(({ shape }) => (shape.kind === 'text' ? (shape.grammar ?? []) : [])))];
}

class Walk {
  readonly places: Place[] = [];
  private readonly endpoint: string;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  node(place: string, shape: Shape): void {
    this.places.push({ endpoint: this.endpoint, place, shape });
    switch (shape.kind) {
      case 'list':
        this.node(`${place}[]`, shape.of);
        break;
      case 'map':
        this.node(`${place}.(key)`, shape.key);
        this.node(`${place}.*`, shape.of);
        this.fields(place, shape.known ?? {});
        break;
      case 'object':
        this.fields(place, shape.fields);
        for (const [word, fields] of Object.entries(shape.varies?.cases ?? {})) {
          const changed = Object.entries(fields).filter(([name, inner]) => shape.fields[name] !== inner);
          this.fields(`${place}(${word})`, Object.fromEntries(changed));
        }
        break;
      case 'filters':
        this.fields(place, shape.keys);
        break;
      case 'embedded':
        this.node(place, shape.of);
        break;
    }
  }

  fields(place: string, fields: Readonly<Record<string, Shape>>): void {
    for (const [name, shape] of Object.entries(fields)) this.node(`${place}.${name}`, shape);
  }
}
