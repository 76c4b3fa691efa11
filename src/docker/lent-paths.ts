/**
 * Paths that a container asks to be mounted from its own file system into another container: which create says one, what
 * stands at it, and how that is said to the engine, which knows nothing of paths in containers.
 */

import { isList, isObject, type Json, JsonFault, type JsonObject, printJson, readJsonText } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';
import { clean } from './container-create.ts';
import { isWithin } from './mounted-paths.ts';
import { LENT_LABEL } from './reserved-labels.ts';

/** The first API version with subpaths of volumes, as a minor number. */
export const SUBPATH_SINCE = 45;

export interface AskedPath {
  /** Where the client said it. */
  readonly place: readonly (string | number)[];
  /** Clean. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** What is asked for beside that; empty for nothing. */
  readonly beyond: string;
}

/** What of a container's file system is mounted, by the engine's names. */
export interface LentPath extends Pick<AskedPath, 'source' | 'target' | 'readOnly'> {
  /** A volume, or a path of the host that the caller itself has mounted there. */
  readonly from: { readonly volume: string; readonly subpath: string } | { readonly host: string };
  /** Where in the caller the volume is, and what is below it. */
  readonly mountedAt: string;
  readonly below: string;
}

const PLAIN: ReadonlySet<string> = new Set([
  '',
  'ro',
  'rw',
  'z',
  'Z',
  'cached',
  'delegated',
  'consistent',
  'private',
  'rprivate',
]);

/** In the order of the create. */
export function askedPaths(body: JsonObject): readonly AskedPath[] {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  const found: AskedPath[] = [];
  for (const [at, bind] of listOf(hostConfig.Binds).entries()) {
    const [source = '', target, words = '', ...more] = typeof bind === 'string' ? bind.split(':') : [];
    if (!source.startsWith('/') || target === undefined) continue;
    const said = words.split(',');
    const beyond = [...said.filter((word) => !PLAIN.has(word)), ...more].join(',');
    const place = ['HostConfig', 'Binds', at];
    found.push({ place, source: clean(source), target, readOnly: said.includes('ro'), beyond });
  }
  for (const [at, mount] of listOf(hostConfig.Mounts).entries()) {
    if (!isObject(mount) || mount.Type !== 'bind' || typeof mount.Source !== 'string') continue;
    const options = isObject(mount.BindOptions ?? null) ? (mount.BindOptions as JsonObject) : {};
    const spread = typeof options.Propagation === 'string' ? options.Propagation : '';
    found.push({
      place: ['HostConfig', 'Mounts', at],
      source: mount.Source.startsWith('/') ? clean(mount.Source) : mount.Source,
      target: typeof mount.Target === 'string' ? mount.Target : '',
      readOnly: mount.ReadOnly === true,
      beyond: PLAIN.has(spread) ? '' : spread,
    });
  }
  return found;
}

/** The lists of the create that hold one of the paths, as they are and without them. */
export function listsWithout(body: JsonObject, asked: readonly AskedPath[]) {
  return (['Binds', 'Mounts'] as const).flatMap((field) => {
    const gone = new Set(asked.filter(({ place }) => place[1] === field).map(({ place }) => place[2]));
    if (gone.size === 0) return [];
    const path = ['HostConfig', field] as const;
    const from = valueAt(body, path) as readonly Json[];
    return [{ path, from: from as Json, to: from.filter((_, at) => !gone.has(at)) as Json }];
  });
}

export type Standing =
  | {
      readonly on: 'volume';
      readonly volume: string;
      readonly subpath: string;
      readonly mountedAt: string;
      readonly below: string;
      readonly writable: boolean;
    }
  | {
      readonly on: 'host';
      readonly path: string;
      readonly mountedAt: string;
      readonly below: string;
      readonly writable: boolean;
    }
  /** Another container's, through `VolumesFrom`: what of it is mounted is not told. */
  | { readonly on: 'lent' }
  | { readonly on: 'memory' }
  /** The container's own files. */
  | { readonly on: 'layer' };

