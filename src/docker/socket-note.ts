/**
 * What a container that has a socket of its own carries in a label: from it everything is known again after a restart.
 * Also what its clients are shown in its place: the socket that they asked for.
 */

import { isList, isObject, type Json, JsonFault, type JsonObject, printJson, readJsonText } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';
import { SOCKET_PATHS } from './asked-sockets.ts';
import { SOCKET_LABEL } from './reserved-labels.ts';

/** Where the private folder with the socket is mounted. */
export const SOCKET_FOLDER = '/run/berthgate';
/** What the socket is called there. */
export const SOCKET_NAME = 'docker.sock';

export interface SocketOwner {
  readonly user: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  readonly by: string;
}

export interface SocketNote {
  /** The namespace that the socket leads to. */
  readonly job: string;
  /** Whether that ends with the containers that have brought it about. */
  readonly temporary: boolean;
  /** Whether this container is itself a thing of the job: then it keeps nothing alive. */
  readonly nested: boolean;
  /** The listener by whose rules the socket is served. */
  readonly listener: string;
  /** The namespace of the container. */
  readonly parent: string;
  /** The namespace of the container that has begun the job, which is nobody's for long: its builds are cached with those of this one. */
  readonly home: string;
  readonly owner: SocketOwner;
  /** The label, and its value, by which containers share the job. */
  readonly group: { readonly label: string; readonly value: string } | null;
  /** The folder of the socket, a word of ours. */
  readonly folder: string;
  /** Paths in the container that are links to the socket in the mounted folder. */
  readonly linked: readonly string[];
  /** Paths at which the socket's file itself is mounted. */
  readonly bound: readonly string[];
}

const DEPTH = 16;
const FOLDER = /^[0-9a-f]{20}$/;
const ABSOLUTE = /^\/[^\0]+$/;

export function printSocketNote(note: SocketNote): string {
  return printJson({ v: 1, ...note } as unknown as Json);
}

/** Null for what is not understood: of a newer version, or not ours. */
export function readSocketNote(text: string | undefined): SocketNote | null {
  const said = text === undefined || text === '' ? null : parse(text);
  if (!isObject(said) || said.v !== 1) return null;
  const { job, temporary, nested, listener, parent, folder } = said;
  const { home } = said;
  const owner = readOwner(said.owner);
  const linked = textsOf(said.linked);
  const bound = textsOf(said.bound);
  const group = isObject(said.group ?? null) ? (said.group as JsonObject) : null;
  if (typeof job !== 'string' || typeof listener !== 'string' || typeof parent !== 'string') return null;
  if (typeof home !== 'string') return null;
  if (typeof temporary !== 'boolean' || typeof nested !== 'boolean') return null;
  if (typeof folder !== 'string' || !FOLDER.test(folder) || owner === null || linked === null || bound === null)
    return null;
  if (![...linked, ...bound].every((path) => ABSOLUTE.test(path))) return null;
  return {
    job,
    temporary,
    nested,
    listener,
    parent,
    home,
    owner,
    folder,
    linked,
    bound,
    group: group === null ? null : { label: String(group.label), value: String(group.value) },
  };
}

/** An inspection, or an entry of a list, of a container with the socket that its client asked for. */
export function showSocket(container: Json): Json {
  const note = isObject(container) ? noteOn(container) : null;
  if (note === null) return container;
  const shown = [...note.linked, ...note.bound].map((target) => ({
    Type: 'bind',
    Source: SOCKET_PATHS[0] as string,
    Destination: target,
    Mode: '',
    RW: true,
    Propagation: 'rprivate',
  }));
  const without = withoutSocket(container) as JsonObject;
  return { ...without, Mounts: [...listOf(without.Mounts), ...shown] };
}

/** Where a container has its own socket; none where it has none. */
export function socketPathsOf(container: Json): readonly string[] {
  const note = isObject(container) ? noteOn(container) : null;
  return note === null ? [] : [...note.linked, ...note.bound];
}

/** The same without its socket, which gives no right over the host. */
export function withoutSocket(container: Json): Json {
  const note = isObject(container) ? noteOn(container) : null;
  if (note === null || !isObject(container)) return container;
  const places = new Set([SOCKET_FOLDER, ...note.bound]);
  const without = (list: Json | undefined, field: string): readonly Json[] =>
    listOf(list).filter((mount) => !(isObject(mount) && places.has(String(mount[field]))));
  const changed = { ...container, Mounts: without(container.Mounts, 'Destination') };
  if (!isObject(container.HostConfig ?? null) || !isList((container.HostConfig as JsonObject).Mounts ?? null))
    return changed;
  const { Mounts: asked, ...hostConfig } = container.HostConfig as JsonObject;
  const kept = without(asked, 'Target');
  return { ...changed, HostConfig: { ...hostConfig, ...(kept.length === 0 ? {} : { Mounts: kept }) } };
}

function noteOn(container: JsonObject): SocketNote | null {
  const label = valueAt(container, ['Config', 'Labels', SOCKET_LABEL]) ?? valueAt(container, ['Labels', SOCKET_LABEL]);
  return typeof label === 'string' ? readSocketNote(label) : null;
}

function listOf(list: Json | undefined): readonly Json[] {
  return isList(list ?? null) ? (list as readonly Json[]) : [];
}

function readOwner(said: Json | undefined): SocketOwner | null {
  if (!isObject(said ?? null)) return null;
  const { user, by, groups, claims } = said as JsonObject;
  const names = textsOf(groups);
  if (typeof user !== 'string' || typeof by !== 'string' || names === null || !isObject(claims ?? null)) return null;
  const facts: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(claims as JsonObject)) if (typeof value === 'string') facts[name] = value;
  return { user, by, groups: names, claims: facts };
}

function textsOf(list: Json | undefined): readonly string[] | null {
  if (!isList(list ?? null)) return null;
  const texts = list as readonly Json[];
  return texts.every((text) => typeof text === 'string') ? (texts as readonly string[]) : null;
}

function parse(text: string): Json {
  try {
    return readJsonText(text, DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
