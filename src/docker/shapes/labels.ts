/** Labels: free words of the client, through which ownership is told as well. */

import { labels, own } from '../marks.ts';
import { map, text } from '../shape.ts';

export const labelMap = map(text(own), text(own), labels);
