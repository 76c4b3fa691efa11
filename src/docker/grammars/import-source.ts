/** Where `POST /images/create` takes a file system from: the body of the call, or an address. */

import { fetches, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const importSource: Grammar = {
  name: 'import-source',
  form: '- | URL',
  marks: [own, fetches],
  dangerous: ['http://169.254.169.254/latest', 'https://example.org/x.tar', 'example.org/x.tar', '--', 'file:///etc'],
  split(text): readonly Part[] {
    if (text === '') return [];
    // moby puts http:// before what has no scheme.
    return [{ text, marks: [text === '-' ? own : fetches] }];
  },
};