/** What stands at a path of an inspected container; the path is clean. */
export function standingAt(inspection: Json, path: string): Standing {
  const hostConfig = valueAt(inspection, ['HostConfig']);
  const said: JsonObject = isObject(hostConfig) ? hostConfig : {};
  const places = listOf(isObject(inspection) ? inspection.Mounts : null).filter(isObject);
  const memory = isObject(said.Tmpfs ?? null) ? Object.keys(said.Tmpfs as JsonObject) : [];
  const at = (target: Json | undefined): string => clean(typeof target === 'string' ? target : '');
  const over = [...places.map(({ Destination }) => at(Destination)), ...memory.map(clean)]
    .filter((target) => target !== '' && isWithin(path, target))
    .sort((one, other) => other.length - one.length)[0];
  if (over === undefined) return { on: 'layer' };
  const found = places.find(({ Destination }) => at(Destination) === over);
  if (found === undefined || found.Type === 'tmpfs') return { on: 'memory' };
  const below = path === over ? '' : path.slice(over === '/' ? 1 : over.length + 1);
  const writable = found.RW === true;
  if (found.Type === 'bind' && typeof found.Source === 'string') {
    return { on: 'host', path: found.Source, mountedAt: over, below, writable };
  }
  if (found.Type !== 'volume' || typeof found.Name !== 'string') return { on: 'layer' };
  const own = listOf(said.Mounts).find((mount) => isObject(mount) && at(mount.Target) === over);
  const bound = listOf(said.Binds).some((bind) => typeof bind === 'string' && at(bind.split(':')[1] ?? bind) === over);
  // Of what another container lends, only that one knows which part of the volume it is.
  if (own === undefined && !bound && listOf(said.VolumesFrom).length > 0) return { on: 'lent' };
  const outer = own === undefined ? null : valueAt(own, ['VolumeOptions', 'Subpath']);
  const subpath = [typeof outer === 'string' ? outer : '', below].filter((part) => part !== '').join('/');
  return { on: 'volume', volume: found.Name, subpath, mountedAt: over, below, writable };
}

export function lentMount({ from, target, readOnly }: LentPath): JsonObject {
  const mount = { Target: target, ReadOnly: readOnly };
  if ('host' in from) return { Type: 'bind', Source: from.host, ...mount };
  const options = from.subpath === '' ? {} : { VolumeOptions: { Subpath: from.subpath } };
  return { Type: 'volume', Source: from.volume, ...mount, ...options };
}

/** For the label by which what was asked for is shown. */
export function printLent(lent: readonly LentPath[]): string {
  return printJson(lent.map(({ source, target, readOnly }) => ({ source, target: clean(target), readOnly })));
}

/** An inspection, or an entry of a list, of a container with the paths that its client asked for. */
export function showLent(container: Json): Json {
  const lent = lentOf(container);
  if (lent.length === 0 || !isObject(container)) return container;
  const without = withoutLent(container) as JsonObject;
  const shown = lent.map(({ source, target, readOnly }) => {
    return { Type: 'bind', Source: source, Destination: target, Mode: '', RW: !readOnly, Propagation: 'rprivate' };
  });
  return { ...without, Mounts: [...listOf(without.Mounts), ...shown] };
}

/** The same without them: nothing that is lent gives more than the lender has. */
export function withoutLent(container: Json): Json {
  const places = new Set(lentOf(container).map(({ target }) => target));
  if (places.size === 0 || !isObject(container)) return container;
  const without = (list: Json | undefined, field: string): readonly Json[] =>
    listOf(list).filter((mount) => !(isObject(mount) && places.has(clean(String(mount[field])))));
  const changed = { ...container, Mounts: without(container.Mounts, 'Destination') };
  if (!isObject(container.HostConfig ?? null)) return changed;
  const hostConfig = container.HostConfig as JsonObject;
  return { ...changed, HostConfig: { ...hostConfig, Mounts: without(hostConfig.Mounts, 'Target') } };
}

/** Whether some of what the container has mounted is lent by the one that made it. */
export function lendsPaths(container: Json): boolean {
  return lentOf(container).length > 0;
}

function lentOf(container: Json): readonly Pick<AskedPath, 'source' | 'target' | 'readOnly'>[] {
  const label = valueAt(container, ['Config', 'Labels', LENT_LABEL]) ?? valueAt(container, ['Labels', LENT_LABEL]);
  if (typeof label !== 'string' || label === '') return [];
  return listOf(parse(label)).flatMap((one) => {
    if (!isObject(one) || typeof one.source !== 'string' || typeof one.target !== 'string') return [];
    return [{ source: one.source, target: one.target, readOnly: one.readOnly === true }];
  });
}

function listOf(list: Json | undefined): readonly Json[] {
  return isList(list ?? null) ? (list as readonly Json[]) : [];
}

function parse(text: string): Json {
  try {
    return readJsonText(text, 8);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
