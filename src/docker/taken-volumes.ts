/** The volumes of other containers that a create takes over (`VolumesFrom`), and how each of them is said by itself. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';
import { clean } from './container-create.ts';
import { SUBPATH_SINCE } from './lent-paths.ts';
import { SOCKET_FOLDER, socketPathsOf } from './socket-note.ts';

export interface Taken {
  /** Where in the list the client said it. */
  readonly at: number;
  /** The same in the body. */
  readonly place: readonly (string | number)[];
  /** As the client names it. */
  readonly container: string;
  readonly readOnly: boolean;
  /** What it asks for beside that: labels of SELinux; empty for nothing. */
  readonly beyond: string;
}

const PATH = ['HostConfig', 'VolumesFrom'] as const;
const PLAIN: ReadonlySet<string> = new Set(['', 'rw', 'ro', 'consistent', 'cached', 'delegated']);

export function takenFrom(body: JsonObject): readonly Taken[] {
  return listAt(body, PATH).flatMap((text, at) => {
    const [container = '', ...words] = typeof text === 'string' ? text.split(':') : [];
    if (container === '') return [];
    const said = words.join(':').split(',');
    const beyond = said.filter((word) => !PLAIN.has(word)).join(',');
    const name = container.replace(/^\//, '');
    return [{ at, place: [...PATH, at], container: name, readOnly: said.includes('ro'), beyond }];
  });
}

/** Without those. */
export function listWithout(body: JsonObject, taken: readonly Taken[]) {
  const gone = new Set(taken.map(({ at }) => at));
  const from = listAt(body, PATH);
  return { path: PATH, from: from as Json, to: from.filter((_, at) => !gone.has(at)) as Json };
}

/** Where the create mounts something by itself, which counts more than what it takes over. */
export function mountedItself(body: JsonObject): ReadonlySet<string> {
  const binds = listAt(body, ['HostConfig', 'Binds']).map((bind) => (typeof bind === 'string' ? bind.split(':') : []));
  const mounts = listAt(body, ['HostConfig', 'Mounts']).map((mount) => (isObject(mount) ? mount.Target : ''));
  const memory = valueAt(body, ['HostConfig', 'Tmpfs']);
  const targets = [...binds.map(([source, target]) => target ?? source), ...mounts];
  if (isObject(memory)) targets.push(...Object.keys(memory));
  return new Set(targets.map((target) => clean(typeof target === 'string' ? target : '')));
}

export interface LenderMount {
  readonly target: string;
  readonly type: string;
  readonly writable: boolean;
  /** Of a volume. */
  readonly name: string;
  readonly subpath: string;
}

/** What an inspected container has mounted, beside its own socket and memory. */
export function mountsOf(inspection: Json): readonly LenderMount[] {
  const sockets = new Set([SOCKET_FOLDER, ...socketPathsOf(inspection)]);
  const said = listAt(inspection, ['HostConfig', 'Mounts']).filter(isObject);
  return listAt(inspection, ['Mounts']).flatMap((mount) => {
    if (!isObject(mount) || mount.Type === 'tmpfs') return [];
    const target = clean(String(mount.Destination));
    if (sockets.has(target)) return [];
    const own = said.find(({ Target }) => typeof Target === 'string' && clean(Target) === target);
    const subpath = own === undefined ? null : valueAt(own, ['VolumeOptions', 'Subpath']);
    return [
      {
        target,
        type: String(mount.Type),
        writable: mount.RW === true,
        name: typeof mount.Name === 'string' ? mount.Name : '',
        subpath: typeof subpath === 'string' ? subpath : '',
      },
    ];
  });
}

export interface VolumeMount {
  readonly target: string;
  readonly mount: JsonObject;
}

/** One of them as a create says it; null for what it cannot say in that version of the API. */
export function volumeMount(
  { type, target, name, subpath, writable }: LenderMount,
  version: number,
): VolumeMount | null {
  if (type !== 'volume' || name === '' || (subpath !== '' && version < SUBPATH_SINCE)) return null;
  const options = subpath === '' ? {} : { VolumeOptions: { Subpath: subpath } };
  return { target, mount: { Type: 'volume', Source: name, Target: target, ReadOnly: !writable, ...options } };
}

function listAt(document: Json, path: readonly string[]): readonly Json[] {
  const list = valueAt(document, path);
  return isList(list ?? null) ? (list as readonly Json[]) : [];
}
