/** Where a build by BuildKit takes a context from: an image, what the client brings, or an address. */

import { fetches, own, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const IMAGE = 'docker-image://';

export const namedContext: Grammar = {
  name: 'named-context',
  form: 'docker-image://IMAGE | local:NAME | input:NAME | URL | GIT',
  marks: [own, uses('image', 'name'), fetches],
  dangerous: ['http://169.254.169.254/', 'https://github.com/a/b.git', 'git@github.com:a/b.git', 'oci-layout://x'],
  split(text): readonly Part[] {
    if (text === '') return [];
    if (text.startsWith(IMAGE)) {
      return [
        { text: IMAGE, marks: [] },
        { text: text.slice(IMAGE.length), marks: [uses('image', 'name')] },
      ];
    }
    return [{ text, marks: [/^(local|input):/.test(text) ? own : fetches] }];
  },
};
