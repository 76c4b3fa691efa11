/** Resources that an engine offers to a swarm by a name of its own, such as graphics cards. */

import type { Mark } from '../marks.ts';
import { int, list, object, text } from '../shape.ts';

export function genericResources(...marks: readonly Mark[]) {
  return list(
    object({
      NamedResourceSpec: object({ Kind: text(...marks), Value: text(...marks) }),
      DiscreteResourceSpec: object({ Kind: text(...marks), Value: int(...marks) }),
    }),
  );
}
