/**
 * Containers in which the classic builder runs its steps: an engine that is killed leaves them. They have no labels but
 * those of their image; what says whose they are is what the build was told of its network.
 */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { endpointsOf } from './inspected-container.ts';
import { thingIn } from './named-things.ts';
import type { QueryValues } from './query.ts';
import { NAMESPACE_LABEL } from './reserved-labels.ts';

export interface StepContainer {
  readonly id: string;
  readonly name: string;
  /** `sha256:…`: what the step before has made. */
  readonly image: string;
  /** The engine's id of the network that its build was told; `none`; `container:` and the id of one whose network it has. */
  readonly mode: string;
  /** Names of the network with that id; none before the container was started. */
  readonly networks: readonly string[];
}

/** Null for what somebody has made by a create: of a namespace it has its label, of others it names its image and network. */
export function stepContainerIn(listed: Json): StepContainer | null {
  const thing = thingIn('container', listed);
  // An image that was committed of a container of ours has the label, and says nothing in it.
  if (thing === null || !isObject(listed) || (thing.labels[NAMESPACE_LABEL] ?? '') !== '') return null;
  const { Image: image = null, HostConfig: hostConfig = null } = listed;
  const mode = isObject(hostConfig) ? hostConfig.NetworkMode : null;
  // The builder says both by their ids.
  if (typeof image !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(image)) return null;
  if (typeof mode !== 'string' || !/^(?:none|(?:container:)?[0-9a-f]{64})$/.test(mode)) return null;
  const networks = endpointsOf(listed).flatMap(({ key, id }) => (id === mode ? [key] : []));
  return { id: thing.id, name: thing.name, image, mode, networks };
}

/** A version of the API in which engines tell the container that an image was made in; from 1.45 on they do not. */
export const TELLS_CONTAINER = 41;

/** The id of the container that an inspected image was made in; null where it is not told. */
export function containerOfImage(inspection: Json): string | null {
  const container = isObject(inspection) ? (inspection.Container ?? null) : null;
  return typeof container === 'string' && container !== '' ? container : null;
}

/** A build without a network of its own, whose steps are known by a host that nobody can reach. */
export function markedBuild(query: QueryValues, namespace: string): QueryValues {
  if (typeof query.networkmode !== 'string' || !hasNoNetwork(query.networkmode)) return query;
  const hosts = isList((query.extrahosts ?? null) as Json) ? (query.extrahosts as readonly Json[]) : [];
  return { ...query, extrahosts: [...hosts, markOf(namespace)] };
}

/** Of an inspected container. */
export function isMarkedStep(inspection: Json, namespace: string): boolean {
  const hostConfig = isObject(inspection) ? ((inspection.HostConfig ?? null) as JsonObject | null) : null;
  const hosts = isObject(hostConfig) ? (hostConfig.ExtraHosts ?? null) : null;
  return isList(hosts) && hosts.includes(markOf(namespace));
}

export function hasNoNetwork(mode: string): boolean {
  return mode === 'none' || mode.startsWith('container:');
}

/** RFC 6761: no such name is ever looked up. */
function markOf(namespace: string): string {
  return `${namespace}.berthgate.invalid:0.0.0.0`;
}
