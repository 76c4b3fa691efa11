/** What a container was asked to be, where a policy made it something else: kept in a label, shown on inspect. */

import { isList, isObject, type Json, JsonFault, type JsonObject, printJson, readJsonText } from '../ground/json.ts';
import { GIVEN_LABEL } from './reserved-labels.ts';

export interface Given {
  /** In the body of the create: `HostConfig.RestartPolicy.Name`. */
  readonly place: readonly (string | number)[];
  readonly from: Json;
}

const MAX_DEPTH = 32;

export function printGiven(given: readonly Given[]): string {
  return given.length === 0 ? '' : printJson(given.map(({ place, from }) => ({ place, from })));
}

/** An inspection of a container that shows what was asked for. */
export function showGiven(inspection: Json): Json {
  if (!isObject(inspection)) return inspection;
  const label = at(inspection, ['Config', 'Labels', GIVEN_LABEL]);
  if (typeof label !== 'string' || label === '') return inspection;
  let shown: Json = inspection;
  for (const { place, from } of readGiven(label)) shown = put(shown, inspectPlace(place), from);
  return shown;
}

/** The label is ours alone, but what stands in it comes from the engine: what cannot be read is not shown. */
function readGiven(label: string): readonly Given[] {
  let read: Json;
  try {
    read = readJsonText(label, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return [];
    throw fault;
  }
  if (!isList(read)) return [];
  return read.flatMap((entry) => {
    if (!isObject(entry) || !isList(entry.place ?? null)) return [];
    return [{ place: entry.place as readonly (string | number)[], from: entry.from ?? null }];
  });
}

/** Where a field of a create stands in an inspection. */
function inspectPlace(place: Given['place']): Given['place'] {
  switch (place[0]) {
    case 'HostConfig':
      return place;
    case 'NetworkingConfig':
      return ['NetworkSettings', 'Networks', ...place.slice(2)];
    default:
      return ['Config', ...place];
  }
}

function at(value: Json, place: readonly (string | number)[]): Json {
  let found: Json = value;
  for (const step of place) {
    const next: Json | undefined = isList(found) ? found[step as number] : isObject(found) ? found[step] : undefined;
    if (next === undefined) return null;
    found = next;
  }
  return found;
}

/** A copy with the value at the place; the same value where the way there does not exist. */
function put(value: Json, place: readonly (string | number)[], wanted: Json): Json {
  const [step, ...rest] = place;
  if (step === undefined) return wanted;
  if (isList(value)) return value.map((item, index) => (index === step ? put(item, rest, wanted) : item));
  if (!isObject(value)) return value;
  const copy: Record<string, Json> = Object.assign(Object.create(null), value as JsonObject);
  copy[step] = put(copy[step] ?? null, rest, wanted);
  return copy;
}
