/** Where an engine tells its versions, on which the way of every call depends. */

import { isList, isObject, type Json } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import { systemEndpoints } from './endpoints/system.ts';

/** The API versions that somebody speaks, as minor numbers of 1.x. */
export interface VersionRange {
  readonly oldest: number;
  readonly newest: number;
}

export interface EngineVersion extends VersionRange {
  /** Of the engine itself, e.g. `28.5.1`. */
  readonly version: string;
}

/** Stands on every answer: the newest version that the engine speaks. */
export const versionHeader = 'api-version';

const versionEndpoint = systemEndpoints.find((one) => one.id === 'SystemVersion') as Endpoint;

/** Where it says so, without a version in front: that is asked before any is known. */
export const versionPath: string = versionEndpoint.path;

/** The oldest version that moby ever served; what an engine means that does not say. */
const FIRST_MINOR = 12;

export function tellsVersions(endpoint: Endpoint): boolean {
  return endpoint.id === versionEndpoint.id;
}

/** Null where the answer is not that of a Docker engine. */
export function readVersionAnswer(answer: Json): EngineVersion | null {
  if (!isObject(answer)) return null;
  const { Version, ApiVersion, MinAPIVersion } = answer;
  const newest = minor(ApiVersion);
  if (newest === null) return null;
  return {
    version: typeof Version === 'string' ? Version : '',
    oldest: minor(MinAPIVersion) ?? Math.min(FIRST_MINOR, newest),
    newest,
  };
}

/** The same answer with other versions, also where the engine repeats them among its components. */
export function withVersions(answer: Json, range: VersionRange): Json {
  if (isList(answer)) return answer.map((item) => withVersions(item, range));
  if (!isObject(answer)) return answer;
  const changed: Record<string, Json> = Object.create(null);
  for (const [key, value] of Object.entries(answer)) {
    if (key === 'ApiVersion') changed[key] = `1.${range.newest}`;
    else if (key === 'MinAPIVersion') changed[key] = `1.${range.oldest}`;
    else changed[key] = withVersions(value, range);
  }
  return changed;
}

function minor(version: Json | undefined): number | null {
  const found = typeof version === 'string' ? /^1\.(\d{1,3})$/.exec(version) : null;
  return found === null ? null : Number(found[1]);
}
