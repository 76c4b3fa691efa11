/** Which API version a call goes out with: always an explicit one. */

import { newestVersion, oldestVersion } from '../docker/table.ts';
import { minorOf, type Target } from '../docker/target.ts';
import { Refusal } from '../ground/refusal.ts';
import type { ApiRange } from './engine.ts';

const tableNewest = minorOf(newestVersion);
const tableOldest = minorOf(oldestVersion);

/** What is offered to clients: what both the engine and the table know. */
export function offered(engine: ApiRange): ApiRange {
  return { oldest: Math.max(engine.oldest, tableOldest), newest: Math.min(engine.newest, tableNewest) };
}

/** @throws Refusal version-too-old, version-too-new, in dockerd's own words */
export function negotiate(asked: Target['version'], engine: ApiRange): number {
  const { oldest, newest } = offered(engine);
  if (asked === null) return newest;
  const spelled = `${asked.major}.${asked.minor}`;
  if (asked.major < 1 || (asked.major === 1 && asked.minor < oldest)) {
    throw new Refusal(
      'version-too-old',
      `client version ${spelled} is too old. Minimum supported API version is 1.${oldest}, please upgrade your client to a newer version`,
    );
  }
  if (asked.major > 1 || asked.minor > newest) {
    throw new Refusal(
      'version-too-new',
      `client version ${spelled} is too new. Maximum supported API version is 1.${newest}`,
    );
  }
  return asked.minor;
}
