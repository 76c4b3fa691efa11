/** The lines that pull, push, load, import and build send as they go on. */

import { prose } from '../marks.ts';
import { any, bool, int, object, text } from '../shape.ts';

export const progressLine = object({
  stream: text(prose),
  status: text(prose),
  progressDetail: object({ current: int(), total: int(), start: int(), hidecounts: bool(), units: text() }),
  /** The same as a bar of characters. */
  progress: text(),
  /** A short layer id, a tag, or `moby.buildkit.trace`. */
  id: text(prose),
  from: text(prose),
  time: int(),
  timeNano: int(),
  errorDetail: object({ code: int(), message: text(prose) }),
  error: text(prose),
  /** `{ID}` of a build, `{Tag, Digest, Size}` of a push, or BuildKit's own protobuf as base64. */
  aux: any(prose),
});
