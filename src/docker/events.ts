/** Events of an engine: which of them a client's filters let pass, and how each version of the API writes them. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import { familiarReference, readReference } from './image-reference.ts';
import type { FilterValues } from './query.ts';

interface Read {
  readonly event: JsonObject;
  readonly type: string;
  readonly action: string;
  readonly id: string;
  readonly attributes: JsonObject;
}

/** As the keys of filters are called, each matched by the beginning of an id or a name, of whatever kind that is. */
const NAMING = ['daemon', 'container', 'plugin', 'volume', 'network', 'node', 'service', 'secret', 'config'] as const;
/** Actions that say more behind a colon; who asks for one of them has all actions matched by their beginning. */
const SPEAKING: ReadonlySet<string> = new Set(['health_status', 'exec_create', 'exec_start']);
/** Up to here, events say some of it twice. */
const LAST_LEGACY = 51;

/** moby's daemon/events/filter.go: every key must fit, by one of its values; of labels all must. */
export function fitsFilters(event: Json, filters: FilterValues): boolean {
  const read = readEvent(event);
  if (read === null) return false;
  const { type, action, id, attributes } = read;
  const scope = read.event.scope ?? '';
  return (
    fitsAction(action, filters.event) &&
    isOneOf(type, filters.type) &&
    isOneOf(scope, filters.scope) &&
    NAMING.every((key) => beginsWithOneOf([id, attributes.name ?? ''], filters[key])) &&
    fitsImage(read, filters.image) &&
    (filters.label ?? []).every((label) => hasLabel(attributes, label))
  );
}

/** The fields that old clients read are there for them, and not for others, whatever the engine was asked at. */
export function eventAt(event: Json, minor: number): Json {
  const read = readEvent(event);
  if (read === null || (read.type !== 'container' && read.type !== 'image')) return event;
  const { status: _, id: __, from: ___, ...plain } = read.event;
  if (minor > LAST_LEGACY) return plain;
  const from = read.type === 'container' ? { from: read.attributes.image ?? '' } : {};
  return { status: read.action, id: read.id, ...from, ...plain };
}

/** What the answer calls a stream of events. */
export function eventsMediaType(minor: number): string {
  return minor > LAST_LEGACY ? 'application/jsonl' : 'application/json';
}

/** Milliseconds since 1970 of what dockerd reads as a time, `1700000000.000000001`; null for anything else. */
export function readMoment(text: string): number | null {
  const found = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  return found === null ? null : Number(found[1]) * 1000 + Number(`0.${found[2] ?? 0}`) * 1000;
}

export function spellMoment(ms: number): string {
  const whole = Math.floor(ms);
  return `${Math.floor(whole / 1000)}.${String(whole % 1000).padStart(3, '0')}000000`;
}

function readEvent(event: Json): Read | null {
  if (!isObject(event) || !isObject(event.Actor ?? null)) return null;
  const { ID: id = '', Attributes: attributes = null } = event.Actor as JsonObject;
  const { Type: type = '', Action: action = '' } = event;
  if (typeof type !== 'string' || typeof action !== 'string' || typeof id !== 'string') return null;
  return { event, type, action, id, attributes: isObject(attributes) ? attributes : {} };
}

function isOneOf(value: Json, wanted: readonly string[] = []): boolean {
  return wanted.length === 0 || (typeof value === 'string' && wanted.includes(value));
}

function beginsWithOneOf(values: readonly Json[], wanted: readonly string[] = []): boolean {
  if (wanted.length === 0) return true;
  return wanted.some((start) => values.some((value) => typeof value === 'string' && value.startsWith(start)));
}

function fitsAction(action: string, wanted: readonly string[] = []): boolean {
  return wanted.some((one) => SPEAKING.has(one)) ? beginsWithOneOf([action], wanted) : isOneOf(action, wanted);
}

function fitsImage({ type, id, attributes }: Read, wanted: readonly string[] = []): boolean {
  if (wanted.length === 0) return true;
  const name = attributes[type === 'image' ? 'name' : 'image'] ?? '';
  const named = typeof name === 'string' ? name : '';
  return [id, named, withoutTag(id), withoutTag(named)].some((one) => wanted.includes(one));
}

function withoutTag(image: string): string {
  const reference = readReference(image);
  return reference === null ? image : familiarReference({ ...reference, tag: null, digest: null });
}

function hasLabel(attributes: JsonObject, label: string): boolean {
  const equals = label.indexOf('=');
  const value = attributes[equals < 0 ? label : label.slice(0, equals)];
  return value !== undefined && (equals < 0 || value === label.slice(equals + 1));
}
