/** What an engine would answer to what is not really done: for whoever explains a call. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';
import { type NamedKind, thingIn } from './named-things.ts';
import { sampleId } from './sample.ts';

/** One thing that would be there now. */
export interface ImaginedThing {
  readonly kind: NamedKind;
  /** As a list, or an inspection, tells it. */
  readonly told: JsonObject;
}

/** What a create would make; null for every other call. */
export function imagine(endpointId: string, name: string, body: Json): ImaginedThing | null {
  if (!isObject(body)) return null;
  switch (endpointId) {
    case 'ContainerCreate':
      return { kind: 'container', told: { Id: sampleId, Names: [`/${name}`], Labels: body.Labels ?? {} } };
    case 'NetworkCreate':
      return { kind: 'network', told: { Driver: 'bridge', ...body, Id: sampleId } };
    case 'VolumeCreate':
      return { kind: 'volume', told: { ...body, Mountpoint: '', Scope: 'local' } };
    default:
      return null;
  }
}

/** The list with what is imagined, where the label filter is for it. */
export function withImagined(
  kind: NamedKind,
  list: Json,
  imagined: readonly ImaginedThing[],
  labels: readonly string[],
): Json {
  const added = imagined.flatMap(({ kind: of, told }) => {
    const thing = of === kind ? thingIn(kind, told) : null;
    const meant = labels.every((label) => {
      const [key = '', value] = label.split('=');
      return thing !== null && (value === undefined ? key in thing.labels : thing.labels[key] === value);
    });
    return thing !== null && meant ? [told] : [];
  });
  if (kind !== 'volume') return [...(Array.isArray(list) ? (list as readonly Json[]) : []), ...added];
  const there = isObject(list) && Array.isArray(list.Volumes) ? (list.Volumes as readonly Json[]) : [];
  return { ...(isObject(list) ? list : {}), Volumes: [...there, ...added] };
}
