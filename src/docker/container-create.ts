/** The body of a create, changed where a container is to live among things of its own: facts about what stands where. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { isEmpty } from './neutral.ts';
import { legacyHostFields } from './shapes/host-config.ts';

export interface VolumeWish {
  readonly driver: string;
  readonly options: Json;
  readonly labels: JsonObject;
}

/** Old clients say fields of the host configuration beside it, which counts only where there is none. */
export function saysLegacyFields(body: JsonObject): boolean {
  return !isObject(body.HostConfig ?? null) && Object.keys(legacyHostFields).some((key) => !isEmpty(body[key] ?? null));
}

/** The network is named, also where leaving it out would mean the default one. */
export function withNetworkNamed(body: JsonObject, fallback: string): JsonObject {
  const hostConfig = hostConfigOf(body);
  const mode = textOf(hostConfig.NetworkMode);
  return mode === '' || mode === 'default' ? withHostConfig(body, { NetworkMode: fallback }) : body;
}

export function imageOf(body: JsonObject): string {
  return textOf(body.Image);
}

/** A network, or `none`, `container:ID`. */
export function mainNetworkOf(body: JsonObject): string {
  return textOf(hostConfigOf(body).NetworkMode);
}

export function removedByEngine(body: JsonObject): boolean {
  return hostConfigOf(body).AutoRemove === true;
}

/** The containers whose volumes this one takes over. */
export function volumesFromOf(body: JsonObject): readonly string[] {
  return listOf(hostConfigOf(body).VolumesFrom).map((text) => textOf(text).split(':')[0] as string);
}

/** With what `joins` adds on every endpoint, and old links on the endpoint of the main network, where alone they have an effect there. */
export function withEndpoints(body: JsonObject, joins: (network: string, said: JsonObject) => JsonObject): JsonObject {
  const mode = mainNetworkOf(body);
  if (mode === 'none' || mode.startsWith('container:')) return body;
  const config = isObject(body.NetworkingConfig ?? null) ? (body.NetworkingConfig as JsonObject) : {};
  const said = isObject(config.EndpointsConfig ?? null) ? (config.EndpointsConfig as JsonObject) : {};
  const endpoints: Record<string, Json> = Object.assign(Object.create(null), said);
  endpoints[mode] ??= {};
  const links = listOf(hostConfigOf(body).Links);
  for (const [network, settings] of Object.entries(endpoints)) {
    const before: JsonObject = isObject(settings) ? settings : {};
    const own = network === mode && links.length > 0 ? { Links: [...listOf(before.Links), ...links] } : {};
    endpoints[network] = joins(network, { ...before, ...own });
  }
  const changed = { ...body, NetworkingConfig: { ...config, EndpointsConfig: endpoints } };
  return links.length === 0 ? changed : withHostConfig(changed, { Links: null });
}

/** With `name` wherever the network is said in another way. */
export function withNetworkSaid(body: JsonObject, said: ReadonlySet<string>, name: string): JsonObject {
  const again = (network: string): string => (said.has(network) ? name : network);
  const mode = mainNetworkOf(body);
  const main = again(mode) === mode ? body : withHostConfig(body, { NetworkMode: name });
  const config = isObject(body.NetworkingConfig ?? null) ? (body.NetworkingConfig as JsonObject) : {};
  if (!isObject(config.EndpointsConfig ?? null)) return main;
  const endpoints: Record<string, Json> = Object.create(null);
  for (const [network, settings] of Object.entries(config.EndpointsConfig as JsonObject)) {
    endpoints[again(network)] = settings;
  }
  return { ...main, NetworkingConfig: { ...config, EndpointsConfig: endpoints } };
}

/** The body of a connect with what `joins` adds. */
export function withConnect(body: JsonObject, joins: (said: JsonObject) => JsonObject): JsonObject {
  return {
    ...body,
    EndpointConfig: joins(isObject(body.EndpointConfig ?? null) ? (body.EndpointConfig as JsonObject) : {}),
  };
}

export function connectedContainer(body: JsonObject): string {
  return textOf(body.Container);
}

