/**
 * What an engine holds of a job that lives as long as a process: an empty volume, made before anything of the job and
 * removed after the last of it. Whoever finds it knows what there is to end, and how to find out whether it may.
 */

import { messageIn, thingsIn } from '../docker/named-things.ts';
import { volumeRequest } from '../docker/own-requests.ts';
import { INSTALLATION_LABEL, INTENT_LABEL } from '../docker/reserved-labels.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import { isObject, type Json, JsonFault, printJson, readJsonText } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { LockPlace } from './instance-lock.ts';
import { isJobId } from './job-id.ts';

export interface JobEntry {
  readonly job: string;
  /** Of the one process whose it is. */
  readonly instance: string;
  readonly lock: LockPlace;
  /** Who began it, for people. */
  readonly owner: string;
  /** What its images are called by, `127.0.0.1:5350`; null where it has none. */
  readonly gateway: string | null;
  readonly beganMs: number;
  /** It stays when its process has ended. */
  readonly kept: boolean;
}

const DEPTH = 8;
const PREFIX = 'berthgate-';

/** @throws Refusal where the engine does not take it */
export async function writeEntry(desk: EngineDesk, { instance, ...entry }: JobEntry): Promise<void> {
  const labels = {
    [INSTALLATION_LABEL]: instance,
    [INTENT_LABEL]: printJson({ do: 'job', ...entry } as unknown as Json),
  };
  const body = volumeRequest(nameOf(entry), { driver: '', options: null, labels: {} }, labels);
  const { status, answer } = await desk.order('VolumeCreate', { body });
  if (status < 300) return;
  throw new Refusal('own-fault', `the engine takes no volume: ${messageIn(answer)}`);
}

/** Of all processes. @throws Refusal, Error where the engine does not say */
export async function readEntries(desk: EngineDesk): Promise<readonly JobEntry[]> {
  const query = { filters: { label: [INTENT_LABEL] } };
  return thingsIn('volume', await desk.ask('VolumeList', { query })).flatMap(({ name, labels }) => {
    const entry = readEntry(labels[INTENT_LABEL] ?? '', labels[INSTALLATION_LABEL] ?? '');
    return entry !== null && nameOf(entry) === name ? [entry] : [];
  });
}

/** Jobs that are in the books, also by entries that another version has written. @throws Refusal, Error as above */
export async function jobsInBooks(desk: EngineDesk): Promise<ReadonlySet<string>> {
  const query = { filters: { label: [INTENT_LABEL] } };
  const names = thingsIn('volume', await desk.ask('VolumeList', { query })).map(({ name }) => name);
  return new Set(names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)));
}

/** Gives whether it is gone. @throws Refusal where the engine does not answer */
export async function removeEntry(desk: EngineDesk, entry: Pick<JobEntry, 'job'>): Promise<boolean> {
  const { status } = await desk.order('VolumeDelete', { parameters: { name: nameOf(entry) } });
  return status < 300 || status === 404;
}

function nameOf({ job }: Pick<JobEntry, 'job'>): string {
  return `${PREFIX}${job}`;
}

/** Null for what is not understood. */
function readEntry(text: string, instance: string): JobEntry | null {
  const said = parse(text);
  if (!isObject(said) || said.do !== 'job' || !isObject(said.lock ?? null)) return null;
  const { job, owner, gateway, beganMs, kept, lock } = said;
  const { path, boot, machine } = lock as Readonly<Record<string, Json>>;
  if (typeof job !== 'string' || !isJobId(job) || typeof beganMs !== 'number' || typeof kept !== 'boolean') return null;
  if (typeof path !== 'string' || typeof boot !== 'string' || typeof machine !== 'string') return null;
  return {
    job,
    instance,
    lock: { path, boot, machine },
    owner: typeof owner === 'string' ? owner : '',
    gateway: typeof gateway === 'string' ? gateway : null,
    beganMs,
    kept,
  };
}

function parse(text: string): Json {
  try {
    return readJsonText(text, DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
