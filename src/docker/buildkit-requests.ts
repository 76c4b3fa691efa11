/** What Berthgate itself puts into the requests of BuildKit's API. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import { printMessage, readMessage } from './protobuf.ts';
import { DEFAULT_PROVENANCE, timestamp } from './shapes/buildkit.ts';
import { type SourceRule, withSourceRules } from './source-policy.ts';
import { visit } from './visit.ts';
import type { CallValues } from './visit-call.ts';

const FRONTEND = 'dockerfile.v0';

const frontendFields: Readonly<Record<string, string>> = {
  BuildkitSolve: 'FrontendAttrs',
  BuildkitBridgeSolve: 'FrontendOpt',
};

/** The first API version whose engines hold to source policies (Docker 24, BuildKit 0.11). */
export const SOURCE_POLICIES_SINCE = 43;

/** Whether the call begins a build, or a part of it, whose sources are not named in it. */
export function opensBuild({ id }: Endpoint): boolean {
  return Object.hasOwn(frontendFields, id);
}

/** The rules hold for the whole build, also for what its frontend asks for. */
export function withSources<C extends CallValues>(call: C, rules: readonly SourceRule[]): C {
  if (call.endpoint.id !== 'BuildkitSolve' || !isObject(call.body)) return call;
  return { ...call, body: { ...call.body, SourcePolicy: withSourceRules(call.body.SourcePolicy, rules) } };
}

/** The Dockerfile is read by the engine's own frontend: a command line, even an empty one, takes precedence over `# syntax=`. */
export function withOwnFrontend<C extends CallValues>(call: C): C {
  const { body } = call;
  const field = frontendFields[call.endpoint.id];
  if (field === undefined || !isObject(body) || body.Frontend !== FRONTEND) return call;
  const attributes = (body[field] ?? {}) as JsonObject;
  if (Object.hasOwn(attributes, 'cmdline')) return call;
  return { ...call, body: { ...body, [field]: { ...attributes, cmdline: '' } } };
}

/** The contents of the engine that an answer speaks of, by their digests. */
export function contentsIn({ id, answer }: Endpoint, message: Uint8Array): readonly string[] {
  if (id !== 'BuildkitListenHistory' || answer.shape?.kind !== 'object') return [];
  const digests: string[] = [];
  visit(answer.shape, readMessage(answer.shape, message).value, ({ value, marks }) => {
    if (typeof value === 'string' && marks.some(({ mark }) => mark === 'uses')) digests.push(value);
    return value;
  });
  return digests;
}

/** The contents of the engine that a call asks for; null where it asks for none. */
export function contentAsked({ endpoint, body }: CallValues): string | null {
  if (!endpoint.id.startsWith('BuildkitContent') || !isObject(body)) return null;
  return typeof body.Digest === 'string' ? body.Digest : '';
}

const HOSTS = 'add-hosts';
const SANDBOX = 'build-arg:BUILDKIT_SANDBOX_HOSTNAME';
const MOUNTS = 'build-arg:BUILDKIT_CACHE_MOUNT_NS';

/**
 * The key of the build cache holds the name of the host, and mounts of caches are of a namespace: with a scope in both nobody
 * takes over what was built in another one.
 */
export function withBuildScope<C extends CallValues>(call: C, scope: string): C {
  const field = frontendFields[call.endpoint.id];
  const { body } = call;
  if (field === undefined || !isObject(body)) return call;
  const attributes = (body[field] ?? {}) as JsonObject;
  return { ...call, body: { ...body, [field]: { ...attributes, [SANDBOX]: scope, [MOUNTS]: scope } } };
}

/** Names that the steps of the build find at these addresses, `NAME:ADDRESS` each; but for those that it says itself. */
export function withBuildHosts<C extends CallValues>(call: C, entries: readonly string[]): C {
  const field = frontendFields[call.endpoint.id];
  const { body } = call;
  if (field === undefined || !isObject(body)) return call;
  const attributes = (body[field] ?? {}) as JsonObject;
  const said = typeof attributes[HOSTS] === 'string' && attributes[HOSTS] !== '' ? attributes[HOSTS].split(',') : [];
  const own = new Set(said.map((entry) => (entry.split('=', 1)[0] as string).toLowerCase()));
  const added = entries.filter((entry) => !own.has(entry.slice(0, entry.indexOf(':'))));
  if (added.length === 0) return call;
  const hosts = [...said, ...added.map((entry) => entry.replace(':', '='))].join(',');
  return { ...call, body: { ...body, [field]: { ...attributes, [HOSTS]: hosts } } };
}

/** Whether images are asked for at their registries also where the engine has them. */
export function pullsAnew({ body }: CallValues): boolean {
  return (
    isObject(body) &&
    isObject(body.FrontendAttrs ?? null) &&
    fieldOf(body.FrontendAttrs, 'image-resolve-mode') === 'pull'
  );
}

