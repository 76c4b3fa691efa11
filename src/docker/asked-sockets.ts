/** Creates that ask for the engine's own socket, in any of the ways in which a create can mount a file of the host. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { clean } from './container-create.ts';

/** Where clients look for the engine. */
export const SOCKET_PATHS: readonly string[] = ['/var/run/docker.sock', '/run/docker.sock'];

/** A list or map of the create, without what asked for the socket. */
interface ListWithout {
  readonly path: readonly ['HostConfig', 'Binds' | 'Mounts'] | readonly ['Volumes'];
  readonly from: Json;
  readonly to: Json;
}

export interface AskedSockets {
  /** Where in the container, as the engine would read the path. */
  readonly targets: readonly string[];
  readonly lists: readonly ListWithout[];
}

/** `sockets`: paths of the host that mean the engine, clean ones. */
export function askedSockets(body: JsonObject, sockets: ReadonlySet<string>): AskedSockets {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  const targets = new Set<string>();
  const lists: ListWithout[] = [];
  const without = (field: 'Binds' | 'Mounts', targetOf: (item: Json) => string | null): void => {
    const list = hostConfig[field] ?? null;
    if (!isList(list)) return;
    const kept = list.filter((item) => {
      const target = targetOf(item);
      if (target !== null) targets.add(clean(target));
      return target === null;
    });
    if (kept.length < list.length) lists.push({ path: ['HostConfig', field], from: list, to: kept });
  };
  const meant = (source: Json | undefined): boolean =>
    typeof source === 'string' && source.startsWith('/') && sockets.has(clean(source));
  without('Binds', (bind) => {
    const [source, target] = typeof bind === 'string' ? bind.split(':') : [];
    return meant(source) && target?.startsWith('/') === true ? target : null;
  });
  without('Mounts', (mount) => {
    if (!isObject(mount) || mount.Type !== 'bind' || !meant(mount.Source)) return null;
    return typeof mount.Target === 'string' && mount.Target.startsWith('/') ? mount.Target : null;
  });
  // Older clients say each target of `Binds` here too, where engines overlook it.
  const { Volumes: volumes = null } = body;
  if (isObject(volumes)) {
    const kept = Object.entries(volumes).filter(([target]) => !targets.has(clean(target)));
    const to = Object.assign(Object.create(null) as Record<string, Json>, Object.fromEntries(kept));
    if (kept.length < Object.keys(volumes).length) lists.push({ path: ['Volumes'], from: volumes, to });
  }
  return { targets: [...targets], lists };
}

/** Whether something of the create is to be mounted at the path, or above it. */
export function isMountedOver(body: JsonObject, path: string): boolean {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  const at = real(path);
  return targetsOf(body, hostConfig).some((target) => {
    const over = real(clean(target));
    return at === over || over === '/' || at.startsWith(`${over}/`);
  });
}

/** Whether nothing can be written into the container's own files before it starts. */
export function isSealed(body: JsonObject): boolean {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  // What is lent may be mounted anywhere.
  const lent = isList(hostConfig.VolumesFrom ?? null) && (hostConfig.VolumesFrom as readonly Json[]).length > 0;
  return hostConfig.ReadonlyRootfs === true || lent;
}

export function withMounts(body: JsonObject, mounts: readonly JsonObject[]): JsonObject {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  const before = isList(hostConfig.Mounts ?? null) ? (hostConfig.Mounts as readonly Json[]) : [];
  return { ...body, HostConfig: { ...hostConfig, Mounts: [...before, ...mounts] } };
}

/** A file or folder of the host. A client of a socket needs no right to write where it lies. */
export function hostMount(source: string, target: string): JsonObject {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: true };
}

function* texts(list: Json | undefined): Iterable<string> {
  if (isList(list ?? null)) for (const item of list as readonly Json[]) if (typeof item === 'string') yield item;
}

function targetsOf(body: JsonObject, hostConfig: JsonObject): readonly string[] {
  const targets: string[] = [];
  for (const bind of texts(hostConfig.Binds)) targets.push(bind.split(':')[1] ?? bind);
  const mounts = isList(hostConfig.Mounts ?? null) ? (hostConfig.Mounts as readonly Json[]) : [];
  for (const mount of mounts) if (isObject(mount) && typeof mount.Target === 'string') targets.push(mount.Target);
  for (const map of [hostConfig.Tmpfs, body.Volumes]) {
    if (isObject(map ?? null)) targets.push(...Object.keys(map as JsonObject));
  }
  return targets;
}

/** `/var/run` is `/run` in nearly every image. */
function real(path: string): string {
  return path === '/var/run' || path.startsWith('/var/run/') ? path.slice('/var'.length) : path;
}
