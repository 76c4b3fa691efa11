/** The lines that pull, push, load, import and build send as they go on. */

import { type Mark, prose, repeatedProse } from '../marks.ts';
import { any, bool, int, object, text } from '../shape.ts';

const lineOf = (words: Mark) =>
  object({
    stream: text(words),
    status: text(words),
    progressDetail: object({ current: int(), total: int(), start: int(), hidecounts: bool(), units: text() }),
    /** The same as a bar of characters. */
    progress: text(),
    /** A short layer id, a tag, or `moby.buildkit.trace`. */
    id: text(words),
    from: text(words),
    time: int(),
    timeNano: int(),
    errorDetail: object({ code: int(), message: text(words) }),
    error: text(words),
    /** `{ID}` of a build, `{Tag, Digest, Size}` of a push, or BuildKit's own protobuf as base64. */
    aux: any(words),
  });

export const progressLine = lineOf(prose);

/** Of a build, which repeats its Dockerfile, and what its steps print. */
export const buildLine = lineOf(repeatedProse);
