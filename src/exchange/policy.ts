/** What judges a call: rules of a listener that may refuse it, or change what it says. */

import type { Json } from '../ground/json.ts';
import type { Call } from './call.ts';

/** One thing that a policy changed. */
export interface Change {
  readonly rule: string;
  /** `HostConfig.RestartPolicy.Name`; `query.…` and `header …` for the other parts of a call. */
  readonly place: string;
  readonly from: Json;
  readonly to: Json;
  /** Told to the client among the warnings of the answer, where it has such; null = silently. */
  readonly warning: string | null;
  /** Where the client goes on seeing `from` when it looks at what it made: the path in the body; null = it sees `to`. */
  readonly given: readonly (string | number)[] | null;
}

/** What a policy found: the rule that lets the call pass, and the call as it shall go on. */
export interface Verdict {
  readonly call: Call;
  readonly rule: string;
  readonly changes: readonly Change[];
  /** What would have been refused, had the policy been enforced (mode `warn`). */
  readonly wouldRefuse?: string;
  /** Told once when the call has ended, with the status that the client got; 0 for none. */
  readonly onEnd?: (status: number) => void;
}

/** What a policy may ask while it judges. */
export interface PolicyContext {
  /**
   * What the engine says of an object by a GET endpoint of the table, e.g. `ContainerInspect` with `{id}`; null when there
   * is none. @throws Refusal when the engine does not answer
   */
  lookUp(endpointId: string, parameters: Readonly<Record<string, string>>): Promise<Json>;
}

export interface Policy {
  readonly name: string;
  /** @throws Refusal `refused`, made by `refuse()` */
  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict>;
}
