/** Makes harmless what ordinary files ask for too much of, and tells the client; what is left is judged as it is. */

import { restartsAtMost, ulimitWithin } from '../../../docker/bounded.ts';
import type { Mark } from '../../../docker/marks.ts';
import { isNeutral } from '../../../docker/neutral.ts';
import type { Leaf } from '../../../docker/visit.ts';
import { visitCall } from '../../../docker/visit-call.ts';
import type { Call } from '../../../exchange/call.ts';
import type { Change } from '../../../exchange/policy.ts';
import { type Json, printJson } from '../../../ground/json.ts';
import type { Changed } from './changed.ts';
import { decisionOn } from './decisions.ts';

export interface BoundsOptions {
  /** How often a container that failed is started again. */
  readonly restarts: number;
  /** The most of each limit of the kernel, by its name. */
  readonly ulimits: Readonly<Record<string, number>>;
}

const MILLISECOND = 1_000_000;
const LEAST_INTERVAL = 100 * MILLISECOND;
/** An engine that is told to end waits for each container as long as that one says. */
const LONGEST_STOP_S = 600;

interface Bounded {
  readonly rule: string;
  readonly to: Json;
  readonly warning: string;
}

export function applyBounds(call: Call, options: BoundsOptions): Changed {
  const changes: Change[] = [];
  const bounded = visitCall(call, (leaf) => {
    const bound = boundOf(leaf, options);
    if (bound === null) return leaf.value;
    const { rule, to, warning } = bound;
    const inBody = !/^(query|path)\.|^header /.test(leaf.place);
    const given = inBody ? leaf.path : null;
    changes.push({ rule, place: leaf.place, from: leaf.value, to, warning: `${leaf.place}: ${warning}`, given });
    return to;
  });
  return { call: changes.length === 0 ? call : bounded, changes };
}

function boundOf(leaf: Leaf, options: BoundsOptions): Bounded | null {
  for (const mark of leaf.marks) {
    const bound = boundBy(mark, leaf, options);
    if (bound !== null && bound.to !== leaf.value) return bound;
  }
  return null;
}

function boundBy(mark: Mark, { value, shape }: Leaf, { restarts, ulimits }: BoundsOptions): Bounded | null {
  if (decisionOn(mark).asked === 'leave out') {
    if (isNeutral(shape, value)) return null;
    return { rule: 'swarm-only', to: false, warning: 'left out: it means something in a swarm only' };
  }
  if (mark.mark !== 'resource') return null;
  switch (mark.unit) {
    case 'restarts': {
      const to = restartsAtMost(value, restarts);
      return { rule: 'restarts', to, warning: `restarted at most ${restarts} times, when it has failed` };
    }
    case 'ulimit': {
      const to = ulimitWithin(value, ulimits);
      return { rule: 'ulimits', to, warning: `lowered to ${printJson(to)}` };
    }
    case 'nanoseconds': {
      const short = typeof value === 'number' && value > 0 && value < LEAST_INTERVAL;
      return short ? { rule: 'intervals', to: LEAST_INTERVAL, warning: 'raised to 100ms' } : null;
    }
    case 'seconds': {
      const long = typeof value === 'number' && (value < 0 || value > LONGEST_STOP_S);
      return long ? { rule: 'stop-timeout', to: LONGEST_STOP_S, warning: 'lowered to ten minutes' } : null;
    }
    default:
      return null;
  }
}
