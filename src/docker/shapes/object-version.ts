/** The version of an object of a swarm; an update names the one that it changes. */

import { int, object } from '../shape.ts';

export const objectVersion = object({ Index: int() });
