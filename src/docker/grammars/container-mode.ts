/** `container:REF` beside words such as `host`: the modes of namespaces that can join another container. */

import { borrows, own, privilege, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const joins = privilege('join-namespace', 'shares a namespace with another container');
const host = privilege('host-namespace', "uses the host's own namespace");

/** `words` are the values that stay within the container. */
export function containerMode(name: string, words: readonly string[]): Grammar {
  return {
    name,
    form: [...words.map((word) => word || '""'), 'host', 'container:CONTAINER'].join(' | '),
    marks: [own, host, joins, uses('container'), borrows],
    dangerous: ['host', 'Host', 'container', 'container ', 'ns:/proc/1/ns/pid', ' host', 'HOST'],
    split(text): readonly Part[] | null {
      if (words.includes(text)) return [{ text, marks: [own] }];
      if (text === 'host') return [{ text, marks: [host] }];
      // moby: a bare `container` counts as container mode too (container/hostconfig.go, IsContainer).
      if (text === 'container') return [{ text, marks: [joins] }];
      if (!text.startsWith('container:')) return null;
      return [
        { text: 'container:', marks: [] },
        { text: text.slice('container:'.length), marks: [uses('container'), borrows, joins] },
      ];
    },
  };
}
