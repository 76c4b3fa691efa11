/** Links: `CONTAINER:ALIAS` in requests; in answers `/child:/parent/alias`. */

import { address, borrows, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const container = [uses('container')];
const linked = [uses('container'), borrows];
const alias = [address];

export const link: Grammar = {
  name: 'link',
  form: 'CONTAINER | CONTAINER:ALIAS | /CONTAINER:/PARENT/ALIAS',
  marks: [...linked, ...alias],
  split(text): readonly Part[] | null {
    const pieces = text.split(':');
    const [reference = '', name] = pieces;
    if (pieces.length > 2 || reference === '' || reference === '/') return null;
    const parts = slashed(reference);
    if (name === undefined) return parts;
    // moby, opts.ParseLink: only a reference behind a slash makes the right side a path, `/parent/alias`.
    const path = reference.startsWith('/') ? /^\/([^/]+)\/([^/]+)$/.exec(name) : null;
    if (path === null) return [...parts, separator(':'), { text: name, marks: alias }];
    const [, parent = '', last = ''] = path;
    return [
      ...parts,
      separator(':/'),
      { text: parent, marks: container },
      separator('/'),
      { text: last, marks: alias },
    ];
  },
};

/** The names of a container as lists show them: `/web`, and `/parent/alias` for each link to it. */
export const containerPath: Grammar = {
  name: 'container-path',
  form: '/CONTAINER | /PARENT/ALIAS',
  marks: [uses('container', 'name'), address],
  split(text): readonly Part[] | null {
    const path = /^\/([^/]+)(?:\/([^/]+))?$/.exec(text);
    if (path === null) return null;
    const [, name = '', last] = path;
    const first: readonly Part[] = [separator('/'), { text: name, marks: [uses('container', 'name')] }];
    return last === undefined ? first : [...first, separator('/'), { text: last, marks: alias }];
  },
};

function slashed(reference: string): readonly Part[] {
  if (!reference.startsWith('/')) return [{ text: reference, marks: linked }];
  return [separator('/'), { text: reference.slice(1), marks: linked }];
}

function separator(text: string): Part {
  return { text, marks: [] };
}
