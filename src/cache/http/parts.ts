/** What the cache is given to work with. */

import type { Store } from '../store.ts';
import type { Asked } from './asked.ts';
import type { Origins } from './origin.ts';
import type { HttpCacheTally, ServedKind } from './tally.ts';

export interface HttpCacheParts {
  readonly store: () => Store;
  readonly origins: () => Origins;
  readonly tally: HttpCacheTally;
  readonly onServed: (asked: Asked, kind: ServedKind, bytes: number) => void;
  /** Something is not kept, or not had: for the log. */
  readonly onFault: (asked: Asked, what: string, fault: unknown) => void;
}
