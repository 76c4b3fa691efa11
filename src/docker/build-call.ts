/** What a build says of where its files come from, and what an image decides for the builds on it. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import { formatReference, readReference, tagged } from './image-reference.ts';
import type { QueryValues } from './query.ts';
import { registryHostOf } from './registry-credentials.ts';
import type { CallValues } from './visit-call.ts';

export interface BuildCall {
  /** As it is said; empty where the engine looks for the usual names. */
  readonly dockerfile: string;
  /** Null: named without a value. */
  readonly arguments: ReadonlyMap<string, string | null>;
  /** The files come from the body of the call. */
  readonly brought: boolean;
  readonly byBuildKit: boolean;
  /** Images are asked for at their registries, also where the engine has them. */
  readonly pulls: boolean;
  readonly platform: string | null;
  readonly tags: readonly string[];
  /** Images whose steps it may take over. */
  readonly cacheSources: readonly string[];
}

/** Null for every other call. */
export function buildOf({ endpoint, query }: CallValues): BuildCall | null {
  if (endpoint.id !== 'ImageBuild') return null;
  return {
    dockerfile: text(query.dockerfile),
    arguments: new Map(
      Object.entries(isJsonObject(query.buildargs) ? query.buildargs : {}).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : null,
      ]),
    ),
    brought: text(query.remote) === '',
    byBuildKit: text(query.version) === '2',
    pulls: query.pull === true,
    platform: text(query.platform) || null,
    tags: texts(query.t as Json | undefined),
    cacheSources: texts(query.cachefrom as Json | undefined),
  };
}

/** The build on that network where it names none. */
export function onNetwork(query: QueryValues, network: string): QueryValues {
  return text(query.networkmode) === '' ? { ...query, networkmode: network } : query;
}

/** Of an inspected image; null where there is none. */
export function baseImageOf(inspection: Json): { env: readonly string[]; onBuild: readonly string[] } | null {
  if (!isObject(inspection)) return null;
  const config = isObject(inspection.Config ?? null) ? (inspection.Config as JsonObject) : {};
  return { env: texts(config.Env), onBuild: texts(config.OnBuild) };
}

/** What is asked to have an image pulled; null for what no registry knows, such as an id. */
export function pullQuery(image: string, platform: string | null): QueryValues | null {
  const reference = readReference(image);
  if (reference === null) return null;
  const { tag, digest } = tagged(reference);
  return {
    fromImage: formatReference({ ...reference, tag: null, digest: null }),
    tag: digest ?? tag ?? '',
    ...(platform === null ? {} : { platform }),
  };
}

/** What went wrong, of a line of progress; null where nothing did. */
export function progressFault(line: Json): string | null {
  if (!isObject(line)) return null;
  const { error, errorDetail } = line;
  if (typeof error === 'string') return error;
  return isObject(errorDetail ?? null) ? String((errorDetail as JsonObject).message ?? 'it failed') : null;
}

/**
 * Of the credentials that a build brings for many registries (`X-Registry-Config`), the header with those for the
 * registry of an image; null where it brings none.
 */
export function pullHeaders(config: string | undefined, image: string): readonly string[] | null {
  const domain = readReference(image)?.domain;
  if (config === undefined || domain === undefined) return null;
  const all: unknown = parsed(config);
  if (!isJsonObject(all)) return null;
  const found = Object.entries(all).find(([key]) => registryHostOf(key) === domain)?.[1];
  if (found === undefined) return null;
  return ['X-Registry-Auth', Buffer.from(JSON.stringify(found)).toString('base64url')];
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(Buffer.from(said, 'base64url').toString());
  } catch {
    // The engine takes what it cannot read for none.
    return null;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: Json | undefined): readonly string[] {
  return isList(value ?? null) ? (value as readonly Json[]).filter((one) => typeof one === 'string') : [];
}

function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a build is run from the call's beginning to its end. */
export function runsBuild({ id }: Endpoint): boolean {
  return id === 'ImageBuild' || id === 'BuildkitSolve';
}
