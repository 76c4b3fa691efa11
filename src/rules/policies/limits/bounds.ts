/** Defaults and maxima of what one container or one build may take. */

import type { CallPath } from '../../../docker/call-place.ts';
import {
  cpusOf,
  type HeldResources,
  type Resource,
  type ResourcePlaces,
  type Said,
  saidOf,
  usualPeriod,
  writtenAt,
} from '../../../docker/resources.ts';
import { formatSize } from '../../../ground/size.ts';
import { type Bounding, overLimit } from './bounding.ts';
import type { Bound, LimitsOptions } from './options.ts';

/** What has to be asked of the engine, where a call needs it. */
export interface Surroundings {
  /** What the container of an update holds now. */
  readonly held: HeldResources | null;
  /** The processors of the engine's machine: it refuses to be asked for more. */
  readonly processors: number;
}

export function boundResources(
  bounding: Bounding,
  places: ResourcePlaces,
  { memory, swap, cpus, pids, shm }: LimitsOptions,
  surroundings: Surroundings,
): void {
  if (memory !== undefined) boundMemory(bounding, places, boundOf(memory));
  const most = swap?.max ?? (memory?.max === undefined ? undefined : 2 * memory.max);
  if (swap !== undefined || most !== undefined) {
    boundSwap(bounding, places, { default: swap?.default, max: most, over: swap?.over ?? memory?.over ?? 'refuse' });
  }
  if (cpus !== undefined) boundCpus(bounding, places, boundOf(cpus), surroundings);
  if (pids !== undefined) boundNumber(bounding, places, 'pids', boundOf(pids), String);
  if (shm !== undefined) boundShm(bounding, places, boundOf(shm));
}

function boundOf(bound: {
  readonly default?: number | undefined;
  readonly max?: number | undefined;
  readonly over: Bound['over'];
}): Bound {
  return { default: bound.default, max: bound.max, over: bound.over };
}

function boundMemory(bounding: Bounding, places: ResourcePlaces, bound: Bound): void {
  const reserved = saidOf(bounding.call, places, 'memory-reservation');
  const least = reserved?.kind === 'amount' ? reserved.amount : 0;
  const usual = bound.default === undefined ? undefined : Math.max(bound.default, least);
  // The engine refuses a limit that is below what is reserved.
  const raised = usual === undefined || bound.max === undefined ? usual : Math.min(usual, bound.max);
  boundNumber(bounding, places, 'memory', { ...bound, default: raised }, formatSize);
}

/** Where nothing is said, the engine lets a container swap as much as it has memory. */
function boundSwap(bounding: Bounding, places: ResourcePlaces, bound: Bound): void {
  const said = saidOf(bounding.call, places, 'memory-and-swap');
  if (said === null || said.kind === 'unchanged') return;
  if (said.kind !== 'unsaid') {
    boundSaid(bounding, 'swap', said, bound, formatSize);
    return;
  }
  const memory = saidOf(bounding.call, places, 'memory');
  if (memory?.kind !== 'amount') return;
  const wanted = bound.default ?? 2 * memory.amount;
  const given = Math.max(memory.amount, Math.min(wanted, bound.max ?? wanted));
  if (given !== 2 * memory.amount) bounding.fill('swap', said.path, writtenAt(said.path, given));
}

/** Without a word of the client the engine gives 64 MiB. */
const usualShm = 64 * 1024 * 1024;

function boundShm(bounding: Bounding, places: ResourcePlaces, bound: Bound): void {
  const said = saidOf(bounding.call, places, 'shm');
  const fits = bound.default === undefined && (bound.max ?? usualShm) >= usualShm;
  if (said?.kind === 'unsaid' && fits) return;
  boundNumber(bounding, places, 'shm', bound, formatSize);
}

