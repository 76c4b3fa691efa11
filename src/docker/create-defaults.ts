/** What a create leaves to the engine, where engines and versions of the API fill the gap differently. */

import { isObject, type Json, type JsonObject } from '../ground/json.ts';

export interface FilledIn {
  readonly path: readonly string[];
  readonly to: Json;
}

export interface DefaultsAsked {
  /** The minor number of the API version of the call. */
  readonly version: number;
  /** Whether the engine's machine has the first generation of cgroups, where containers see the host's tree of them. */
  readonly oldCgroups: boolean;
}

/** The create with what keeps it apart from the host and from other containers said in words. */
export function fillIn(
  body: JsonObject,
  { version, oldCgroups }: DefaultsAsked,
): { body: JsonObject; filled: FilledIn[] } {
  const filled: FilledIn[] = [];
  const said = body.HostConfig ?? null;
  const fields: Record<string, Json> = isObject(said) ? { ...said } : {};
  // Engines up to 26.1 take the fields of a host configuration from beside it where there is none.
  if (!isObject(said)) filled.push({ path: ['HostConfig'], to: {} });
  const fill = (field: string, value: string): void => {
    if ((fields[field] ?? '') !== '') return;
    fields[field] = value;
    filled.push({ path: ['HostConfig', field], to: value });
  };
  // moby, postContainersCreate: what is not said is `shareable` below 1.40 and, on old cgroups, `host` below 1.41.
  if (version < 40) fill('IpcMode', 'private');
  if (version < 41 || oldCgroups) fill('CgroupnsMode', 'private');
  return { body: filled.length === 0 ? body : { ...body, HostConfig: fields }, filled };
}
