/**
 * Stands before the policies of a listener with job sockets: a create that asks for the engine's socket is to get one of
 * its own. The engine's is taken out before anybody judges what the create mounts, and is never mounted.
 */

import { askedSockets, isMountedOver, SOCKET_PATHS } from '../../docker/asked-sockets.ts';
import { isReaper } from '../../docker/testcontainers.ts';
import type { Call } from '../../exchange/call.ts';
import type { Change, Policy, Verdict } from '../../exchange/policy.ts';
import { isObject, type JsonObject, placeOf } from '../../ground/json.ts';
import { valueAt, withValueAt } from '../../ground/json-path.ts';

const NAME = 'job-sockets';
const PRIVILEGED = ['HostConfig', 'Privileged'] as const;

export interface OwnSocketsOptions {
  /** Every container, or those alone that ask for the engine's. */
  readonly for: 'requested' | 'every';
  /** Paths of the host that mean the engine beside the usual ones. */
  readonly paths: readonly string[];
}

export function ownSockets({ for: extent, paths }: OwnSocketsOptions): Policy {
  const meant = new Set([...SOCKET_PATHS, ...paths]);
  return {
    name: NAME,
    judge(call: Call): Verdict {
      const { body, endpoint } = call;
      if (endpoint.id !== 'ContainerCreate' || !isObject(body)) return { call, rule: 'no-create', changes: [] };
      const { targets, lists } = askedSockets(body, meant);
      const sockets = targets.length > 0 || extent === 'requested' ? targets : defaultFor(body);
      if (sockets.length === 0) return { call, rule: 'not-asked', changes: [] };
      const changes: Change[] = lists.map(({ path, from, to }) => {
        return { rule: 'own-socket', place: placeOf(path), from, to, warning: null, given: path };
      });
      // Testcontainers asks for the right to open the host's socket, and has no other use for it.
      if (isReaper(body) && valueAt(body, PRIVILEGED) === true) {
        changes.push({
          rule: 'reaper',
          place: placeOf(PRIVILEGED),
          from: true,
          to: false,
          warning: null,
          given: PRIVILEGED,
        });
      }
      let changed: JsonObject = body;
      for (const { given, to } of changes) changed = withValueAt(changed, given ?? [], to) as JsonObject;
      return { call: { ...call, body: changed, sockets }, rule: 'own-socket', changes };
    },
  };
}

function defaultFor(body: JsonObject): readonly string[] {
  const [path = ''] = SOCKET_PATHS;
  return isMountedOver(body, path) ? [] : [path];
}
