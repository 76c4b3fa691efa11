/** What the way of a call needs of an engine. */

import type { VersionRange } from '../docker/version-answer.ts';
import type { EnginePool } from '../wire/outbound.ts';

/** The API versions that an engine speaks. */
export type ApiRange = VersionRange;

export interface Engine {
  readonly name: string;
  readonly pool: EnginePool;
  /** Known at once after the first answer; asked again when the engine may have changed. @throws Refusal */
  api(): ApiRange | Promise<ApiRange>;
  /** Looked at now and then, never on the way of a call; absent where nobody looks. */
  readonly disk?: { readonly isFull: boolean; readonly roomBytes: number | null };
  /** Tells that a call failed in a way that a restart of the engine would explain. */
  doubt(): void;
}
