/** The events of an engine that tell which containers, networks and volumes there are. */

import { isObject, type Json, type JsonObject, printJson } from '../ground/json.ts';
import type { NamedKind } from './named-things.ts';

export interface NoticedEvent {
  readonly kind: NamedKind;
  readonly action: string;
  readonly id: string;
  readonly name: string;
  /** Of containers alone. */
  readonly labels: Readonly<Record<string, string>>;
}

const MOVES: ReadonlySet<string> = new Set(['create', 'destroy', 'rename']);

/** Whether there is something else now, or by another name. */
export function moves({ action }: NoticedEvent): boolean {
  return MOVES.has(action);
}

/** Null for what tells of none of these. */
export function noticeOf(event: Json): NoticedEvent | null {
  if (!isObject(event) || !isObject(event.Actor ?? null)) return null;
  const { ID: id = '', Attributes: said = null } = event.Actor as JsonObject;
  const attributes: Record<string, string> = Object.create(null);
  if (isObject(said)) {
    for (const [key, value] of Object.entries(said)) if (typeof value === 'string') attributes[key] = value;
  }
  const { Type: kind = '', Action: action = '' } = event;
  if ((kind !== 'container' && kind !== 'network' && kind !== 'volume') || typeof action !== 'string') return null;
  if (typeof id !== 'string' || id === '') return null;
  const name = kind === 'volume' ? id : (attributes.name ?? '');
  return { kind, action, id, name, labels: kind === 'container' ? attributes : {} };
}

/** Of a container that has come onto a network; null for anything else. */
export function joinIn(event: Json): { readonly container: string; readonly network: string } | null {
  if (!isObject(event) || event.Type !== 'network' || event.Action !== 'connect') return null;
  const attributes = isObject(event.Actor ?? null) ? ((event.Actor as JsonObject).Attributes ?? null) : null;
  if (!isObject(attributes)) return null;
  const { container, name: network } = attributes;
  return typeof container === 'string' && typeof network === 'string' ? { container, network } : null;
}

export function isRemoval({ action }: NoticedEvent): boolean {
  return action === 'destroy';
}

export interface ImageNotice {
  readonly action: string;
  /** An id, or the name for what an engine tells by the name. */
  readonly id: string;
  /** An id, or a name. */
  readonly name: string;
  /** The same for the same event, whenever it is told. */
  readonly key: string;
  /** By the engine's clock, since 1970. */
  readonly atMs: number;
}

/** Null for what tells of no image. */
export function imageNoticeOf(event: Json): ImageNotice | null {
  if (!isObject(event) || event.Type !== 'image' || !isObject(event.Actor ?? null)) return null;
  const { ID: id = '', Attributes: said = null } = event.Actor as JsonObject;
  const { Action: action = '', timeNano: moment = 0 } = event;
  const name = isObject(said) && typeof said.name === 'string' ? said.name : '';
  if (typeof id !== 'string' || typeof action !== 'string') return null;
  const nanos = printJson(moment);
  return { action, id, name, key: `${action} ${id} ${name} ${nanos}`, atMs: Number(nanos) / 1e6 };
}
