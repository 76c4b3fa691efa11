/** `name:address` lines of a container's hosts file; `host-gateway` stands for an address of the host. */

import { address, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const gateway = privilege('host-namespace', 'the address at which containers reach the host');

export const extraHost: Grammar = {
  name: 'extra-host',
  form: 'NAME:ADDRESS | NAME:host-gateway',
  marks: [address, gateway],
  dangerous: ['host:host-gateway', 'host', ':host-gateway'],
  split(text): readonly Part[] | null {
    const cut = text.indexOf(':');
    if (cut < 1) return null;
    const target = text.slice(cut + 1);
    return [
      { text: text.slice(0, cut), marks: [address] },
      { text: ':', marks: [] },
      { text: target, marks: [target === 'host-gateway' ? gateway : address] },
    ];
  },
};