function boundNumber(
  bounding: Bounding,
  places: ResourcePlaces,
  resource: Resource,
  bound: Bound,
  print: (amount: number) => string,
): void {
  const said = saidOf(bounding.call, places, resource);
  if (said === null || said.kind === 'unchanged') return;
  if (said.kind !== 'unsaid') {
    boundSaid(bounding, resource, said, bound, print);
    return;
  }
  const usual = bound.default ?? bound.max;
  if (usual !== undefined) bounding.fill(resource, said.path, writtenAt(said.path, usual));
}

function boundSaid(
  bounding: Bounding,
  rule: string,
  said: Said,
  bound: Bound,
  print: (amount: number) => string,
): void {
  if (bound.max === undefined || (said.kind === 'amount' && said.amount <= bound.max)) return;
  const asked = said.kind === 'amount' ? print(said.amount) : 'no limit';
  if (bound.over === 'refuse') throw overLimit(rule, said.path, asked, print(bound.max));
  bounding.lower(rule, said.path, writtenAt(said.path, bound.max), print(bound.max));
}

/** Processors are said as such, or as a quota of each period of time; of one container only in one of the two ways. */
function boundCpus(bounding: Bounding, places: ResourcePlaces, bound: Bound, surroundings: Surroundings): void {
  const { call } = bounding;
  const whole = saidOf(call, places, 'cpus');
  const quota = saidOf(call, places, 'cpu-quota');
  const period = saidOf(call, places, 'cpu-period');
  if (quota === null || period === null) return;
  const usual = Math.min(bound.default ?? bound.max ?? Number.POSITIVE_INFINITY, surroundings.processors);
  const updates = quota.kind === 'unchanged' || period.kind === 'unchanged' || whole?.kind === 'unchanged';

  if (whole?.kind === 'amount' || whole?.kind === 'unlimited') {
    boundCpusSaid(bounding, whole, whole.kind === 'amount' ? whole.amount / 1e9 : Number.POSITIVE_INFINITY, bound, 1e9);
  }
  const periodUs = period.kind === 'amount' ? period.amount : updates ? (surroundings.held?.period ?? 0) : 0;
  const unit = periodUs > 0 ? periodUs : usualPeriod;
  if (quota.kind === 'amount' || quota.kind === 'unlimited') {
    const asked = quota.kind === 'amount' ? cpusOf(quota.amount, periodUs) : Number.POSITIVE_INFINITY;
    boundCpusSaid(bounding, quota, asked, bound, unit);
    return;
  }
  if (updates) {
    // A shorter period alone makes more of the quota that is there.
    const kept = surroundings.held?.quota ?? 0;
    const asked = cpusOf(kept, periodUs);
    if (period.kind === 'amount' && kept > 0 && bound.max !== undefined && asked > bound.max) {
      throw overLimit('cpus', period.path, printCpus(asked), printCpus(bound.max));
    }
    return;
  }
  if (whole?.kind === 'amount' || whole?.kind === 'unlimited' || !Number.isFinite(usual)) return;
  // With a period the engine takes no number of processors; builds have only quotas.
  if (whole !== null && period.kind !== 'amount') {
    bounding.fill('cpus', whole.path, writtenAt(whole.path, Math.round(usual * 1e9)));
  } else {
    if (period.kind !== 'amount') bounding.fill('cpus', period.path, writtenAt(period.path, usualPeriod));
    bounding.fill('cpus', quota.path, writtenAt(quota.path, Math.round(usual * unit)));
  }
}

function boundCpusSaid(
  bounding: Bounding,
  { path }: { readonly path: CallPath },
  asked: number,
  bound: Bound,
  unit: number,
): void {
  if (bound.max === undefined || asked <= bound.max) return;
  const words = Number.isFinite(asked) ? printCpus(asked) : 'no limit';
  if (bound.over === 'refuse') throw overLimit('cpus', path, words, printCpus(bound.max));
  bounding.lower('cpus', path, writtenAt(path, Math.round(bound.max * unit)), printCpus(bound.max));
}

export function printCpus(cpus: number): string {
  const number = Math.round(cpus * 100) / 100;
  return `${number} ${number === 1 ? 'CPU' : 'CPUs'}`;
}
