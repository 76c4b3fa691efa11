/** What a commit says of the image that it makes of a container. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import { isReserved, withLabels } from './reserved-labels.ts';

/**
 * The configuration for a commit of the inspected container: what the call has said, and the container's own where it has
 * said nothing, as the engine takes it. What is ours on the container says nothing on the image, nor does the engine's name
 * of the image that the container was made of.
 */
export function committedConfig(inspection: Json, said: Json): JsonObject {
  const held = fieldOf(inspection, 'Config');
  const { Image: _, ...config } = isObject(said) ? said : held;
  return withoutOurs(config, fieldOf(held, 'Labels'));
}

/** The same with the image; null where nothing is ours on the container, and the call does as it is. */
export function configWithoutOurs(inspection: Json, said: Json): JsonObject | null {
  const held = fieldOf(inspection, 'Config');
  const labels = fieldOf(held, 'Labels');
  const speaks = Object.entries(labels).some(([label, value]) => isReserved(label) && value !== '');
  return speaks ? withoutOurs(isObject(said) ? said : held, labels) : null;
}

/** moby takes the labels of the container to those of the call, where the call does not say them. */
function withoutOurs(config: JsonObject, labels: JsonObject): JsonObject {
  const ours = Object.keys(labels).filter(isReserved);
  return withLabels(config, Object.fromEntries(ours.map((label) => [label, ''])));
}

function fieldOf(said: Json, key: string): JsonObject {
  const value = isObject(said) ? (said[key] ?? null) : null;
  return isObject(value) ? value : {};
}
