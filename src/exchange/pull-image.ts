/** Has the engine pull an image before a call that needs it. */

import { progressFault } from '../docker/build-call.ts';
import type { QueryValues } from '../docker/query.ts';
import { Refusal } from '../ground/refusal.ts';
import type { RawHeaders } from '../wire/message.ts';
import type { EngineDesk } from './engine-desk.ts';

/** A pull may take as long until its registry says something. */
const PULL_MS = 10 * 60_000;

/** `query` and `headers` as of a pull. @throws Refusal `not-found` in the engine's words where it fails */
export function pullImage(engine: EngineDesk, query: QueryValues, headers: RawHeaders): Promise<void> {
  return new Promise((resolve, reject) => {
    let failed: string | null = null;
    engine.follow(
      'ImageCreate',
      { query, headers, deadlineMs: PULL_MS },
      {
        onBegin: () => {},
        onDocument: (line) => {
          failed ??= progressFault(line);
        },
        onEnd: (fault) => {
          if (fault === null && failed === null) resolve();
          else reject(new Refusal('not-found', failed ?? `cannot pull ${query.fromImage}: ${fault?.message}`));
        },
      },
    );
  });
}
