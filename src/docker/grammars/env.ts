/** `NAME=value`; a bare `NAME` takes the variable of the image away. */

import { env, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const environmentVariable: Grammar = {
  name: 'env',
  form: 'NAME=value | NAME',
  marks: [env, own],
  split(text): readonly Part[] | null {
    const equals = text.indexOf('=');
    if (equals < 0) return [{ text, marks: [env, own] }];
    return [
      { text: text.slice(0, equals), marks: [env, own] },
      { text: '=', marks: [] },
      { text: text.slice(equals + 1), marks: [own] },
    ];
  },
};