/** What the create says of a volume that it names, beside its name. */
export function wishFor(body: JsonObject, volume: string): VolumeWish {
  const hostConfig = hostConfigOf(body);
  for (const mount of listOf(hostConfig.Mounts)) {
    if (!isObject(mount) || mount.Type !== 'volume' || mount.Source !== volume) continue;
    const options = isObject(mount.VolumeOptions ?? null) ? (mount.VolumeOptions as JsonObject) : {};
    const driver = isObject(options.DriverConfig ?? null) ? (options.DriverConfig as JsonObject) : {};
    const labels = isObject(options.Labels ?? null) ? (options.Labels as JsonObject) : {};
    return { driver: textOf(driver.Name), options: driver.Options ?? null, labels };
  }
  return { driver: textOf(hostConfig.VolumeDriver), options: null, labels: {} };
}

/** Where volumes without a name are to be: by the create, and by its image; not where something else is mounted. */
export function unnamedVolumes(body: JsonObject, image: Json, mountedAnyway: readonly string[]): readonly string[] {
  const hostConfig = hostConfigOf(body);
  const wanted = new Set<string>();
  const taken = new Set<string>(mountedAnyway.map(clean));
  for (const bind of listOf(hostConfig.Binds)) {
    const [source = '', target] = textOf(bind).split(':');
    if (target === undefined) wanted.add(clean(source));
    else taken.add(clean(target));
  }
  for (const mount of listOf(hostConfig.Mounts)) {
    if (!isObject(mount)) continue;
    const unnamed = mount.Type === 'volume' && textOf(mount.Source) === '';
    (unnamed ? wanted : taken).add(clean(textOf(mount.Target)));
  }
  if (isObject(hostConfig.Tmpfs ?? null)) for (const target in hostConfig.Tmpfs as JsonObject) taken.add(clean(target));
  const imageConfig = isObject(image) && isObject(image.Config ?? null) ? (image.Config as JsonObject) : {};
  for (const volumes of [body.Volumes, imageConfig.Volumes]) {
    if (isObject(volumes ?? null)) for (const target in volumes as JsonObject) wanted.add(clean(target));
  }
  return [...wanted].filter((target) => target !== '' && !taken.has(target));
}

/** The create with a named volume at each of those places. */
export function withVolumesAt(body: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  if (names.size === 0) return body;
  const hostConfig = hostConfigOf(body);
  const placed = new Set<string>();
  const mounts = listOf(hostConfig.Mounts).map((mount) => {
    if (!isObject(mount) || mount.Type !== 'volume' || textOf(mount.Source) !== '') return mount;
    const target = clean(textOf(mount.Target));
    const name = names.get(target);
    if (name === undefined) return mount;
    placed.add(target);
    return { ...mount, Source: name };
  });
  const said = listOf(hostConfig.Binds);
  const binds = said.length === 0 ? {} : { Binds: said.filter((bind) => textOf(bind).includes(':')) };
  const added = [...names].filter(([target]) => !placed.has(target));
  const more = added.map(([target, name]) => ({ Type: 'volume', Source: name, Target: target }));
  return withHostConfig(body, { ...binds, Mounts: [...mounts, ...more] });
}

/** The volumes that an inspected container has mounted, and where. */
export function mountedVolumes(inspection: Json): readonly { readonly name: string; readonly target: string }[] {
  const mounts = isObject(inspection) ? listOf(inspection.Mounts) : [];
  return mounts.flatMap((mount) => {
    if (!isObject(mount)) return [];
    return [{ name: mount.Type === 'volume' ? textOf(mount.Name) : '', target: textOf(mount.Destination) }];
  });
}

/** As Go's path.Clean for absolute paths: `/data/` and `/data` are one place. */
export function clean(path: string): string {
  const kept: string[] = [];
  for (const step of path.split('/')) {
    if (step === '..') kept.pop();
    else if (step !== '' && step !== '.') kept.push(step);
  }
  return path.startsWith('/') ? `/${kept.join('/')}` : kept.join('/');
}

function hostConfigOf(body: JsonObject): JsonObject {
  return isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
}

function withHostConfig(body: JsonObject, changes: JsonObject): JsonObject {
  return { ...body, HostConfig: { ...hostConfigOf(body), ...changes } };
}

function listOf(value: Json | undefined): readonly Json[] {
  return isList(value ?? null) ? (value as readonly Json[]) : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
