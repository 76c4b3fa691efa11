/** What the engine tells of one container: its state, and the networks that it is, or will be, on. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';

/** `running`, `exited`, `removing`, …; empty where it is not told. */
export function stateOf(inspection: Json): string {
  return isObject(inspection) && isObject(inspection.State ?? null)
    ? textOf((inspection.State as JsonObject).Status)
    : '';
}

/** The same of an entry of a list. */
export function listedState(listed: Json): string {
  return isObject(listed) ? textOf(listed.State) : '';
}

/** The ids of the containers that run on an inspected network. */
export function attachedTo(network: Json): readonly string[] {
  const containers = isObject(network) ? (network.Containers ?? null) : null;
  return isObject(containers) ? Object.keys(containers) : [];
}

/** Paused, and between two of its restarts, as well. */
export function isRunning(inspection: Json): boolean {
  return (
    isObject(inspection) && isObject(inspection.State ?? null) && (inspection.State as JsonObject).Running === true
  );
}

/** Whether the engine removes it when it ends. */
export function isAutoRemoved(inspection: Json): boolean {
  const hostConfig = isObject(inspection) ? (inspection.HostConfig ?? null) : null;
  return isObject(hostConfig) && hostConfig.AutoRemove === true;
}

/** Whether it is on the network of that id or name, or joins it when it starts. */
export function isAttached(inspection: Json, network: string): boolean {
  return endpointsOf(inspection).some(({ key, id }) => key === network || id === network);
}

export interface InspectedEndpoint {
  /** As the engine calls the network of it: by name, or as a create said it where that network was not there. */
  readonly key: string;
  /** Of the network; empty before the first start. */
  readonly id: string;
  readonly settings: JsonObject;
}

/** Of an inspection, or of an entry of a list. */
export function endpointsOf(inspection: Json): readonly InspectedEndpoint[] {
  const settings = isObject(inspection) ? (inspection.NetworkSettings ?? null) : null;
  const networks = isObject(settings) ? (settings.Networks ?? null) : null;
  if (!isObject(networks)) return [];
  return Object.entries(networks).map(([key, endpoint]) => {
    const said: JsonObject = isObject(endpoint) ? endpoint : {};
    return { key, id: textOf(said.NetworkID), settings: said };
  });
}

/** Its own, on every network that it is on. Of an inspection, or of an entry of a list. */
export function addressesOf(inspection: Json): readonly string[] {
  return endpointsOf(inspection).flatMap(({ settings }) =>
    [settings.IPAddress, settings.GlobalIPv6Address].map(textOf).filter((address) => address !== ''),
  );
}

/** Every name and id of a network that an entry of the list of containers refers to, stopped ones as well. */
export function networksOf(listed: Json): readonly string[] {
  const hostConfig = isObject(listed) ? (listed.HostConfig ?? null) : null;
  const mode = isObject(hostConfig) ? textOf(hostConfig.NetworkMode) : '';
  return [mode, ...endpointsOf(listed).flatMap(({ key, id }) => [key, id])].filter((text) => text !== '');
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
