/** Whoever judges a build by what its Dockerfile takes from elsewhere, which only the body of the call tells. */

import type { BodyStage } from './body-stage.ts';
import type { Call } from './call.ts';
import type { PolicyContext } from './policy.ts';

export interface BuildJudge {
  /** Named by FROM, COPY --from or a trigger, with its variables put in. `line` is of the Dockerfile. @throws Refusal */
  image(source: { readonly text: string; readonly line: number }): void | Promise<void>;
  /** What ADD fetches; `certain` is false where it may be a path all the same. @throws Refusal */
  address(text: string, line: number, certain: boolean): void;
}

/** Has the body of a build read on its way, for all who judge it, in their order. */
export type BuildReading = (call: Call, judges: readonly BuildJudge[], context: PolicyContext) => BodyStage;
