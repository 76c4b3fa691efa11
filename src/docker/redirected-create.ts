/** What of a create, and of the container that came of it, says whether its names can be pointed elsewhere. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { mainNetworkOf, saysLegacyFields } from './container-create.ts';
import { environmentIn } from './extra-trust.ts';
import { addressesOf } from './inspected-container.ts';
import { CACHE_LABEL } from './reserved-labels.ts';

/** Without a network, and in that of another container, it has no names of its own. */
export function hasOwnHosts(body: JsonObject): boolean {
  const mode = mainNetworkOf(body);
  return mode !== 'none' && !mode.startsWith('container:') && !saysLegacyFields(body);
}

export function hasReadOnlyRoot(body: JsonObject): boolean {
  return isObject(body.HostConfig ?? null) && (body.HostConfig as JsonObject).ReadonlyRootfs === true;
}

/** As the create says it; empty where it says none. */
export function imageOf(body: JsonObject): string {
  return typeof body.Image === 'string' ? body.Image : '';
}

/** Where the create itself says that something is mounted; what the image and other containers bring is not among it. */
export function mountTargets(body: JsonObject): readonly string[] {
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : {};
  const binds = texts(hostConfig.Binds).map((bind) => {
    const [source = '', target = source] = bind.split(':');
    return target;
  });
  const mounts = isList(hostConfig.Mounts ?? null) ? (hostConfig.Mounts as readonly Json[]) : [];
  const targets = mounts.map((mount) => (isObject(mount) && typeof mount.Target === 'string' ? mount.Target : ''));
  const maps = [hostConfig.Tmpfs ?? null, body.Volumes ?? null].flatMap((map) =>
    isObject(map) ? Object.keys(map) : [],
  );
  return [...binds, ...targets, ...maps].filter((target) => target !== '');
}

/** A container as the engine has made it. */
export interface MadeContainer {
  readonly id: string;
  /** The image's id. */
  readonly image: string;
  /** `NAME=value` */
  readonly environment: readonly string[];
  readonly mounted: readonly string[];
  /** Its own, on every network that it is on. */
  readonly addresses: readonly string[];
  /** As our label says: whether it was given our CA. */
  readonly trusting: boolean;
}

/** Null for what is no inspection. */
export function madeContainer(inspection: Json): MadeContainer | null {
  if (!isObject(inspection) || typeof inspection.Id !== 'string') return null;
  const config = isObject(inspection.Config ?? null) ? (inspection.Config as JsonObject) : {};
  const labels = isObject(config.Labels ?? null) ? (config.Labels as JsonObject) : {};
  const mounts = isList(inspection.Mounts ?? null) ? (inspection.Mounts as readonly Json[]) : [];
  return {
    id: inspection.Id,
    image: typeof inspection.Image === 'string' ? inspection.Image : '',
    environment: environmentIn(inspection),
    mounted: mounts.flatMap((mount) =>
      isObject(mount) && typeof mount.Destination === 'string' ? [mount.Destination] : [],
    ),
    addresses: addressesOf(inspection),
    trusting: labels[CACHE_LABEL] === 'trust',
  };
}

/** The id of what an answer says was made; empty where nothing was. */
export function answeredId(answer: Json): string {
  return isObject(answer) && typeof answer.Id === 'string' ? answer.Id : '';
}

/** A container's changed files without these, and without folders that only they have changed. */
export function withoutChanges(
  changes: Json,
  hidden: (path: string, isAlsoInImage: boolean) => boolean,
  folders: readonly string[],
): Json {
  if (!isList(changes)) return changes;
  const pathOf = (change: Json): string => (isObject(change) && typeof change.Path === 'string' ? change.Path : '');
  const rest = changes.filter((change) => !hidden(pathOf(change), isObject(change) && isModified(change.Kind)));
  if (rest.length === changes.length) return changes;
  const isAbove = (folder: string, path: string): boolean => path.startsWith(`${folder}/`);
  return rest.filter((change) => {
    const path = pathOf(change);
    if (!folders.some((folder) => folder === path || isAbove(path, folder))) return true;
    return rest.some((other) => {
      const below = pathOf(other);
      return isAbove(path, below) && !folders.some((folder) => folder === below || isAbove(below, folder));
    });
  });
}

/** Of a change, 0 in the API's numbers; 1 is added, 2 is deleted. */
function isModified(kind: Json | undefined): boolean {
  return Number(kind) === 0;
}

function texts(value: Json | undefined): readonly string[] {
  return isList(value ?? null) ? (value as readonly Json[]).filter((one) => typeof one === 'string') : [];
}
