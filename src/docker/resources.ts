/** Limits of resources in calls and in what the engine tells: where they stand, and what their numbers mean. */

import { isObject, type Json, type JsonObject, Lexeme } from '../ground/json.ts';
import { type CallPath, valueAt } from './call-place.ts';
import type { Endpoint } from './endpoint.ts';
import type { Resource } from './marks.ts';
import type { Shape } from './shape.ts';
import { visit } from './visit.ts';
import type { CallValues } from './visit-call.ts';

export type { Resource } from './marks.ts';

export type ResourcePlaces = ReadonlyMap<Resource, readonly CallPath[]>;

/** Where the calls of an endpoint limit resources; the first place of each is the one to write to. */
export function resourcePlaces(endpoint: Endpoint): ResourcePlaces {
  const found = new Map<Resource, CallPath[]>();
  const look = (shape: Shape, path: CallPath): void => {
    for (const mark of shape.marks) {
      if (mark.mark !== 'resource' || mark.of === undefined) continue;
      found.set(mark.of, [...(found.get(mark.of) ?? []), path]);
    }
    if (shape.kind !== 'object') return;
    for (const [field, inner] of Object.entries(shape.fields)) look(inner, [...path, field]);
  };
  for (const [key, shape] of Object.entries(endpoint.query)) look(shape, ['query', key]);
  if (endpoint.body.shape !== undefined) look(endpoint.body.shape, ['body']);
  // Beside the host configuration stand the places of old clients, which old engines look at too.
  for (const paths of found.values()) paths.sort((a, b) => b.length - a.length);
  return found;
}

/**
 * What a call says of a resource: an `amount`; that it be without limit; nothing, so that the engine's default holds
 * (mostly without limit); of an update, that what is stays.
 */
export type Said =
  | { readonly kind: 'amount'; readonly amount: number; readonly path: CallPath }
  | { readonly kind: 'unlimited'; readonly path: CallPath }
  | { readonly kind: 'unsaid'; readonly path: CallPath }
  | { readonly kind: 'unchanged'; readonly path: CallPath };

/** The largest of what the places say; null where the endpoint has no such limit. */
export function saidOf(call: CallValues, places: ResourcePlaces, resource: Resource): Said | null {
  const paths = places.get(resource);
  const [first] = paths ?? [];
  if (paths === undefined || first === undefined) return null;
  const updates = call.endpoint.id === 'ContainerUpdate';
  let said: Said = { kind: updates ? 'unchanged' : 'unsaid', path: first };
  for (const path of paths) {
    const amount = numberOf(valueAt(call, path) ?? null);
    // runc takes every negative number for "without limit"; so does an update whose number of processes is 0.
    const lifts = amount !== null && (amount < 0 || (updates && resource === 'pids' && amount === 0));
    if (lifts) return { kind: 'unlimited', path };
    const larger = said.kind !== 'amount' || (amount ?? 0) > said.amount;
    if (amount !== null && amount > 0 && larger) said = { kind: 'amount', amount, path };
  }
  return said;
}

/** As it is written at a place: queries carry texts. */
export function writtenAt([part]: CallPath, amount: number): Json {
  return part === 'query' ? String(amount) : amount;
}

function numberOf(value: Json): number | null {
  if (typeof value === 'number') return value;
  if (value instanceof Lexeme) return Number(value.text);
  return typeof value === 'string' && value !== '' ? Number(value) : null;
}

/** What the kernel's periods are where nobody says. */
export const usualPeriod = 100_000;

/** The processors that a quota stands for. */
export function cpusOf(quota: number, period: number): number {
  return quota / (period > 0 ? period : usualPeriod);
}

/** What a container holds, as its inspection tells; 0 for what it may take without limit. */
export interface HeldResources {
  readonly memory: number;
  readonly cpus: number;
  readonly quota: number;
  readonly period: number;
}

/** `shape` is that of the inspection's endpoint. */
export function heldResources(shape: Shape, inspection: Json): HeldResources {
  const held = new Map<Resource, number>();
  visit(shape, inspection, ({ marks, value }) => {
    for (const mark of marks) {
      if (mark.mark === 'resource' && mark.of !== undefined) held.set(mark.of, numberOf(value) ?? 0);
    }
    return value;
  });
  const of = (resource: Resource): number => Math.max(0, held.get(resource) ?? 0);
  const quota = of('cpu-quota');
  const period = of('cpu-period');
  return { memory: of('memory'), cpus: Math.max(of('cpus') / 1e9, cpusOf(quota, period)), quota, period };
}

/** How many ports of the host a create asks for; `image` is the inspection of its image where all are published. */
export function publishedPorts(body: Json, image: Json): number {
  if (!isObject(body)) return 0;
  return countPorts(body.HostConfig ?? null, body.ExposedPorts ?? null, image);
}

/** The image whose ports are all to be published by a create; null where they are not. */
export function imageToPublish(body: Json): string | null {
  const hostConfig = isObject(body) ? (body.HostConfig ?? null) : null;
  const wanted = isObject(hostConfig) && hostConfig.PublishAllPorts === true;
  return wanted && isObject(body) && typeof body.Image === 'string' && body.Image !== '' ? body.Image : null;
}

/** The same of a container that is there: its inspection tells what its image exposes too. */
export function publishedPortsOf(inspection: Json): number {
  if (!isObject(inspection)) return 0;
  const config = inspection.Config ?? null;
  return countPorts(inspection.HostConfig ?? null, isObject(config) ? (config.ExposedPorts ?? null) : null, null);
}

function countPorts(hostConfig: Json, exposed: Json, image: Json): number {
  if (!isObject(hostConfig)) return 0;
  const { PortBindings: bindings = null, PublishAllPorts: all } = hostConfig;
  let count = 0;
  const bound = new Set<string>();
  if (isObject(bindings)) {
    for (const [port, places] of Object.entries(bindings)) {
      if (!Array.isArray(places) || places.length === 0) continue;
      bound.add(withProtocol(port));
      count += places.length;
    }
  }
  if (all !== true) return count;
  const imageConfig = isObject(image) ? (image.Config ?? null) : null;
  const imagePorts = isObject(imageConfig) ? (imageConfig.ExposedPorts ?? null) : null;
  const ports = new Set([...keysOf(exposed), ...keysOf(imagePorts)].map(withProtocol));
  return count + [...ports].filter((port) => !bound.has(port)).length;
}

function keysOf(value: Json): readonly string[] {
  return isObject(value) ? Object.keys(value as JsonObject) : [];
}

function withProtocol(port: string): string {
  return port.includes('/') ? port : `${port}/tcp`;
}