const STORES: ReadonlySet<string> = new Set(['moby', 'image']);

/** The names that a build gives to what it puts into the images of the engine; null where it puts nothing there. */
export function madeImages({ body }: CallValues): readonly string[] | null {
  if (!isObject(body)) return null;
  const exporters = exportersOf(body);
  if (exporters.length === 0) return null;
  const names = exporters.flatMap((attributes) => String(fieldOf(attributes, 'name') ?? '').split(','));
  return [...new Set(names)].filter((name) => name !== '');
}

export function withImageNames<C extends CallValues>(call: C, names: readonly string[]): C {
  const { body } = call;
  if (!isObject(body)) return call;
  const name = names.join(',');
  const renamed: Record<string, Json> = Object.assign(Object.create(null), body);
  if (STORES.has(String(body.Exporter)))
    renamed.ExporterAttrs = { ...((body.ExporterAttrs ?? {}) as JsonObject), name };
  if (isList(body.Exporters ?? null)) {
    renamed.Exporters = (body.Exporters as readonly Json[]).map((exporter) =>
      isObject(exporter) && STORES.has(String(exporter.Type))
        ? { ...exporter, Attrs: { ...((exporter.Attrs ?? {}) as JsonObject), name } }
        : exporter,
    );
  }
  return { ...call, body: renamed };
}

const IMPORTS: readonly string[] = ['cache-imports', 'cache-from'];

/** Whether the build is to take over what a cache from elsewhere holds. */
export function importsCache({ body, endpoint }: CallValues): boolean {
  const field = frontendFields[endpoint.id];
  if (field === undefined || !isObject(body)) return false;
  const lists = [fieldOf(body.Cache, 'Imports'), fieldOf(body.Cache, 'ImportRefs'), body.CacheImports];
  return (
    lists.some((list) => listOf(list).length > 0) ||
    IMPORTS.some((name) => !['', '[]', 'null'].includes(String(fieldOf(body[field], name) ?? '')))
  );
}

/** What a cache from elsewhere brings along is left out: the build finds what it needs, or builds it. */
export function withoutCacheImports<C extends CallValues>(call: C): C {
  const { body, endpoint } = call;
  const field = frontendFields[endpoint.id];
  if (field === undefined || !isObject(body)) return call;
  const { CacheImports: _, ...kept } = body;
  const own: Record<string, Json> = kept;
  if (isObject(body[field] ?? null)) own[field] = without(body[field] as JsonObject, IMPORTS);
  if (isObject(body.Cache ?? null)) own.Cache = without(body.Cache as JsonObject, ['Imports', 'ImportRefs']);
  return { ...call, body: own };
}

