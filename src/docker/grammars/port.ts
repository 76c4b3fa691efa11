/** Ports inside a container: `80/tcp`, `8000-8010/udp`; without a protocol it is tcp. */

import { own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const port: Grammar = {
  name: 'port',
  form: 'PORT[-PORT][/tcp | /udp | /sctp]',
  marks: [own],
  split(text): readonly Part[] | null {
    return /^[0-9]{1,5}(-[0-9]{1,5})?(\/(tcp|udp|sctp))?$/i.test(text) ? [{ text, marks: [own] }] : null;
  },
};
