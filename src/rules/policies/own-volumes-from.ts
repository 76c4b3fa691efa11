/**
 * Stands before the policies of listeners with job sockets: who takes over the volumes of a container that has a socket gets
 * these volumes and a socket of its own, never that one's. In a job the container that speaks can be named by its id too,
 * as `--volumes-from $HOSTNAME` does.
 */

import { withMounts } from '../../docker/asked-sockets.ts';
import { type LentPath, lendsPaths } from '../../docker/lent-paths.ts';
import { socketPathsOf } from '../../docker/socket-note.ts';
import {
  listWithout,
  mountedItself,
  mountsOf,
  type Taken,
  takenFrom,
  type VolumeMount,
  volumeMount,
} from '../../docker/taken-volumes.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Change, Policy, PolicyContext, Verdict } from '../../exchange/policy.ts';
import { isObject, type Json, type JsonObject, placeOf } from '../../ground/json.ts';
import { withValueAt } from '../../ground/json-path.ts';
import type { Refusal } from '../../ground/refusal.ts';
import { resolvePath } from './own-paths.ts';

const NAME = 'job-volumes';
/** Of an id, as an engine shortens it for the name of the host. */
const OWN_ID = /^[0-9a-f]{12,64}$/;

interface Given {
  readonly taken: Taken;
  /** Where it is to have a socket. */
  readonly sockets: readonly string[];
  readonly lent: readonly LentPath[];
  readonly mounts: readonly VolumeMount[];
}

export function ownVolumesFrom(desk: EngineDesk): Policy {
  return {
    name: NAME,
    judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
      const { endpoint, body } = call;
      const taken = endpoint.id === 'ContainerCreate' && isObject(body) ? takenFrom(body) : [];
      if (taken.length === 0) return { call, rule: 'none-taken', changes: [] };
      return judgeTaken(desk, context, call, body as JsonObject, taken);
    },
  };
}

async function judgeTaken(
  desk: EngineDesk,
  context: PolicyContext,
  call: Call,
  body: JsonObject,
  taken: readonly Taken[],
): Promise<Verdict> {
  const given: Given[] = [];
  const itself = mountedItself(body);
  for (const one of taken) {
    const own = isCaller(one, call) ? await ofCaller(desk, call, one) : await ofHolder(context, call, one);
    if (own === null) continue;
    if (one.beyond !== '') throw beyondVolumes(one);
    given.push(own);
  }
  if (given.length === 0) return { call, rule: 'no-socket', changes: [] };
  const { path, from, to } = listWithout(
    body,
    given.map((one) => one.taken),
  );
  const changes: Change[] = [{ rule: 'own-volumes', place: placeOf(path), from, to, warning: null, given: path }];
  // Of two that are mounted at the same place the later one counts.
  const at = new Map<string, { readonly lent?: LentPath; readonly mount?: JsonObject }>();
  for (const { lent, mounts } of given) {
    for (const path of lent) at.set(path.target, { lent: path });
    for (const { target, mount } of mounts) at.set(target, { mount });
  }
  for (const target of itself) at.delete(target);
  const found = [...at.values()];
  const lent = found.flatMap((one) => (one.lent === undefined ? [] : [one.lent]));
  const mounts = found.flatMap((one) => (one.mount === undefined ? [] : [one.mount]));
  const sockets = new Set([...(call.sockets ?? []), ...given.flatMap((one) => one.sockets)]);
  const without = withValueAt(body, path, to) as JsonObject;
  const changed = mounts.length === 0 ? without : withMounts(without, mounts);
  const wanted = [...sockets].filter((target) => call.sockets?.includes(target) === true || !itself.has(target));
  return {
    call: {
      ...call,
      body: changed,
      ...(lent.length === 0 ? {} : { lent: [...(call.lent ?? []), ...lent] }),
      ...(wanted.length === 0 ? {} : { sockets: wanted }),
    },
    rule: 'own-volumes',
    changes,
  };
}

/** Volumes that are said one by one cannot ask for it, and the engine by itself would lend the socket too. */
function beyondVolumes({ place, beyond }: Taken): Refusal {
  return refuse(NAME, 'mode', `must not ask for ${JSON.stringify(beyond)} of a container with a socket`, {
    place: placeOf(place),
  });
}

function isCaller({ container }: Taken, { caller }: Call): boolean {
  return caller !== undefined && OWN_ID.test(container) && caller.startsWith(container);
}

/** What the container of the job has itself: it has no name in the job. */
async function ofCaller(desk: EngineDesk, { caller = '' }: Call, taken: Taken): Promise<Given | null> {
  const inspection = await desk.ask('ContainerInspect', { parameters: { id: caller } });
  if (inspection === null) return null;
  const { place } = taken;
  const lent = mountsOf(inspection).map(({ target }) =>
    resolvePath({ place, source: target, target, readOnly: taken.readOnly, beyond: '' }, inspection),
  );
  return { taken, sockets: socketPathsOf(inspection), lent, mounts: [] };
}

/** Of a container of the namespace with a socket; null for any other, which the engine and the policies are to judge. */
async function ofHolder(context: PolicyContext, { version }: Call, taken: Taken): Promise<Given | null> {
  const inspection: Json = await context.lookUp('ContainerInspect', { id: taken.container });
  const sockets = socketPathsOf(inspection);
  if (sockets.length === 0) return null;
  if (lendsPaths(inspection)) {
    throw refuse(NAME, 'lent-paths', "must not take over a container that has directories of the job's own mounted", {
      place: placeOf(taken.place),
      hint: 'mount them by their path, as that container does',
    });
  }
  const mounts = mountsOf(inspection).map((mount) => {
    const said = volumeMount({ ...mount, writable: mount.writable && !taken.readOnly }, version);
    if (said !== null) return said;
    // The engine would lend the socket with the rest.
    throw refuse(NAME, 'other-mounts', `must not take over what a container with a socket has at ${mount.target}`, {
      place: placeOf(['HostConfig', 'VolumesFrom', taken.at]),
      hint: 'mount what is needed by itself, as that container does',
    });
  });
  return { taken, sockets, lent: [], mounts };
}
