/** Where a build takes its files from: the body, the client's session, or an address. */

import { fetches, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const buildContext: Grammar = {
  name: 'build-context',
  form: 'client-session | upload-request | URL | GIT',
  marks: [own, fetches],
  split(text): readonly Part[] {
    if (text === '') return [];
    const brought = text === 'client-session' || text === 'upload-request';
    return [{ text, marks: [brought ? own : fetches] }];
  },
};
