/** `repository:tag@digest`, or an image's id: one stretch that names an image. The parser of references looks inside. */

import { uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const image = [uses('image')];

export const imageReference: Grammar = {
  name: 'image-reference',
  form: '[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST] | ID',
  marks: image,
  split: (text): readonly Part[] => (text === '' ? [] : [{ text, marks: image }]),
};
