/** Labels of ours on the engine say what belongs to whom: no client sets one, or asks for things by one. */

import type { Mark } from '../../docker/marks.ts';
import { namesReserved, RESERVED_PREFIX } from '../../docker/reserved-labels.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy, Verdict } from '../../exchange/policy.ts';
import { endpointsWith } from './endpoint-marks.ts';

const NAME = 'reserved-labels';

/** Endpoints whose calls can speak of labels at all. */
const concerned = endpointsWith(({ mark }) => mark === 'labels');

/** Stands before all others wherever a listener has a policy or a namespace. */
export const reservedLabels: Policy = {
  name: NAME,
  judge(call: Call): Verdict {
    if (!concerned.has(call.endpoint)) return { call, rule: 'no-labels', changes: [] };
    visitCall(call, (leaf) => {
      if (leaf.marks.some(saysLabels) && namesReserved(leaf.value)) {
        throw refuse(NAME, 'reserved', `must not name a label that begins with ${RESERVED_PREFIX}`, {
          place: leaf.place,
          hint: 'these labels are set by Berthgate alone',
        });
      }
      return leaf.value;
    });
    return { call, rule: 'other-labels', changes: [] };
  },
};

function saysLabels({ mark }: Mark): boolean {
  return mark === 'labels';
}
