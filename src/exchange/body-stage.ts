/** What the streamed body of a request passes through on its way to the engine. */

import type { BodySink } from '../wire/message.ts';

/**
 * Gives the sink that takes the client's bytes; what it makes of them goes `onward`, in any length. `fail` ends the call:
 * its first fault is the client's answer, and the engine sees a broken upload.
 */
export type BodyStage = (onward: BodySink, fail: (fault: unknown) => void) => BodySink;

/** The same stages, and how all that they hold is let go when the call is over. */
export function releasing(stages: readonly BodyStage[]): {
  readonly stages: readonly BodyStage[];
  release(): void;
} {
  const sinks: BodySink[] = [];
  const watched = (stage: BodyStage): BodyStage => {
    return (onward, fail) => {
      const sink = stage(onward, fail);
      sinks.push(sink);
      return sink;
    };
  };
  return {
    stages: stages.map(watched),
    release() {
      for (const sink of sinks) sink.release?.();
    },
  };
}

/** The first stage takes the client's own bytes. */
export function chained(stages: readonly BodyStage[]): BodyStage {
  return (onward, fail) => stages.reduceRight((sink, stage) => stage(sink, fail), onward);
}
