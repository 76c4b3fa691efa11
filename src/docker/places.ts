/** The places of calls, as a configuration may name them: `HostConfig.CapAdd`, `query.buildargs.HTTP_PROXY`. */

import { elementOf, type Shape } from './shape.ts';
import { everyCall } from './table.ts';

/** Whether some call can say something there. Lists have no step of their own; the rest behind a map is its key. */
export function hasPlace(place: string): boolean {
  const inQuery = /^query\.([^.]+)(?:\.(.+))?$/.exec(place);
  return everyCall.some(({ query, body }) => {
    if (inQuery === null) return body.shape !== undefined && holds(body.shape, place);
    const shape = query[inQuery[1] as string];
    return shape !== undefined && holds(shape, inQuery[2] ?? '');
  });
}

function holds(shape: Shape, place: string): boolean {
  switch (shape.kind) {
    case 'list':
    case 'embedded':
      return holds(shape.of, place);
    case 'map':
      if (place === '') return true;
      return shape.of.kind === 'object' || shape.of.kind === 'list'
        ? holdsBehindKey(shape.of, place)
        : elementOf(shape, place) !== undefined;
    case 'object': {
      if (place === '') return true;
      const [field = '', ...rest] = place.split('.');
      const inner = Object.hasOwn(shape.fields, field) ? shape.fields[field] : undefined;
      return inner !== undefined && holds(inner, rest.join('.'));
    }
    case 'filters':
      return place === '' || Object.hasOwn(shape.keys, place);
    default:
      return place === '';
  }
}

/** A key may hold points itself. */
function holdsBehindKey(of: Shape, place: string): boolean {
  const steps = place.split('.');
  return steps.some((_, index) => index > 0 && holds(of, steps.slice(index).join('.')));
}
