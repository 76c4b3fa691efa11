/** A build as an engine that several share is asked for it, and what it answers line by line. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { QueryValues } from './query.ts';

export interface CarriedBuild {
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly cacheSources: readonly string[];
  /** No container of a step stays, also where it fails. */
  readonly temporary: boolean;
}

/** Nothing is pulled by the engine: what the build needs is there. */
export function carriedBuild(query: QueryValues, build: CarriedBuild): QueryValues {
  const { dockerfile, tags, cacheSources, temporary } = build;
  const tidied = temporary ? { forcerm: true } : {};
  return { ...query, ...tidied, dockerfile, t: tags, cachefrom: cacheSources, pull: false };
}

/** The images of the list whose steps an engine has run itself, newest first; those of a registry have other ones. */
export function builtImages(list: Json, isOwn: (id: string) => boolean, most: number): readonly string[] {
  const images = isList(list) ? list.filter(isObject) : [];
  return images
    .filter(({ Id: id, ParentId: parent, RepoDigests: digests = null }) => {
      const pulled = isList(digests) && digests.some((digest) => digest !== '<none>@<none>');
      return typeof id === 'string' && isOwn(id) && ((typeof parent === 'string' && parent !== '') || !pulled);
    })
    .sort((one, other) => Number(other.Created) - Number(one.Created))
    .slice(0, most)
    .map(({ Id: id }) => id as string);
}

/** Of a line that says which image a stage has become; null for every other one. */
export function stageImageIn(line: Json): string | null {
  const aux = isObject(line) ? (line.aux ?? null) : null;
  return isObject(aux) && typeof aux.ID === 'string' && aux.ID !== '' ? aux.ID : null;
}

/** Of a line that says which image a step has become, the beginning of its id; null for every other one. */
export function stepImageIn(line: Json): string | null {
  const text = isObject(line) ? line.stream : null;
  return typeof text === 'string' ? (/^ ---> ([0-9a-f]{12})\n?$/.exec(text)?.[1] ?? null) : null;
}

export interface BuildWords {
  /** Undefined where it is not to be told. */
  readonly output: (text: string) => string | undefined;
  readonly fault: (text: string) => string;
}

/** The line in other words; undefined where nothing of it is left. */
export function withBuildWords(line: Json, { output, fault }: BuildWords): Json | undefined {
  if (!isObject(line)) return line;
  const { stream, error, errorDetail = null } = line;
  const told: Record<string, Json> = { ...line };
  if (typeof stream === 'string') {
    const said = output(stream);
    if (said === undefined) return undefined;
    told.stream = said;
  }
  if (typeof error === 'string') told.error = fault(error);
  if (isObject(errorDetail)) {
    const { message }: JsonObject = errorDetail;
    if (typeof message === 'string') told.errorDetail = { ...errorDetail, message: fault(message) };
  }
  return told;
}

/** The last line of a build that has failed. */
export function buildFaultLine(message: string): Json {
  return { errorDetail: { message }, error: message };
}
