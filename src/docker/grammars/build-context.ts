/** Where a build takes its files from: the body, the client's session, or an address. */

import { fetches, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const buildContext: Grammar = {
  name: 'build-context',
  form: 'client-session | upload-request | URL | GIT',
  marks: [own, fetches],
  dangerous: [
    'http://169.254.169.254/',
    'https://github.com/a/b.git#main',
    'git@github.com:a/b.git',
    'github.com/a/b',
    'git://10.0.0.1/x',
  ],
  split(text): readonly Part[] {
    if (text === '') return [];
    const brought = text === 'client-session' || text === 'upload-request';
    return [{ text, marks: [brought ? own : fetches] }];
  },
};
