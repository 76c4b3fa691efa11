/** The ports of a container that stand open on the host: where in a create they are said. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';

/** One port of the host, or a run of them. */
export interface HostPorts {
  readonly first: number;
  readonly last: number;
}

export interface MovedAddress {
  readonly path: readonly (string | number)[];
  readonly from: Json;
}

/** The create with every published port at this address of the host; also where it named none, which means all. */
export function publishAt(body: JsonObject, address: string): { body: JsonObject; moved: readonly MovedAddress[] } {
  const moved: MovedAddress[] = [];
  const hostConfig = body.HostConfig ?? null;
  const bindings = isObject(hostConfig) ? (hostConfig.PortBindings ?? null) : null;
  if (!isObject(hostConfig) || !isObject(bindings)) return { body, moved };
  const at: Record<string, Json> = Object.create(null);
  for (const [port, places] of Object.entries(bindings)) {
    at[port] = !isList(places)
      ? places
      : places.map((place, index) => {
          const said = isObject(place) ? place : {};
          if (said.HostIp === address) return place;
          moved.push({ path: ['HostConfig', 'PortBindings', port, index, 'HostIp'], from: said.HostIp ?? '' });
          return { ...said, HostIp: address };
        });
  }
  if (moved.length === 0) return { body, moved };
  return { body: { ...body, HostConfig: { ...hostConfig, PortBindings: at } }, moved };
}

/** Where on the host one port stands open, as a create says it: both may be empty. */
export interface PortPlace {
  readonly address: string;
  readonly port: string;
}

/** Whether the create publishes any port by its number. */
export function publishesPorts(body: JsonObject): boolean {
  const hostConfig = body.HostConfig ?? null;
  const bindings = isObject(hostConfig) ? (hostConfig.PortBindings ?? null) : null;
  return isObject(bindings) && Object.keys(bindings).length > 0;
}

type ChoosePlaces = (said: PortPlace, at: string) => readonly PortPlace[];

/** The create with each published port where `choose` puts it; one that would stand there twice stands there once. */
export function placePorts(body: JsonObject, choose: ChoosePlaces): JsonObject {
  const hostConfig = body.HostConfig ?? null;
  const bindings = isObject(hostConfig) ? (hostConfig.PortBindings ?? null) : null;
  if (!isObject(hostConfig) || !isObject(bindings)) return body;
  const placed: Record<string, Json> = Object.create(null);
  for (const [port, places] of Object.entries(bindings)) {
    placed[port] = isList(places)
      ? placedAt(places, `HostConfig.PortBindings[${JSON.stringify(port)}]`, choose)
      : places;
  }
  return { ...body, HostConfig: { ...hostConfig, PortBindings: placed } };
}

function placedAt(places: readonly Json[], at: string, choose: ChoosePlaces): readonly Json[] {
  const chosen = new Map<string, Json>();
  for (const [index, place] of places.entries()) {
    const { HostIp: ip = '', HostPort: number = '' } = isObject(place) ? place : {};
    const said = { address: typeof ip === 'string' ? ip : '', port: typeof number === 'string' ? number : '' };
    for (const { address, port } of choose(said, `${at}[${index}]`)) {
      // What was said for both families may come to one address.
      chosen.set(`${address} ${port}`, { HostIp: address, HostPort: port });
    }
  }
  return [...chosen.values()];
}

/** Whether the create wants every port that it or its image exposes to be published, and of which image. */
export function publishesAll(body: JsonObject): string | null {
  const hostConfig = body.HostConfig ?? null;
  if (!isObject(hostConfig) || hostConfig.PublishAllPorts !== true) return null;
  return typeof body.Image === 'string' ? body.Image : '';
}

/** What `publishEach` changes. */
export const publishingPaths: readonly (readonly string[])[] = [
  ['HostConfig', 'PublishAllPorts'],
  ['HostConfig', 'PortBindings'],
];

/** The create with every exposed port published by name, at any free port of the host. */
export function publishEach(body: JsonObject, imageInspection: Json): JsonObject {
  const hostConfig = (isObject(body.HostConfig ?? null) ? body.HostConfig : {}) as JsonObject;
  const bindings: Record<string, Json> = Object.create(null);
  const imageConfig = isObject(imageInspection) ? (imageInspection.Config ?? null) : null;
  const exposed = [isObject(imageConfig) ? imageConfig.ExposedPorts : null, body.ExposedPorts];
  for (const ports of exposed) {
    if (isObject(ports ?? null))
      for (const port in ports as JsonObject) bindings[port] = [{ HostIp: '', HostPort: '' }];
  }
  const said = hostConfig.PortBindings ?? null;
  if (isObject(said)) {
    for (const [port, places] of Object.entries(said)) {
      if (isList(places) && places.length > 0) bindings[withProtocol(port)] = places;
    }
  }
  return { ...body, HostConfig: { ...hostConfig, PublishAllPorts: false, PortBindings: bindings } };
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}

/** `8080`, `8000-8010`; null for any free one, undefined for what is no port. */
export function readHostPorts(text: string): HostPorts | null | undefined {
  if (text === '' || text === '0') return null;
  const found = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (found === null) return undefined;
  const first = Number(found[1]);
  const last = found[2] === undefined ? first : Number(found[2]);
  return first >= 1 && last <= 65_535 && first <= last ? { first, last } : undefined;
}
