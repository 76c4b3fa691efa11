// Jobs that a killed process has left, on an engine that falters as they are looked for.
import { expect, test } from 'vitest';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { EventFeed, EventKeeper } from '../../../src/exchange/event-feed.ts';
import type { Json } from '../../../src/ground/json.ts';
import { placeHere } from '../../../src/jobs/instance-lock.ts';
import { JobSockets } from '../../../src/jobs/job-sockets.ts';
import { JobTally } from '../../../src/jobs/job-tally.ts';
import { newProcessId, ProcessJobs } from '../../../src/jobs/process-jobs.ts';
import { SocketFolders } from '../../../src/jobs/socket-folders.ts';

const JOB = 'j-0123456789abcdef0123';
const left = { Name: `${JOB}.data`, Labels: { 'berthgate.namespace': JOB, 'berthgate.job': JOB } };

/** `faltersFor`: so many lists of volumes fail. Gives what was ended when the first job was, and what was counted. */
async function leftToThe(faltersFor: number): Promise<{ readonly ended: readonly string[]; readonly leaks: number }> {
  const tally = new JobTally();
  const ended: string[] = [];
  let falters = faltersFor;
  let looks = 0;
  await new Promise<void>((resolve) => {
    const sockets = new JobSockets({
      desk: {
        ...emptyDesk('local'),
        ask: async (endpoint): Promise<Json> => {
          if (endpoint !== 'VolumeList') return [];
          if (falters-- > 0) throw new Error('the engine goes away');
          return { Volumes: [left] };
        },
      },
      feed: {
        keep: (keeper: EventKeeper) => {
          keeper.onBegin();
          return () => {};
        },
      } as unknown as EventFeed,
      installation: 'here',
      folders: new SocketFolders('/nonexistent/jobs'),
      tally,
      log: { info: () => {}, warn: () => {} },
      lingerMs: () => 0,
      serve: () => Promise.reject(new Error('there is none')),
      destroy: async (namespace) => {
        ended.push(namespace);
        resolve();
        return 0;
      },
      orphans: async () => [],
      jobOfImage: () => null,
      onLooked: () => {
        looks++;
      },
    });
    sockets.start();
    sockets.sweep();
  });
  expect(looks).toBe(1);
  return { ended, leaks: tally.leaks };
}

test('a job that has lost its containers is ended', async () => {
  expect(await leftToThe(0)).toEqual({ ended: [JOB], leaks: 1 });
});

test('an engine that goes away while such jobs are looked for is asked again, until it answers', async () => {
  expect(await leftToThe(2)).toEqual({ ended: [JOB], leaks: 1 });
});

/** The jobs that a sweep ends where an engine has these things of a process, and volumes. */
async function sweptOf(containers: readonly Json[], volumes: readonly Json[]): Promise<readonly string[]> {
  const ended: string[] = [];
  const desk = {
    ...emptyDesk('local'),
    ask: async (endpoint: string): Promise<Json> =>
      endpoint === 'ContainerList' ? containers : endpoint === 'VolumeList' ? { Volumes: volumes } : [],
  };
  const destroy = async ({ job }: { readonly job: string }) => {
    ended.push(job);
    return [];
  };
  await new ProcessJobs(desk, { destroy }, true).sweep(() => {}, new AbortController().signal);
  return ended;
}

function ofProcess(State: string): Json {
  const labels = { 'berthgate.namespace': JOB, 'berthgate.job': JOB, 'berthgate.instance': newProcessId() };
  return { Id: State, Names: [`/${JOB}.${State}`], Labels: labels, State };
}

test('what an engine has made for a job of a process that is in no book any more is ended', async () => {
  expect(await sweptOf([ofProcess('created')], [])).toEqual([JOB]);
});

test.each(['running', 'exited'])(
  'a job with a container that is %s is not ended for having lost its entry',
  async (state) => {
    expect(await sweptOf([ofProcess(state), ofProcess('created')], [])).toEqual([]);
  },
);

test('a job whose entry another version has written is not ended for that', async () => {
  const entry = { Name: `berthgate-${JOB}`, Labels: { 'berthgate.intent': '{"do":"job","v":2}' } };
  expect(await sweptOf([ofProcess('created')], [entry])).toEqual([]);
});

test('a job of a killed process that the engine is long about keeps no other one waiting', async () => {
  const { path, machine } = await placeHere('/nonexistent/lock');
  const jobs = ['1', '2', '3'].map((digit) => `j-${digit.repeat(20)}`);
  // Of before the last start of this machine.
  const entry = { do: 'job', lock: { path, machine, boot: 'before' }, beganMs: 0, kept: false };
  const Volumes = jobs.map((job) => {
    const labels = { 'berthgate.instance': newProcessId(), 'berthgate.intent': JSON.stringify({ ...entry, job }) };
    return { Name: `berthgate-${job}`, Labels: labels };
  });
  const ended: string[] = [];
  let othersEnd = (): void => {};
  const others = new Promise<void>((resolve) => {
    othersEnd = resolve;
  });
  const desk = {
    ...emptyDesk('local'),
    ask: async (endpoint: string): Promise<Json> => (endpoint === 'VolumeList' ? { Volumes } : []),
    order: async () => ({ status: 204, answer: null }),
  };
  const destroy = async ({ job }: { readonly job: string }) => {
    if (job === jobs[0]) await others;
    if (ended.push(job) === 2) othersEnd();
    return [];
  };
  const swept = await new ProcessJobs(desk, { destroy }, true).sweep(() => {}, new AbortController().signal);
  expect(ended).toEqual([jobs[1], jobs[2], jobs[0]]);
  expect(swept.map(({ job }) => job)).toEqual(jobs);
});
