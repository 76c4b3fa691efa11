/** What administrators see and do of the jobs on all engines. */

import type { Job } from '../../jobs/job.ts';
import type { JobEntry } from '../../jobs/job-entry.ts';
import { isJobId } from '../../jobs/job-id.ts';
import type { EndStep, JobThing, ProcessJobs } from '../../jobs/process-jobs.ts';
import type { JobAdministration, JobSummary } from '../../operate/admin/jobs-api.ts';
import type { NamespaceThing, RemovalLine } from '../../operate/admin/namespaces-api.ts';
import { destroyNamespace, type EngineSide, type Holding, survey } from '../../rules/namespaces/index.ts';

/** Of one engine. */
export interface JobsOn {
  readonly side: EngineSide;
  readonly processes: ProcessJobs;
  /** Those that containers hold. */
  readonly sockets: readonly Job[];
}

export function jobAdministration(engines: () => readonly JobsOn[]): JobAdministration {
  return {
    isJob: isJobId,
    async list() {
      const lists = await Promise.all(engines().map(jobsOn));
      return lists.flat().sort((one, other) => ((one.began ?? '') < (other.began ?? '') ? -1 : 1));
    },
    async remove(job, onLine, signal) {
      const complete = await Promise.all(engines().map((on) => removeFrom(on, job, onLine, signal)));
      onLine({ step: 'done', complete: complete.every((one) => one) });
    },
  };
}

async function jobsOn({ side, processes, sockets }: JobsOn): Promise<readonly JobSummary[]> {
  const held = new Map([...(await survey(side))].filter(([namespace]) => isJobId(namespace)));
  const entries = await processes.entries();
  const summary = (job: string, facts: Pick<JobSummary, 'holder' | 'owner' | 'listener' | 'began' | 'state'>) => ({
    engine: side.desk.name,
    job,
    ...facts,
    ...counted(held.get(job) ?? []),
  });
  const ofProcesses = entries.map(async (entry) =>
    summary(entry.job, {
      holder: 'process',
      owner: entry.owner,
      listener: null,
      began: new Date(entry.beganMs).toISOString(),
      state: await stateOf(entry, processes),
    }),
  );
  const ofContainers = sockets.map(({ id, note, beganAtMs, ending }) =>
    summary(id, {
      holder: 'containers',
      owner: note.owner.user,
      listener: note.listener,
      began: new Date(beganAtMs).toISOString(),
      state: ending === null ? 'lives' : 'ending',
    }),
  );
  const known = new Set([...entries.map(({ job }) => job), ...sockets.map(({ id }) => id)]);
  const others = [...held.keys()].filter((job) => !known.has(job));
  const left = others.map((job) =>
    summary(job, { holder: 'containers', owner: '', listener: null, began: null, state: 'ended' }),
  );
  return [...(await Promise.all(ofProcesses)), ...ofContainers, ...left];
}

async function stateOf({ kept, lock }: JobEntry, processes: ProcessJobs): Promise<JobSummary['state']> {
  return kept ? 'kept' : processes.standingOf(lock);
}

function counted(things: readonly Holding[]) {
  const count = (kind: Holding['kind']): number => things.filter((thing) => thing.kind === kind).length;
  return {
    containers: count('container'),
    networks: count('network'),
    volumes: count('volume'),
    images: new Set(things.flatMap(({ image }) => image ?? [])).size,
  };
}

/** Whether nothing is left. */
async function removeFrom(
  { side, processes, sockets }: JobsOn,
  job: string,
  onLine: (line: RemovalLine) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const engine = side.desk.name;
  const told = ({ kind, name, id }: JobThing): NamespaceThing => ({ engine, kind, name, id, state: null });
  const onStep = (step: EndStep): void => {
    if (step.step === 'removed') onLine({ step: 'removed', thing: told(step.thing) });
    else onLine({ ...step, engine, thing: step.thing === null ? null : told(step.thing) });
  };
  // Whoever speaks over them would make things anew.
  for (const one of sockets) if (one.id === job) one.refuse();
  const entry = (await processes.entries()).find((one) => one.job === job);
  const left =
    entry === undefined
      ? await destroyNamespace(side, job, onStep, signal)
      : (await processes.end(entry, onStep, signal)).left;
  for (const { thing, reason } of left) onLine({ step: 'left', thing: told(thing), reason });
  return left.length === 0;
}
