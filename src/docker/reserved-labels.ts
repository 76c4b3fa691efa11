/** Labels of our own on the engine: clients can neither set nor see them. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { Leaf } from './visit.ts';

export const RESERVED_PREFIX = 'berthgate.';

/** What a create said where a policy changed it, as JSON: a list of `{place, from}`. */
export const GIVEN_LABEL = 'berthgate.given';

/** Who made it: the user of the identity. */
export const USER_LABEL = 'berthgate.user';

/** Which namespace it belongs to, together with its name. */
export const NAMESPACE_LABEL = 'berthgate.namespace';

/** Whose namespaces by labels it is of: those of one identity by one template, whatever project each is for. */
export const SCOPE_LABEL = 'berthgate.scope';

/** The default network of a namespace. */
export const DEFAULT_NETWORK_LABEL = 'berthgate.default-network';

/** Volumes without a name that go with their container, where the engine removes it by itself. */
export const VOLUMES_LABEL = 'berthgate.volumes';

/** Which installation of Berthgate ends what it has begun: on what it writes on the engine to find it again. */
export const INSTALLATION_LABEL = 'berthgate.instance';

/** What was begun and is to be ended whatever happens: JSON, on a volume that holds nothing else. */
export const INTENT_LABEL = 'berthgate.intent';

/** What it goes with: on a volume that is to be gone as soon as no container refers to it. */
export const UNTIL_LABEL = 'berthgate.until';

/** On which network it is not, and has its ports at the address of: `default`. */
export const PORTS_LABEL = 'berthgate.ports';

/** What tells a thing in the engine's lists from others of its user, as soon as the engine has begun to make it. */
export const CLAIM_LABEL = 'berthgate.claim';

/** When a container is stopped: seconds of the epoch. */
export const EXPIRES_LABEL = 'berthgate.expires';

/** The job whose it is, a temporary namespace: the same word as that of the namespace. */
export const JOB_LABEL = 'berthgate.job';

/** Of a container that has a socket of its own: JSON that says whose it is and what it leads to. */
export const SOCKET_LABEL = 'berthgate.socket';

/** How a container is served from the cache: `trust` where it was given our CA. */
export const CACHE_LABEL = 'berthgate.cache';

/** Of a container that mounts directories of another one: JSON, the paths that its client asked for. */
export const LENT_LABEL = 'berthgate.lent';

/** Every container says all of them, empty where they do not apply: one that its image brings along would count. */
const onEveryContainer = {
  [GIVEN_LABEL]: '',
  [USER_LABEL]: '',
  [CLAIM_LABEL]: '',
  [EXPIRES_LABEL]: '',
  [NAMESPACE_LABEL]: '',
  [SCOPE_LABEL]: '',
  [VOLUMES_LABEL]: '',
  [INSTALLATION_LABEL]: '',
  [PORTS_LABEL]: '',
  [JOB_LABEL]: '',
  [SOCKET_LABEL]: '',
  [CACHE_LABEL]: '',
  [LENT_LABEL]: '',
};

/** What a create carries by which its total counts it; null for none. */
export function claimOf({ Labels: labels = null }: JsonObject): string | null {
  const claim = isObject(labels) ? labels[CLAIM_LABEL] : null;
  return typeof claim === 'string' && claim !== '' ? claim : null;
}

/** What a create says itself. */
export function saidLabels(body: Json): Readonly<Record<string, string>> {
  const said: Record<string, string> = Object.create(null);
  const labels = isObject(body) ? (body.Labels ?? null) : null;
  if (isObject(labels)) {
    for (const [key, value] of Object.entries(labels)) if (typeof value === 'string') said[key] = value;
  }
  return said;
}

/** The body of a create with our labels; itself where what is made can carry none. */
export function withOwnLabels(endpointId: string, body: JsonObject, own: Readonly<Record<string, string>>): JsonObject {
  switch (endpointId) {
    case 'ContainerCreate':
      return withLabels(body, { ...onEveryContainer, ...own });
    case 'VolumeCreate':
    case 'NetworkCreate':
      return Object.keys(own).length === 0 ? body : withLabels(body, own);
    default:
      return body;
  }
}

export function isReserved(label: string): boolean {
  return label.startsWith(RESERVED_PREFIX);
}

/** Whether labels of ours are meant: by a map of labels, a label filter, or the words of a LABEL instruction. */
export function namesReserved(said: Json): boolean {
  if (isObject(said)) return Object.keys(said).some(isReserved);
  if (typeof said !== 'string') return false;
  // Quotes and backslashes vanish when the engine reads a LABEL; what a variable puts there, nobody knows before.
  const words = said.replace(/["'\\`]/g, '').split(/\s+/);
  return words.some((word) => isReserved(word) || /^\$[^=]*(=|$)/.test(word));
}

/** The same labels without ours; itself where there are none. */
export function withoutReserved(labels: Json): Json {
  if (!isObject(labels) || !Object.keys(labels).some(isReserved)) return labels;
  const kept: Record<string, Json> = Object.create(null);
  for (const [name, value] of Object.entries(labels)) if (!isReserved(name)) kept[name] = value;
  return kept;
}

/** For `visit`: hides our labels wherever an answer has labels. */
export function hideReserved({ marks, value }: Leaf): Json {
  return marks.some(({ mark }) => mark === 'labels') ? withoutReserved(value) : value;
}

/** A body of a create with labels of ours added to those of the client. */
export function withLabels(body: JsonObject, added: Readonly<Record<string, string>>): JsonObject {
  const labels: Record<string, Json> = Object.create(null);
  const changed: Record<string, Json> = Object.create(null);
  const before = body.Labels;
  Object.assign(labels, isObject(before ?? null) ? before : {}, added);
  Object.assign(changed, body, { Labels: labels });
  return changed;
}
