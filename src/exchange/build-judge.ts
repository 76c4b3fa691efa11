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

/** What decides of an image how a build on it goes on. */
export interface BuildBase {
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** The triggers of ONBUILD. */
  readonly onBuild: readonly string[];
}

/** The images of a build in the engine's words. */
export interface BuildNaming {
  /** What the call that is carried names the Dockerfile, which is no file of the client's. */
  readonly dockerfile: string;
  /**
   * The engine's name for what the client calls `text`, in `written` as it stands in the Dockerfile. The engine has the
   * image from then on. @throws Refusal
   */
  image(
    text: string,
    written: string,
    platform: string | null,
  ): Promise<{ readonly name: string; readonly base: BuildBase }>;
  /** A key of LABEL, in the Dockerfile or in a trigger. @throws Refusal */
  label(key: string, line: number): void;
}

/**
 * Has the body of a build read on its way, for all who judge it, in their order, and written anew where the engine has
 * other names for its images.
 */
export type BuildReading = (
  call: Call,
  judges: readonly BuildJudge[],
  context: PolicyContext,
  naming: BuildNaming | null,
) => BodyStage;
