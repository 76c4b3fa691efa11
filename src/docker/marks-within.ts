/** Every mark that a value of a shape can carry, at any depth. */

import type { Mark } from './marks.ts';
import type { Shape } from './shape.ts';

export function marksWithin(shape: Shape): readonly Mark[] {
  switch (shape.kind) {
    case 'text':
      return shape.grammar === undefined ? shape.marks : [...shape.marks, ...shape.grammar.marks];
    case 'list':
    case 'embedded':
      return [...shape.marks, ...marksWithin(shape.of)];
    case 'map': {
      const elements = [
        shape.key,
        shape.of,
        ...Object.values(shape.known ?? {}),
        ...Object.values(shape.families ?? {}),
      ];
      return [...shape.marks, ...elements.flatMap(marksWithin)];
    }
    case 'object': {
      const fields = [shape.fields, ...Object.values(shape.varies?.cases ?? {})];
      return [...shape.marks, ...fields.flatMap((meant) => Object.values(meant).flatMap(marksWithin))];
    }
    case 'filters':
      return [...shape.marks, ...Object.values(shape.keys).flatMap(marksWithin)];
    default:
      return shape.marks;
  }
}
