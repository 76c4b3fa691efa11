/** What the endpoints of one container have in common. */

import { borrows, uses } from '../marks.ts';
import { text } from '../shape.ts';

/** A name, an id, or any beginning of an id that only one container of the engine has. */
export const container = { id: text(uses('container')) };

/** The same, of endpoints that run something in the container, or reach what is mounted there. */
export const borrowed = { id: text(uses('container'), borrows) };
