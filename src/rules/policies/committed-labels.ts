/**
 * An image that is committed of a container says nothing of what is ours on that: whatever is made of it elsewhere would be
 * counted for its user, and stopped by its time. Namespaces see to it by themselves.
 */

import { configWithoutOurs } from '../../docker/committed-image.ts';
import type { Call } from '../../exchange/call.ts';
import type { Policy, PolicyContext, Verdict } from '../../exchange/policy.ts';

/** Stands behind all others, since what it puts into the call is no word of the client's. */
export const committedLabels: Policy = {
  name: 'committed-labels',
  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const { endpoint, namespace, query } = call;
    if (endpoint.id !== 'ImageCommit' || namespace !== null) return { call, rule: 'no-commit', changes: [] };
    return commit(call, String(query.container ?? ''), context);
  },
};

async function commit(call: Call, container: string, context: PolicyContext): Promise<Verdict> {
  const body = configWithoutOurs(await context.lookUp('ContainerInspect', { id: container }), call.body);
  return { call: body === null ? call : { ...call, body }, rule: 'commit', changes: [] };
}
