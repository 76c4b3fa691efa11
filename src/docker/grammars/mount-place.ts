/** The `volume` filter of container lists: a volume's name, or the path where something is mounted. */

import { own, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const mountPlace: Grammar = {
  name: 'mount-place',
  form: 'VOLUME | PATH',
  marks: [uses('volume', 'name'), own],
  split: (text): readonly Part[] => [{ text, marks: [text.startsWith('/') ? own : uses('volume', 'name')] }],
};