function without(fields: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

const PROVENANCE = 'attest:provenance';

/** What buildx asks for by itself is left out; what somebody has asked for stays, to be judged. */
export function withoutDefaultProvenance<C extends CallValues>(call: C): C {
  const { body, endpoint } = call;
  const field = frontendFields[endpoint.id];
  if (field === undefined || !isObject(body) || fieldOf(body[field], PROVENANCE) !== DEFAULT_PROVENANCE) return call;
  return { ...call, body: { ...body, [field]: without(body[field] as JsonObject, [PROVENANCE]) } };
}

const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** The names that the engine itself would push; an image store of its own leaves that to the client. */
export function pushedImages({ body, endpoint }: CallValues): readonly string[] {
  if (endpoint.id !== 'BuildkitSolve' || !isObject(body)) return [];
  return exportersOf(body).flatMap((attributes) => {
    const push = fieldOf(attributes, 'push');
    if (push === undefined || FALSE.has(String(push))) return [];
    return String(fieldOf(attributes, 'name') ?? '')
      .split(',')
      .filter((name) => name !== '');
  });
}

/** The client pushes by itself what it has had built: by calls that say so. */
export function withoutPush<C extends CallValues>(call: C): C {
  const { body } = call;
  if (!isObject(body)) return call;
  const left = (attributes: Json): Json => (isObject(attributes) ? without(attributes, ['push']) : attributes);
  const own: Record<string, Json> = { ...body };
  if (isObject(body.ExporterAttrs ?? null)) own.ExporterAttrs = left(body.ExporterAttrs as Json);
  if (isList(body.Exporters ?? null)) {
    own.Exporters = (body.Exporters as readonly Json[]).map((exporter) =>
      isObject(exporter) ? { ...exporter, Attrs: left(exporter.Attrs ?? {}) } : exporter,
    );
  }
  return { ...call, body: own };
}

function exportersOf(body: JsonObject): readonly Json[] {
  const several = isList(body.Exporters ?? null) ? (body.Exporters as readonly Json[]) : [];
  const listed = several.flatMap((one) => (isObject(one) && STORES.has(String(one.Type)) ? [one.Attrs ?? null] : []));
  return STORES.has(String(body.Exporter)) ? [...listed, body.ExporterAttrs ?? null] : listed;
}

const CACHE_MOUNT = 3;

/** A step of a graph that a call brings along. */
export interface BroughtStep {
  readonly hostname: string;
  /** The ids of its cache mounts; empty texts where they have none. */
  readonly cacheMounts: readonly string[];
}

/** The steps that run something. */
export function stepsIn({ endpoint, body }: CallValues): readonly BroughtStep[] {
  if (frontendFields[endpoint.id] === undefined || !isObject(body)) return [];
  const graphs = [
    body.Definition,
    ...(isObject(body.FrontendInputs ?? null) ? Object.values(body.FrontendInputs as JsonObject) : []),
  ];
  return graphs
    .flatMap((graph) => listOf(fieldOf(graph, 'Def')))
    .flatMap((step) => {
      const run = fieldOf(step, 'Exec');
      if (run === undefined) return [];
      const mounts = listOf(fieldOf(run, 'Mounts')).filter(
        (mount) => Number(fieldOf(mount, 'MountType') ?? 0) === CACHE_MOUNT || fieldOf(mount, 'CacheOpt') !== undefined,
      );
      return {
        hostname: String(fieldOf(fieldOf(run, 'Meta'), 'Hostname') ?? ''),
        cacheMounts: mounts.map((mount) => String(fieldOf(fieldOf(mount, 'CacheOpt'), 'ID') ?? '')),
      };
    });
}

function listOf(value: Json | undefined): readonly Json[] {
  return isList(value ?? null) ? (value as readonly Json[]) : [];
}

/** The build that the call begins, or whose progress it follows; null for other calls. */
export function refOf({ body, endpoint }: CallValues): string | null {
  if (!['BuildkitSolve', 'BuildkitStatus'].includes(endpoint.id) || !isObject(body)) return null;
  return String(body.Ref ?? '');
}

/** Progress with a step more, of which nothing but its name is to be seen. */
export function withStep(
  document: Json,
  { name, digest }: { readonly name: string; readonly digest: string },
  atMs: number,
): Json {
  if (!isObject(document)) return document;
  const at = Buffer.from(printMessage(timestamp, { Seconds: Math.floor(atMs / 1000) })).toString('latin1');
  const step = { Digest: digest, Name: name, Started: at, Completed: at };
  return { ...document, Vertexes: [...listOf(document.Vertexes), step] };
}

/** Whose build a record of the past tells of; null for every other document. */
export function recordOf({ id }: Endpoint, document: Json): string | null {
  if (id !== 'BuildkitListenHistory' || !isObject(document)) return null;
  return String(fieldOf(document.Record ?? null, 'Ref') ?? '');
}

/** Without what names contents of the engine, or was put into the build by us. */
export function shownRecord({ id }: Endpoint, document: Json): Json {
  if (id !== 'BuildkitListenHistory' || !isObject(document) || !isObject(document.Record ?? null)) return document;
  const { Result: _, Results: __, ...record } = document.Record as JsonObject;
  const known = Object.entries(record).filter(([name]) => !/^[0-9]+$/.test(name));
  return { ...document, Record: Object.fromEntries(known) };
}

const IMAGE_DIGEST = 'containerimage.digest';
const CONFIG_DIGEST = 'containerimage.config.digest';

/**
 * What a build says of the image that it has put into the engine. Clients take the digest of a configuration for its id
 * where there is one; engines that keep images in containerd know none by it.
 */
export function withImageId(call: CallValues, document: Json): Json {
  if (!isObject(document) || !isObject(document.ExporterResponse ?? null) || madeImages(call) === null) return document;
  const { [CONFIG_DIGEST]: config, ...told } = document.ExporterResponse as JsonObject;
  return config === told[IMAGE_DIGEST] ? document : { ...document, ExporterResponse: told };
}

function fieldOf(value: Json | undefined, field: string): Json | undefined {
  return isObject(value ?? null) ? (value as JsonObject)[field] : undefined;
}

/** What the client offers to the build. */
export function sessionOf({ body }: CallValues): string {
  return isObject(body) ? String(body.Session ?? '') : '';
}

/** The session that a connection opens, by its headers. */
export function sessionIn(headers: CallValues['headers']): string {
  return headers['x-docker-expose-session-uuid']?.[0] ?? '';
}

const SHARED_KEY = 'x-docker-expose-session-sharedkey';

/** The call with `key` for a session that has none: all sessions without one share the files that they have sent. */
export function withSharedKey<C extends CallValues>(call: C, key: string): C {
  const given = call.headers[SHARED_KEY]?.some((value) => value !== '') ?? false;
  return given ? call : { ...call, headers: { ...call.headers, [SHARED_KEY]: [key] } };
}
