/** Which logs of a service or a task are asked for. */

import { own } from '../marks.ts';
import { bool, text } from '../shape.ts';

export const logParameters = {
  details: bool(own),
  follow: bool(own),
  stdout: bool(own),
  stderr: bool(own),
  since: text(own),
  timestamps: bool(own),
  tail: text(own),
};
