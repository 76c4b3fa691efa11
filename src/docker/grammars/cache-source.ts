/** An image whose layers a build may take over instead of building them again. */

import { privilege, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const source = privilege('builder', 'a cache of another kind than an image, which the engine reads or connects to');

export const cacheSource: Grammar = {
  name: 'cache-source',
  form: 'IMAGE',
  marks: [uses('image'), source],
  dangerous: ['type=local,src=/etc', 'type=registry,ref=10.0.0.1:5000/x', 'a,b', '"type=gha"'],
  split(text): readonly Part[] | null {
    // moby joins all sources with commas for BuildKit, which then reads `type=…,src=…` out of them.
    if (/[,="]/.test(text)) return null;
    return text === '' ? [] : [{ text, marks: [uses('image')] }];
  },
};
