/** What is told of jobs. */

import { type Metric, value } from './metric.ts';

interface JobFacts {
  readonly living: number;
  readonly began: number;
  readonly ended: number;
  readonly leaks: number;
  readonly sweepSeconds: number;
  /** By kind. */
  readonly removed: ReadonlyMap<string, number>;
}

export interface JobSources {
  readonly jobs: () => JobFacts;
}

export const jobMetrics: readonly Metric<JobSources>[] = [
  {
    name: 'berthgate_jobs',
    type: 'gauge',
    help: 'Jobs that live: temporary namespaces behind the sockets of containers.',
    labels: [],
    *values({ jobs }) {
      yield value({}, jobs().living);
    },
  },
  {
    name: 'berthgate_jobs_began_total',
    type: 'counter',
    help: 'Jobs that began, or were found at the start.',
    labels: [],
    *values({ jobs }) {
      yield value({}, jobs().began);
    },
  },
  {
    name: 'berthgate_jobs_ended_total',
    type: 'counter',
    help: 'Jobs that were ended, with everything that was made in them.',
    labels: [],
    *values({ jobs }) {
      yield value({}, jobs().ended);
    },
  },
  {
    name: 'berthgate_job_leaks_total',
    type: 'counter',
    help: 'Jobs that were found on an engine though nobody runs any more who would end them: most often after a kill.',
    labels: [],
    *values({ jobs }) {
      yield value({}, jobs().leaks);
    },
  },
  {
    name: 'berthgate_job_sweep_seconds_total',
    type: 'counter',
    help: 'How long it took to remove what jobs had made, together: an engine that was down is waited for.',
    labels: [],
    *values({ jobs }) {
      yield value({}, jobs().sweepSeconds);
    },
  },
  {
    name: 'berthgate_job_objects_removed_total',
    type: 'counter',
    help: 'What was removed at the end of jobs.',
    labels: ['kind'],
    *values({ jobs }) {
      for (const [kind, count] of jobs().removed) yield value({ kind }, count);
    },
  },
];
