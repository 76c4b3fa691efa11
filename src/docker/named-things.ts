/** Where the engine's answers say what a thing is called, which id it has and which labels: for whoever asks whose it is. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';

export type NamedKind = 'container' | 'network' | 'volume';

export interface NamedThing {
  readonly kind: NamedKind;
  /** The full id; of a volume its name. */
  readonly id: string;
  /** Without a slash. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The thing that an inspection, or one entry of a list, tells of; null where it tells of none. */
export function thingIn(kind: NamedKind, said: Json): NamedThing | null {
  if (!isObject(said)) return null;
  const config = isObject(said.Config ?? null) ? (said.Config as JsonObject) : said;
  const name = kind === 'container' ? containerName(said) : textOf(said.Name);
  const id = kind === 'volume' ? name : textOf(said.Id);
  return name === '' || id === '' ? null : { kind, id, name, labels: labelsOf(config.Labels) };
}

/** Of the names in a list, the one without a second slash is its own; the others are links to it. */
function containerName({ Name: name = null, Names: names = null }: JsonObject): string {
  const all = isList(names) ? names.map(textOf) : [textOf(name)];
  return all.find((one) => /^\/[^/]+$/.test(one))?.slice(1) ?? '';
}

function labelsOf(labels: Json | undefined): Readonly<Record<string, string>> {
  const read: Record<string, string> = Object.create(null);
  if (isObject(labels ?? null)) {
    for (const [key, value] of Object.entries(labels as JsonObject)) if (typeof value === 'string') read[key] = value;
  }
  return read;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** The list in the answer to a list call. */
export function listIn(kind: NamedKind, answer: Json): readonly Json[] {
  const list = kind === 'volume' && isObject(answer) ? answer.Volumes : answer;
  return isList(list ?? null) ? (list as readonly Json[]) : [];
}

/** Every thing that the answer to a list call tells of. */
export function thingsIn(kind: NamedKind, answer: Json): readonly NamedThing[] {
  return listIn(kind, answer).flatMap((item) => thingIn(kind, item) ?? []);
}

export const listEndpoints: Readonly<Record<NamedKind, string>> = {
  container: 'ContainerList',
  network: 'NetworkList',
  volume: 'VolumeList',
};

type Keep = (kind: NamedKind, item: Json) => boolean;

/** The answer of a list, or of the disk's usage, with those things alone that are kept; other answers are themselves. */
export function keepThings(endpointId: string, answer: Json, keep: Keep): Json {
  const of = (kind: NamedKind) => (item: Json) => keep(kind, item);
  switch (endpointId) {
    case 'ContainerList':
      return filtered(answer, of('container'));
    case 'NetworkList':
    case 'NetworkListSlash':
      return filtered(answer, of('network'));
    case 'VolumeList':
      return within(answer, { Volumes: (list) => filtered(list, of('volume')) });
    case 'SystemDataUsage':
      return within(answer, {
        Containers: (list) => filtered(list, of('container')),
        Volumes: (list) => filtered(list, of('volume')),
        // Nobody knows whose a step of a build is.
        BuildCache: (list) => filtered(list, () => false),
        ContainerUsage: (usage) => within(usage, { Items: (list) => filtered(list, of('container')) }),
        VolumeUsage: (usage) => within(usage, { Items: (list) => filtered(list, of('volume')) }),
        BuildCacheUsage: (usage) => within(usage, { Items: (list) => filtered(list, () => false) }),
      });
    default:
      return answer;
  }
}

/** The answer of a list, or of the disk's usage, with its containers told otherwise; other answers are themselves. */
export function tellContainers(endpointId: string, answer: Json, tell: (container: Json) => Json): Json {
  const each = (list: Json): Json => (isList(list) ? list.map(tell) : list);
  if (endpointId === 'ContainerList') return each(answer);
  if (endpointId !== 'SystemDataUsage') return answer;
  return within(answer, { Containers: each, ContainerUsage: (usage) => within(usage, { Items: each }) });
}

function filtered(list: Json, keep: (item: Json) => boolean): Json {
  return isList(list) ? list.filter(keep) : list;
}

function within(value: Json, change: Readonly<Record<string, (inner: Json) => Json>>): Json {
  if (!isObject(value)) return value;
  const changed: Record<string, Json> = Object.assign(Object.create(null), value);
  for (const key in change) {
    if (key in changed) changed[key] = (change[key] as (inner: Json) => Json)(changed[key] as Json);
  }
  return changed;
}

/** The message of a refusal. */
export function messageIn(answer: Json): string {
  return isObject(answer) && typeof answer.message === 'string' ? answer.message : '';
}

/** Why something that is to be gone is not; null where it is. */
export function reasonOf({ status, answer }: { readonly status: number; readonly answer: Json }): string | null {
  if (status < 300 || status === 404) return null;
  const message = messageIn(answer);
  return message === '' ? `the engine answered ${status}` : message;
}

export function withMessage(answer: Json, message: string): Json {
  return isObject(answer) ? { ...answer, message } : { message };
}
