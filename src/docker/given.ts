/** What a container was asked to be, where a policy made it something else: kept in a label, shown on inspect. */

import { isList, isObject, type Json, JsonFault, printJson, readJsonText } from '../ground/json.ts';
import { valueAt, withValueAt } from '../ground/json-path.ts';
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
  const label = valueAt(inspection, ['Config', 'Labels', GIVEN_LABEL]);
  if (typeof label !== 'string' || label === '') return inspection;
  let shown: Json = inspection;
  // The last change is undone first: what was changed earlier stood where the earlier ones left it.
  for (const { place, from } of readGiven(label).toReversed()) shown = withValueAt(shown, inspectPlace(place), from);
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
