/** The name that a client gives to its build, or the build that this call brings the files for. */

import { makes, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const upload = 'upload-request:';

export const buildId: Grammar = {
  name: 'build-id',
  form: 'ID | upload-request:ID',
  marks: [makes('build', 'id'), uses('build', 'id')],
  split(text): readonly Part[] {
    if (text === '') return [];
    if (!text.startsWith(upload)) return [{ text, marks: [makes('build', 'id')] }];
    return [
      { text: upload, marks: [] },
      { text: text.slice(upload.length), marks: [uses('build', 'id')] },
    ];
  },
};
