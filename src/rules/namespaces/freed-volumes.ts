/**
 * A volume that a job's containers have mounted too: when the container that the job was for is gone, those go as well, but a
 * moment later. Who removes the volume meanwhile waits for that, since these containers are none of its own.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { thingsIn } from '../../docker/named-things.ts';
import type { Call } from '../../exchange/call.ts';
import type { DeskAnswer, EngineDesk } from '../../exchange/engine-desk.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { ownerOf } from './ownership.ts';

const PATIENCE_MS = 10_000;
const AGAIN_MS = 200;

/** In the engine's names. @throws Refusal, Error where the engine does not answer */
export async function removeFreed(desk: EngineDesk, owner: string, { parameters, query }: Call): Promise<DeskAnswer> {
  for (const until = Date.now() + PATIENCE_MS; ; await pause(AGAIN_MS)) {
    const done = await desk.order('VolumeDelete', { parameters, query });
    if (done.status !== 409 || Date.now() > until) return done;
    if (!(await isOfJobsAlone(desk, owner, parameters.name ?? ''))) return done;
  }
}

async function isOfJobsAlone(desk: EngineDesk, owner: string, volume: string): Promise<boolean> {
  const query = { all: true, filters: { volume: [volume] } };
  const owners = thingsIn('container', await desk.ask('ContainerList', { query })).map(ownerOf);
  return owners.every((one) => one !== null && one !== owner && isJobId(one));
}
