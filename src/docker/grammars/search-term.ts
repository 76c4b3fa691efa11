/** What is searched for on Docker Hub, or behind the host of another registry. */

import { asksRegistry, own } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

export const searchTerm: Grammar = {
  name: 'search-term',
  form: 'TERM | HOST[:PORT]/TERM',
  marks: [own, asksRegistry],
  dangerous: ['10.0.0.1:5000/x', 'localhost/x', 'LocalHost/x', '[::1]:80/x', '169.254.169.254/x'],
  split(text): readonly Part[] | null {
    const slash = text.indexOf('/');
    const host = slash < 0 ? '' : text.slice(0, slash);
    // moby/daemon/pkg/registry/search.go: the first component is a host where a reference would take it for one.
    if (!/[.:]/.test(host) && host.toLowerCase() !== 'localhost') return text === '' ? [] : [{ text, marks: [own] }];
    return [
      { text: host, marks: [asksRegistry] },
      { text: text.slice(slash), marks: [own] },
    ];
  },
};
