/** What the calls of an endpoint can say at all, known before any call: most have nothing that a rule would look at. */

import type { Endpoint } from '../../docker/endpoint.ts';
import type { Mark } from '../../docker/marks.ts';
import { marksWithin } from '../../docker/marks-within.ts';
import { everyCall } from '../../docker/table.ts';

/** The endpoints in whose requests a mark of this kind can stand. */
export function endpointsWith(wanted: (mark: Mark) => boolean): ReadonlySet<Endpoint> {
  return new Set(everyCall.filter((endpoint) => marksOfRequest(endpoint).some(wanted)));
}

/** Every mark that a request of this endpoint can carry. */
export function marksOfRequest({ parameters, query, headers, body }: Endpoint): readonly Mark[] {
  const shapes = [parameters, query, headers].flatMap((fields) => Object.values(fields));
  if (body.shape !== undefined) shapes.push(body.shape);
  return shapes.flatMap((shape) => marksWithin(shape));
}
