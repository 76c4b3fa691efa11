/** One mark for whatever is said to a swarm: it holds on every node. */

import { type Mark, own, privilege } from '../marks.ts';
import type { ListShape, MapShape, ObjectShape, Shape } from '../shape.ts';

export const everyNode = privilege('cluster', 'reaches every node of the swarm');

/** The same shape with the mark on every leaf, in place of `own`. */
export function clusterWide<S extends Shape>(shape: S): S {
  const marks: readonly Mark[] = shape.marks.filter((mark) => mark !== own);
  switch (shape.kind) {
    case 'object': {
      const { fields, varies } = shape as ObjectShape;
      const cases = varies && Object.entries(varies.cases).map(([word, meant]) => [word, all(meant)] as const);
      return {
        ...shape,
        marks,
        fields: all(fields),
        ...(cases && { varies: { ...varies, cases: Object.fromEntries(cases) } }),
      };
    }
    case 'list':
      return { ...shape, marks, of: clusterWide((shape as ListShape).of) };
    case 'map': {
      const { key, of, known } = shape as MapShape;
      return { ...shape, marks, key: clusterWide(key), of: clusterWide(of), ...(known && { known: all(known) }) };
    }
    default:
      return { ...shape, marks: [...marks, everyNode] };
  }
}

function all(shapes: Readonly<Record<string, Shape>>): Readonly<Record<string, Shape>> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, clusterWide(shape)]));
}
