/** Answers as they would be on an engine that has one user: what a namespace's own bridge and volumes make look otherwise. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { ANONYMOUS_NAME } from './own-requests.ts';

/** What the engine tells at the top of the network settings for its own default bridge alone. */
const legacyAddresses = [
  'EndpointID',
  'Gateway',
  'GlobalIPv6Address',
  'GlobalIPv6PrefixLen',
  'IPAddress',
  'IPPrefixLen',
  'IPv6Gateway',
  'MacAddress',
];

/**
 * An inspection with the addresses of the default network where old clients look, and without mounts and aliases that
 * nobody asked for.
 */
export function asAlone(inspection: Json, bridge: string): Json {
  if (!isObject(inspection)) return inspection;
  return withoutUnnamedMounts(withLegacyAddresses(withoutOwnAlias(inspection), bridge));
}

/** A container's name resolves on every network of an engine's user, without being one of its aliases. */
function withoutOwnAlias(inspection: JsonObject): JsonObject {
  const settings = inspection.NetworkSettings ?? null;
  if (!isObject(settings) || !isObject(settings.Networks ?? null)) return inspection;
  const name = typeof inspection.Name === 'string' ? inspection.Name.replace(/^\//, '') : '';
  const networks: Record<string, Json> = Object.create(null);
  for (const [network, endpoint] of Object.entries(settings.Networks as JsonObject)) {
    const aliases = isObject(endpoint) && isList(endpoint.Aliases ?? null) ? (endpoint.Aliases as readonly Json[]) : [];
    const said = aliases.filter((alias) => alias !== name);
    const same = said.length === aliases.length;
    networks[network] = same ? endpoint : { ...(endpoint as JsonObject), Aliases: said.length === 0 ? null : said };
  }
  return { ...inspection, NetworkSettings: { ...settings, Networks: networks } };
}

function withLegacyAddresses(inspection: JsonObject, bridge: string): JsonObject {
  const settings = inspection.NetworkSettings ?? null;
  if (!isObject(settings) || !isObject(settings.Networks ?? null)) return inspection;
  const endpoint = (settings.Networks as JsonObject)[bridge] ?? null;
  if (!isObject(endpoint)) return inspection;
  const filled: Record<string, Json> = Object.assign(Object.create(null), settings);
  for (const key of legacyAddresses) if (key in filled) filled[key] = endpoint[key] ?? filled[key] ?? null;
  return { ...inspection, NetworkSettings: filled };
}

/** A volume without a name stands among the mounts, but was never said in the host configuration. */
function withoutUnnamedMounts(inspection: JsonObject): JsonObject {
  const hostConfig = inspection.HostConfig ?? null;
  if (!isObject(hostConfig) || !isList(hostConfig.Mounts ?? null)) return inspection;
  const mounts = hostConfig.Mounts as readonly Json[];
  const said = mounts.filter(
    (mount) => !isObject(mount) || typeof mount.Source !== 'string' || !ANONYMOUS_NAME.test(mount.Source),
  );
  if (said.length === mounts.length) return inspection;
  const { Mounts: _, ...rest } = hostConfig;
  return { ...inspection, HostConfig: said.length === 0 ? rest : { ...rest, Mounts: said } };
}

/** What the engine tells of itself, with how many containers there are of the listed ones, and how many images. */
export function withCounts(info: Json, containers: readonly Json[], images: number | null = null): Json {
  if (!isObject(info)) return info;
  const states = containers.map((container) => (isObject(container) ? container.State : null));
  const running = states.filter((state) => state === 'running' || state === 'restarting').length;
  const paused = states.filter((state) => state === 'paused').length;
  return {
    ...info,
    Containers: states.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: states.length - running - paused,
    ...(images === null ? {} : { Images: images }),
  };
}

/** The use of the disk, with how many of the listed containers each image has. */
export function withImageUse(usage: Json, containers: readonly Json[]): Json {
  if (!isObject(usage)) return usage;
  const users = new Map<Json, number>();
  for (const container of containers) {
    const image = isObject(container) ? (container.ImageID ?? null) : null;
    users.set(image, (users.get(image) ?? 0) + 1);
  }
  const counted = (images: Json): Json =>
    isList(images)
      ? images.map((image) => (isObject(image) ? { ...image, Containers: users.get(image.Id ?? null) ?? 0 } : image))
      : images;
  const { Images: images = null, ImageUsage: said = null } = usage;
  const inUse = isObject(said) ? { ImageUsage: { ...said, Items: counted(said.Items ?? null) } } : {};
  return { ...usage, ...(images === null ? {} : { Images: counted(images) }), ...inUse };
}
