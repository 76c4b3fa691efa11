/** Has the engine pull an image before a call that needs it. */

import { progressFault } from '../docker/build-call.ts';
import type { QueryValues } from '../docker/query.ts';
import { Refusal } from '../ground/refusal.ts';
import type { RawHeaders } from '../wire/message.ts';
import type { EngineDesk } from './engine-desk.ts';

/** A pull may take as long until its registry says something. */
const PULL_MS = 10 * 60_000;

/**
 * `query` and `headers` as of a pull, which ends with `signal`: an engine that goes on would name an image when nobody is there
 * any more. @throws Refusal `not-found` in the engine's words where it fails; the reason of `signal`
 */
export function pullImage(
  engine: EngineDesk,
  query: QueryValues,
  headers: RawHeaders,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let failed: string | null = null;
    const stop = engine.follow(
      'ImageCreate',
      { query, headers, deadlineMs: PULL_MS },
      {
        onBegin: () => {},
        onDocument: (line) => {
          failed ??= progressFault(line);
        },
        onEnd: (fault) => {
          signal.removeEventListener('abort', leave);
          if (fault === null && failed === null) resolve();
          else reject(new Refusal('not-found', failed ?? `cannot pull ${query.fromImage}: ${fault?.message}`));
        },
      },
    );
    const leave = (): void => {
      stop();
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
  });
}
