// Values of the table's shapes that name one thing at one marked place and say nothing else.
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import type { Kind } from '../../../src/docker/marks.ts';
import { marksWithin } from '../../../src/docker/marks-within.ts';
import type { Shape, TextShape } from '../../../src/docker/shape.ts';
import { table } from '../../../src/docker/table.ts';
import type { Json } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { refuseUnserved } from '../../../src/rules/namespaces/served.ts';

export type NamedKind = 'container' | 'network' | 'volume';

export interface Marked {
  readonly place: string;
  readonly kind: NamedKind;
  readonly spelling: string;
  readonly made: boolean;
  /** The value with this name there. */
  readonly with: (name: string) => Json;
}

/** How a name is written in each language that has one inside. */
const written: Readonly<Record<string, readonly [NamedKind, (name: string) => string][]>> = {
  bind: [['volume', (name) => `${name}:/data`]],
  'volumes-from': [['container', (name) => `${name}:ro`]],
  link: [['container', (name) => `${name}:alias`]],
  'container-path': [['container', (name) => `/${name}`]],
  'mount-place': [['volume', (name) => name]],
  'network-mode': [
    ['network', (name) => name],
    ['container', (name) => `container:${name}`],
  ],
  'pid-mode': [['container', (name) => `container:${name}`]],
  'ipc-mode': [['container', (name) => `container:${name}`]],
  'uts-mode': [['container', (name) => `container:${name}`]],
  'cgroup-spec': [['container', (name) => `container:${name}`]],
};

export function markedIn(shape: Shape, place = ''): readonly Marked[] {
  switch (shape.kind) {
    case 'text':
      return inText(shape, place);
    case 'list':
      return markedIn(shape.of, `${place}[]`).map((one) => ({ ...one, with: (name) => [one.with(name)] }));
    case 'embedded':
      return markedIn(shape.of, place);
    case 'filters':
      return Object.entries(shape.keys).flatMap(([key, text]) =>
        inText(text, `${place}.${key}`).map((one) => ({
          ...one,
          with: (name: string) => ({ [key]: [one.with(name)] }),
        })),
      );
    case 'map':
      return [
        ...markedIn(shape.key, `${place}.(key)`).map((one) => ({
          ...one,
          with: (name: string) => ({ [String(one.with(name))]: shape.of.kind === 'object' ? {} : '' }),
        })),
        ...markedIn(shape.of, `${place}.*`).map((one) => ({
          ...one,
          with: (name: string) => ({ net: one.with(name) }),
        })),
        ...Object.entries(shape.known ?? {}).flatMap(([key, inner]) => inField(key, inner, place, {})),
      ];
    case 'object':
      return [
        ...Object.entries(shape.fields).flatMap(([key, inner]) => inField(key, inner, place, {})),
        ...Object.entries(shape.varies?.cases ?? {}).flatMap(([word, fields]) =>
          Object.entries(fields)
            .filter(([key, inner]) => shape.fields[key] !== inner)
            .flatMap(([key, inner]) =>
              inField(key, inner, `${place}(${word})`, { [shape.varies?.by as string]: word }),
            ),
        ),
      ];
    default:
      return [];
  }
}

function inField(key: string, shape: Shape, place: string, beside: Readonly<Record<string, Json>>): readonly Marked[] {
  // What refers to itself would never end: every shape of the table is a finite tree.
  if (!marksWithin(shape).some(({ mark }) => mark === 'uses' || mark === 'makes')) return [];
  return markedIn(shape, `${place}.${key}`).map((one) => ({
    ...one,
    with: (name: string) => ({ ...beside, [key]: one.with(name) }),
  }));
}

function inText(shape: TextShape, place: string): readonly Marked[] {
  if (shape.grammar !== undefined) {
    return (written[shape.grammar.name] ?? []).map(([kind, spell]) => ({
      place: `${place} ${shape.grammar?.name}`,
      kind,
      spelling: 'any',
      made: kind === 'volume',
      with: spell,
    }));
  }
  for (const mark of shape.marks) {
    if ((mark.mark !== 'uses' && mark.mark !== 'makes') || !isNamed(mark.kind)) continue;
    const { kind, spelling } = mark;
    const made = shape.marks.some((one) => one.mark === 'makes');
    return [{ place, kind, spelling, made, with: (name) => (spelling === 'slashed' ? `/${name}` : name) }];
  }
  return [];
}

function isNamed(kind: Kind): kind is NamedKind {
  return kind === 'container' || kind === 'network' || kind === 'volume';
}

/** Where a request names something. */
export interface Spot extends Marked {
  readonly part: 'parameters' | 'query' | 'body';
}

/** Of a request's path, query and body. */
export function spotsOf(endpoint: Endpoint): readonly Spot[] {
  const inMap = (part: 'parameters' | 'query', shapes: Endpoint['query']): readonly Spot[] =>
    Object.entries(shapes).flatMap(([key, shape]) =>
      markedIn(shape, key).map((one) => ({ ...one, part, with: (name: string) => ({ [key]: one.with(name) }) })),
    );
  const body = endpoint.body.shape === undefined ? [] : markedIn(endpoint.body.shape, 'body');
  return [
    ...inMap('parameters', endpoint.parameters),
    ...inMap('query', endpoint.query),
    ...body.map((one) => ({ ...one, part: 'body' as const })),
  ];
}

/** What a namespace serves. */
export const served: readonly Endpoint[] = table.filter((endpoint) => {
  try {
    refuseUnserved(endpoint);
    return true;
  } catch (fault) {
    if (fault instanceof Refusal) return false;
    throw fault;
  }
});
