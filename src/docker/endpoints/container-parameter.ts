/** What the endpoints of one container have in common. */

import { uses } from '../marks.ts';
import { text } from '../shape.ts';

/** A name, an id, or any beginning of an id that only one container of the engine has. */
export const container = { id: text(uses('container')) };
