/** `HostConfig.NetworkMode`: a word of the engine's, `container:REF`, or a network by name or id. */

import { borrows, own, privilege, uses } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const host = privilege('host-namespace', "uses the host's own network");
const joins = privilege('join-namespace', 'shares the network of another container');

export const networkMode: Grammar = {
  name: 'network-mode',
  form: 'none | host | container:CONTAINER | default | bridge | NETWORK',
  marks: [own, host, joins, uses('container'), uses('network'), borrows],
  dangerous: ['host', 'container'],
  split(text): readonly Part[] | null {
    if (text === '') return [];
    if (text === 'none') return [{ text, marks: [own] }];
    if (text === 'host') return [{ text, marks: [host] }];
    // moby up to 20.10 takes a bare `container` for container mode too (IsContainer splits and looks at the first part).
    if (text === 'container') return [{ text, marks: [joins] }];
    if (text.startsWith('container:')) {
      return [
        { text: 'container:', marks: [] },
        { text: text.slice('container:'.length), marks: [uses('container'), borrows, joins] },
      ];
    }
    // `default` and `bridge` are the one network that everybody on the engine shares: names like any other.
    return [{ text, marks: [uses('network'), borrows] }];
  },
};
