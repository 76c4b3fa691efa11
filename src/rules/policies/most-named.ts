/**
 * What a call names is looked for one by one, with calls of ours to the engine, also when its client is long gone: so a call
 * names a bounded number of things.
 */

import type { Mark } from '../../docker/marks.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy, Verdict } from '../../exchange/policy.ts';
import { endpointsWith } from './endpoint-marks.ts';

const NAME = 'references';
/** Ten times what ordinary files say. */
const MOST = 250;

/** Endpoints whose calls can name things at all; what BuildKit is told of images is put in other words, and looked for by nobody. */
const concerned = new Set([...endpointsWith(isName)].filter(({ body }) => body.travel !== 'grpc'));

/** Stands before all others wherever a listener has a policy or a namespace. */
export const mostNamed: Policy = {
  name: NAME,
  judge(call: Call): Verdict {
    if (concerned.has(call.endpoint) && saysMany(call)) count(call);
    return { call, rule: 'few', changes: [] };
  },
};

/** What has neither a body nor a list names what stands in its path. */
function saysMany({ body, query }: Call): boolean {
  return body !== null || Object.values(query).some((value) => typeof value === 'object');
}

/** @throws Refusal */
function count(call: Call): void {
  let names = 0;
  visitCall(call, ({ marks, value, place }) => {
    if (typeof value === 'string' && value !== '' && marks.some(isName) && ++names > MOST) {
      throw refuse(NAME, 'many', `is one name too many: a call has at most ${MOST}`, { place });
    }
    return value;
  });
}

function isName({ mark }: Mark): boolean {
  return mark === 'uses' || mark === 'makes' || mark === 'borrows' || mark === 'host-path';
}
