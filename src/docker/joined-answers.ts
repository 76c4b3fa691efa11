/** Answers of one endpoint about several namespaces, told as one. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';

/** Of at least one; what is told beside the things is that of the first. */
export function joinAnswers(endpointId: string, answers: readonly Json[]): Json {
  switch (endpointId) {
    case 'ContainerList':
      return answers.flatMap(itemsOf).sort((one, other) => createdAt(other) - createdAt(one));
    case 'NetworkList':
    case 'NetworkListSlash':
      return answers.flatMap(itemsOf);
    case 'SystemDataUsage':
      return joined(answers, ['ContainerUsage', 'VolumeUsage']);
    default:
      return joined(answers, []);
  }
}

/** The objects with their lists after one another, within these keys too, and what a prune has freed in sum. */
function joined(answers: readonly Json[], within: readonly string[]): Json {
  const objects = answers.filter(isObject);
  const told: Record<string, Json> = Object.assign(Object.create(null), objects[0]);
  for (const key in told) {
    // Of images, all know the same.
    if (key === 'Images') continue;
    const values = objects.map((object) => object[key] ?? null);
    if (values.some(isList)) told[key] = values.flatMap(itemsOf);
    else if (key === 'SpaceReclaimed') told[key] = values.reduce<number>((sum, value) => sum + Number(value), 0);
    else if (within.includes(key)) told[key] = joined(values, []);
  }
  return told;
}

/** What a prune has freed, in bytes. */
export function freedBytes(answer: Json): number {
  return isObject(answer) && typeof answer.SpaceReclaimed === 'number' ? answer.SpaceReclaimed : 0;
}

function itemsOf(list: Json): readonly Json[] {
  return isList(list) ? list : [];
}

function createdAt(container: Json): number {
  return isObject(container) ? Number((container as JsonObject).Created) : 0;
}
