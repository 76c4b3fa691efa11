/** A call that a policy has changed, and what it changed. */

import type { Call } from '../../../exchange/call.ts';
import type { Change } from '../../../exchange/policy.ts';

export interface Changed {
  readonly call: Call;
  readonly changes: readonly Change[];
}
