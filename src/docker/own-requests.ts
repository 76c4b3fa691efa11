/** Bodies of what Berthgate itself has made: volumes and networks of a namespace; and answers that need no engine. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { VolumeWish } from './container-create.ts';
import { type ChosenSubnet, withSubnets } from './subnets.ts';

/** What engines since 23.0 write on volumes that they named themselves: their prune goes by it. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/** How an engine names a volume itself. */
export const ANONYMOUS_NAME = /^[0-9a-f]{64}$/;

export function volumeRequest(name: string, wish: VolumeWish, labels: JsonObject): JsonObject {
  const { driver, options, labels: wished } = wish;
  return { Name: name, Driver: driver, DriverOpts: options, Labels: { ...wished, ...labels } };
}

export function bridgeRequest(name: string, subnets: readonly ChosenSubnet[], labels: JsonObject): JsonObject {
  const ipv6 = subnets.some(({ family }) => family === 6);
  const body = { Name: name, Driver: 'bridge', CheckDuplicate: true, EnableIPv6: ipv6, Labels: labels };
  return withSubnets(body, subnets);
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

/** dockerd's answer to a prune that found nothing. */
export function emptyPrune(endpointId: string): Json {
  switch (endpointId) {
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
