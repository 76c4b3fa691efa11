/** How the engine asks a container for its health. Times are in nanoseconds. */

import { own, resource } from '../marks.ts';
import { int, list, object, since, text } from '../shape.ts';

export const healthcheck = object({
  Test: list(text(own)),
  // Every check starts a program: short intervals are load for everybody.
  Interval: int(resource('nanoseconds')),
  Timeout: int(own),
  StartPeriod: since('1.29', int(own)),
  StartInterval: since('1.44', int(resource('nanoseconds'))),
  Retries: int(own),
});
