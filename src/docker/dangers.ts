/**
 * Everything that a request can say which reaches further than the thing itself, in every spelling that is known: for
 * whoever must refuse all of it, and has to show that.
 */

import type { Json, JsonObject } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import type { Mark } from './marks.ts';
import { elementOf, type Shape, type TextShape } from './shape.ts';

export interface Danger {
  readonly endpoint: Endpoint;
  /** `body.HostConfig.Binds[]`, `query.remote`; the keys of a map are `(key)`. */
  readonly place: string;
  readonly marks: readonly Mark[];
  /** What is said there. */
  readonly said: Json;
  readonly part: 'path' | 'query' | 'body';
  /** The whole body, or all parameters of that part. */
  readonly whole: JsonObject;
}

type Wrap = (value: Json) => Json;

const reaching: ReadonlySet<Mark['mark']> = new Set(['privilege', 'host-path', 'fetches']);

export function dangersOf(endpoint: Endpoint): readonly Danger[] {
  const found: Danger[] = [];
  const { parameters, query, body } = endpoint;
  for (const [part, fields] of [
    ['path', parameters],
    ['query', query],
  ] as const) {
    for (const [name, shape] of Object.entries<Shape>(fields)) {
      const within = (value: Json): Json => ({ [name]: value });
      new Walk(endpoint, part, found).node(`${part}.${name}`, shape, within);
    }
  }
  if (body.shape !== undefined) new Walk(endpoint, 'body', found).node('body', body.shape, (value) => value);
  return found;
}

class Walk {
  private readonly endpoint: Endpoint;
  private readonly part: Danger['part'];
  private readonly found: Danger[];

  constructor(endpoint: Endpoint, part: Danger['part'], found: Danger[]) {
    this.endpoint = endpoint;
    this.part = part;
    this.found = found;
  }

  node(place: string, shape: Shape, wrap: Wrap): void {
    for (const said of dangerousIn(shape)) this.add(place, shape, said, wrap(said));
    switch (shape.kind) {
      case 'list':
        this.node(`${place}[]`, shape.of, (value) => wrap([value]));
        break;
      case 'map': {
        for (const key of dangerousIn(shape.key)) {
          this.add(`${place}.(key)`, shape.key, key, wrap({ [String(key)]: sampleOf(elementOf(shape, String(key))) }));
        }
        this.node(`${place}.*`, shape.of, (value) => wrap({ x: value }));
        this.fields(place, shape.known ?? {}, wrap);
        for (const [prefix, family] of Object.entries(shape.families ?? {})) {
          const keys = Object.entries({ ...family.known, x: family.of }).map(
            ([key, of]) => [prefix + key, of] as const,
          );
          this.fields(place, Object.fromEntries(keys), wrap);
        }
        break;
      }
      case 'object': {
        this.fields(place, shape.fields, wrap);
        for (const [word, fields] of Object.entries(shape.varies?.cases ?? {})) {
          const by = shape.varies?.by as string;
          const changed = Object.entries(fields).filter(([name, inner]) => shape.fields[name] !== inner);
          this.fields(`${place}(${word})`, Object.fromEntries(changed), (value) =>
            wrap({ [by]: word, ...(value as JsonObject) }),
          );
        }
        break;
      }
      case 'filters':
        this.fields(place, shape.keys, (value) => wrap(listed(value)));
        break;
      case 'embedded':
        this.node(place, shape.of, wrap);
        break;
    }
  }

  private fields(place: string, fields: Readonly<Record<string, Shape>>, wrap: Wrap): void {
    for (const [name, shape] of Object.entries(fields)) {
      this.node(`${place}.${name}`, shape, (value) => wrap({ [name]: value }));
    }
  }

  private add(place: string, shape: Shape, said: Json, whole: Json): void {
    const { endpoint, part } = this;
    this.found.push({ endpoint, place, marks: marksOf(shape), said, part, whole: whole as JsonObject });
  }
}

function listed(filters: Json): Json {
  return Object.fromEntries(Object.entries(filters as JsonObject).map(([key, value]) => [key, [value]]));
}

function marksOf(shape: Shape): readonly Mark[] {
  const marks = shape.kind === 'text' ? [...shape.marks, ...(shape.grammar?.marks ?? [])] : shape.marks;
  return marks.filter(({ mark }) => reaching.has(mark));
}

/** The values at one node that reach further by what it says itself. */
function dangerousIn(shape: Shape): readonly Json[] {
  if (marksOf(shape).length === 0) return [];
  const empty =
    shape.emptyMeans === undefined ? [] : shape.kind === 'list' ? [[]] : shape.kind === 'object' ? [{}] : [];
  switch (shape.kind) {
    case 'bool':
      return [true];
    case 'int':
    case 'number':
      return [1, -1];
    case 'text':
      return dangerousTexts(shape);
    case 'list':
      return [...empty, [sampleOf(shape.of)]];
    case 'map':
      return [{ x: sampleOf(shape.of) }];
    case 'object':
      return Object.entries(shape.fields).map(([name, field]) => ({ [name]: sampleOf(field) }));
    default:
      return ['x', { x: 1 }];
  }
}

const paths = ['/', '/etc', '//etc', '/a/../etc', '/var/run/docker.sock', '/proc/1/root', '../etc', 'etc'];
const addresses = ['10.0.0.1', 'http://169.254.169.254/latest', 'localhost:5000', '[::1]:80', '127.1', '0x7f.1'];
const registries = ['10.0.0.1:5000/x', 'localhost:5000/x', '[::1]:5000/x', '169.254.169.254:80/x', '127.1:80/x'];

function dangerousTexts(shape: TextShape): readonly string[] {
  const { grammar, marks, values, neutral = [] } = shape;
  if (grammar !== undefined) return grammar.dangerous ?? [];
  if (values !== undefined) return values.filter((value) => value !== '' && !neutral.includes(value));
  if (marks.some(({ mark }) => mark === 'host-path')) return paths;
  const asked = marks.find((mark) => mark.mark === 'fetches');
  if (asked === undefined) return ['x', '1', ' ', 'host', 'true'].filter((text) => !neutral.includes(text));
  const image = marks.some((mark) => (mark.mark === 'uses' || mark.mark === 'makes') && mark.kind === 'image');
  return image ? registries : addresses;
}

/** Something that is not nothing. */
function sampleOf(shape: Shape): Json {
  switch (shape.kind) {
    case 'bool':
      return true;
    case 'int':
    case 'number':
      return 1;
    case 'list':
      return [sampleOf(shape.of)];
    case 'map':
      return { x: sampleOf(shape.of) };
    case 'object':
      return Object.fromEntries(Object.entries(shape.fields).map(([name, field]) => [name, sampleOf(field)]));
    default:
      return 'x';
  }
}
