/** Bodies of what Berthgate itself has made: volumes and networks of a namespace; and answers that need no engine. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { VolumeWish } from './container-create.ts';

/** What engines since 23.0 write on volumes that they named themselves: their prune goes by it. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/** How an engine names a volume itself. */
export const ANONYMOUS_NAME = /^[0-9a-f]{64}$/;

export function volumeRequest(name: string, wish: VolumeWish, labels: JsonObject): JsonObject {
  const { driver, options, labels: wished } = wish;
  return { Name: name, Driver: driver, DriverOpts: options, Labels: { ...wished, ...labels } };
}

export function bridgeRequest(name: string, subnet: string, labels: JsonObject): JsonObject {
  return withSubnet({ Name: name, Driver: 'bridge', CheckDuplicate: true, Labels: labels }, subnet);
}

/** Null where the engine is to find a name. */
export function nameAsked(body: JsonObject): string {
  return typeof body.Name === 'string' ? body.Name : '';
}

export function withName(body: JsonObject, name: string): JsonObject {
  return { ...body, Name: name };
}

/** Engines up to 24 make a second network of the same name where they are not told to look. */
export function withoutDuplicate(body: JsonObject): JsonObject {
  return { ...body, CheckDuplicate: true };
}

/** Whether the network gets addresses of the engine's choice: a bridge of which no subnet is said. */
export function wantsSubnet(body: JsonObject): boolean {
  const { Driver: driver = null, IPAM: ipam = null, ConfigOnly: configOnly = null, ConfigFrom: from = null } = body;
  if (configOnly === true || (isObject(from) && typeof from.Network === 'string' && from.Network !== '')) return false;
  if (driver !== null && driver !== '' && driver !== 'bridge') return false;
  const configs = isObject(ipam) ? (ipam.Config ?? null) : null;
  if (!isList(configs) || configs.length === 0) return true;
  // Compose says an empty one.
  return configs.every(
    (config) => isObject(config) && Object.values(config).every((value) => value === '' || value === null),
  );
}

export function withSubnet(body: JsonObject, subnet: string): JsonObject {
  const ipam = isObject(body.IPAM ?? null) ? (body.IPAM as JsonObject) : {};
  return { ...body, IPAM: { ...ipam, Config: [{ Subnet: subnet }] } };
}

/** dockerd's answer to a prune that found nothing. */
export function emptyPrune(endpointId: string): Json {
  switch (endpointId) {
    case 'ImagePrune':
      return { ImagesDeleted: null, SpaceReclaimed: 0 };
    case 'BuildPrune':
      return { CachesDeleted: null, SpaceReclaimed: 0 };
    default:
      throw new Error(`${endpointId} is not a prune that is answered here`);
  }
}

/** The id that a create answers with. */
export function madeId(answer: Json): string {
  return isObject(answer) && typeof answer.Id === 'string' ? answer.Id : '';
}

/** The container of an inspected exec. */
export function containerOfExec(inspection: Json): string | null {
  return isObject(inspection) && typeof inspection.ContainerID === 'string' ? inspection.ContainerID : null;
}
