/** What the prune calls have in common. */

import { labels, own } from '../marks.ts';
import { text } from '../shape.ts';

export const labelFilters = { label: text(labels), 'label!': text(labels) };

export const pruneFilters = { ...labelFilters, until: text(own) };
