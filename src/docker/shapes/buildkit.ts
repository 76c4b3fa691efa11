/** What is asked of BuildKit: a build, its frontend, its outputs and its cache (moby/buildkit, api/ and frontend/). */

import { buildContext } from '../grammars/build-context.ts';
import { imageReference } from '../grammars/image-reference.ts';
import { namedContext } from '../grammars/named-context.ts';
import { each, oneOf } from '../grammars/one-of.ts';
import {
  address,
  credential,
  fetches,
  labels,
  makes,
  own,
  privilege,
  prose,
  resource,
  reveals,
  uses,
} from '../marks.ts';
import {
  any,
  bool,
  embedded,
  emptyMeans,
  int,
  known,
  language,
  list,
  map,
  message,
  object,
  type Shape,
  text,
  varying,
  withFamilies,
} from '../shape.ts';
import { buildArgumentMap } from './build.ts';
import { definition } from './build-graph.ts';

/** What buildx wants of every build that does not say otherwise (util/buildflags, `mode=min,inline-only=true`). */
export const DEFAULT_PROVENANCE = 'mode=min,inline-only=true';

const unknownFrontend = privilege('builder', 'an image that runs as the builder itself');
const unknownAttribute = privilege('builder', 'what it does is not known');
const attestation = privilege(
  'builder',
  'provenance and SBOMs tell how the engine names things, and run images of their own',
);
const beside = privilege('cgroup', 'another place in the tree of cgroups, or limits of its own');

const networkOfBuild = oneOf(
  'build-network',
  {
    ...each(['', 'default', 'sandbox', 'none'], own),
    host: [privilege('host-namespace', "uses the host's own network")],
  },
  [unknownAttribute],
  ['bridge'],
);

const frontendName = oneOf('frontend', each(['', 'dockerfile.v0'], own), [unknownFrontend], ['gateway.v0']);

const cacheAttributes = known(map(text(unknownAttribute), text(own)), {
  ...Object.fromEntries(
    ['mode', 'digest', 'tag', 'compression', 'compression-level', 'force-compression', 'ignore-error'].map((key) => [
      key,
      text(own),
    ]),
  ),
  ...Object.fromEntries(['oci-mediatypes', 'image-manifest', 'src', 'dest'].map((key) => [key, text(own)])),
  ref: language(imageReference),
});

/** What is in the image itself, or in a folder of the client; a registry is asked by its host, everything else by an address. */
const cacheKind = oneOf(
  'build-cache',
  { ...each(['inline', 'local', 'registry'], own) },
  [fetches],
  ['gha', 's3', 'azblob'],
);

const cacheEntry = message({
  Type: [1, language(cacheKind)],
  Attrs: [2, cacheAttributes],
});

const cacheEntryAsJson = object({ Type: language(cacheKind), Attrs: cacheAttributes });

const families = withFamilies(map(text(unknownAttribute), text(own)), {
  'build-arg:': buildArgumentMap,
  'label:': map(text(own, labels), text(own)),
  'local-sessionid:': map(text(uses('session', 'id'))),
  'sharedkey:': map(text(own)),
  'context:': map(language(namedContext), text(own)),
  'input:': map(text(own)),
  'input-metadata:': map(text(own)),
  'vcs:': map(text(own)),
  'attest:': map(emptyMeans('is wanted all the same', text(attestation))),
});

/** buildx asks by itself for what names the sources of a build alone, where images are kept by containerd. */
const provenance = oneOf('provenance', { [DEFAULT_PROVENANCE]: [own] }, [attestation], ['mode=max', 'mode=min', '']);

/** Options of the Dockerfile frontend (frontend/dockerui/config.go). */
const frontendAttributes = known(families, {
  ...Object.fromEntries(
    ['filename', 'target', 'platform', 'no-cache', 'multi-platform', 'image-resolve-mode', 'hostname'].map((key) => [
      key,
      text(own),
    ]),
  ),
  ...Object.fromEntries(
    ['frontend.caps', 'contextkey', 'dockerfilekey', 'contextsubdir', 'requestid'].map((key) => [key, text(own)]),
  ),
  context: language(buildContext),
  source: text(uses('image', 'name'), unknownFrontend),
  cmdline: text(unknownFrontend),
  'override-copy-image': text(uses('image', 'name'), unknownFrontend),
  'force-network-mode': language(networkOfBuild),
  'add-hosts': text(address),
  'shm-size': text(resource('bytes', 'shm')),
  ulimit: text(beside),
  'cgroup-parent': text(beside),
  'cache-imports': embedded(list(cacheEntryAsJson)),
  'cache-from': text(uses('image', 'name'), unknownAttribute),
  'attest:provenance': emptyMeans('is wanted all the same', language(provenance)),
});

const exporterAttribute = emptyMeans(
  'is an attribute all the same',
  text(privilege('builder', 'what the exporter does with it is not known')),
);
const pushes = emptyMeans(
  'true',
  text(privilege('builder', 'the builder itself speaks with a registry; docker push does it by the API')),
);

/** Names, divided by commas. */
const imageNames = {
  name: 'image-names',
  form: 'IMAGE[,IMAGE…]',
  marks: [makes('image')],
  split: (names: string) =>
    names
      .split(/(,)/)
      .filter((part) => part !== '')
      .map((part) => ({ text: part, marks: part === ',' ? [] : [makes('image')] })),
};

const exporterAttributes = known(map(exporterAttribute, text(own)), {
  ...Object.fromEntries(
    ['compression', 'compression-level', 'force-compression', 'oci-mediatypes', 'oci-artifact'].map((key) => [
      key,
      text(own),
    ]),
  ),
  ...Object.fromEntries(
    ['source-date-epoch', 'rewrite-timestamp', 'unpack', 'store', 'buildinfo', 'tar', 'dest', 'name-canonical'].map(
      (key) => [key, text(own)],
    ),
  ),
  ...Object.fromEntries(
    ['platform-split', 'attestation-prefix', 'prefer-nondist-layers', 'context'].map((key) => [key, text(own)]),
  ),
  name: language(imageNames),
  push: pushes,
  'push-by-digest': pushes,
  'registry.insecure': pushes,
});

/** Into the images of the engine, or back to the client. */
const exporterType = oneOf(
  'build-exporter',
  each(['', 'moby', 'image', 'local', 'tar', 'oci', 'docker', 'cacheonly'], own),
  [unknownAttribute],
  ['registry'],
);

/** The exporter of the engine's own store never pushes: its client does so afterwards, by the API. */
const storeAttributes = known(exporterAttributes, { ...exporterAttributes.known, push: text(own) });

const exporter = varying(message({ Type: [1, language(exporterType)], Attrs: [2, exporterAttributes] }), 'Type', {
  moby: { Attrs: storeAttributes },
});

const sourcePolicy = any(privilege('builder', 'says itself from where sources come'));

const solve = message({
  Ref: [1, text(makes('build', 'name'))],
  Definition: [2, definition],
  Exporter: [3, language(exporterType)],
  ExporterAttrs: [4, exporterAttributes],
  Session: [5, text(uses('session', 'id'))],
  Frontend: [6, language(frontendName)],
  FrontendAttrs: [7, frontendAttributes],
  Cache: [
    8,
    message({
      ExportRef: [1, text(uses('image', 'name'), unknownAttribute)],
      ImportRefs: [2, list(text(uses('image', 'name'), unknownAttribute))],
      ExportAttrs: [3, map(text(unknownAttribute), text(own))],
      Exports: [4, list(cacheEntry)],
      Imports: [5, list(cacheEntry)],
    }),
  ],
  Entitlements: [9, list(text(privilege('builder', "the host's network, devices, or no confinement at all")))],
  FrontendInputs: [10, map(definition, text(own))],
  Internal: [11, bool(own)],
  SourcePolicy: [12, sourcePolicy],
  Exporters: [13, list(exporter)],
  EnableSessionExporter: [14, bool(own)],
  SourcePolicySession: [15, text(privilege('builder', 'asks the client from where sources come'))],
  CompatibilityVersion: [16, int(own)],
  ProxyNetwork: [17, bool(own)],
});

export const solveRequest = varying(solve, 'Exporter', { moby: { ExporterAttrs: storeAttributes } });

export const bridgeSolveRequest = message({
  Definition: [1, definition],
  Frontend: [2, language(frontendName)],
  FrontendOpt: [3, frontendAttributes],
  AllowResultReturn: [5, bool(own)],
  AllowResultArrayRef: [6, bool(own)],
  Final: [10, bool(own)],
  ExporterAttr: [11, any(unknownAttribute)],
  CacheImports: [12, list(cacheEntry)],
  FrontendInputs: [13, map(definition, text(own))],
  Evaluate: [14, bool(own)],
  SourcePolicies: [15, list(sourcePolicy)],
});

/** A source of a graph (solver/pb/ops.proto): where a frontend on the client asks for what an image says of itself. */
const sourceOp = (identifier: Shape): Shape =>
  message({ Identifier: [1, identifier], Attrs: [2, map(text(own), text(own))] });

export const imageConfigRequest = message({
  Ref: [1, language(imageReference)],
  Platform: [2, any(own)],
  ResolveMode: [3, text(own)],
  LogName: [4, text(own)],
  ResolverType: [5, int(own)],
  SessionID: [6, text(uses('session', 'id'))],
  StoreID: [7, text(unknownAttribute)],
  SourcePolicies: [8, list(sourcePolicy)],
});

export const sourceMetaRequest = message({
  Source: [1, sourceOp(language(namedContext))],
  Platform: [2, any(own)],
  LogName: [3, text(own)],
  ResolveMode: [4, text(own)],
  Git: [5, any(unknownAttribute)],
  Image: [6, any(own)],
  HTTP: [7, any(unknownAttribute)],
  SourcePolicies: [8, list(sourcePolicy)],
});

const descriptor = message({ MediaType: [1, text(own)], Digest: [2, text(uses('build', 'id'))] });
const buildResult = message({ Attestations: [2, list(descriptor)] });

/** What is told of a build of the past. */
export const historyEvent = message({
  Type: [1, int(own)],
  Record: [
    2,
    message({
      Ref: [1, text(uses('build', 'name'))],
      Frontend: [2, text(own)],
      Error: [5, message({ Code: [1, int(own)], Message: [2, text(prose)] })],
      CreatedAt: [6, any(own)],
      CompletedAt: [7, any(own)],
      Result: [10, buildResult],
      Results: [11, map(buildResult)],
      Generation: [12, int(own)],
      Pinned: [14, bool(own)],
      NumCachedSteps: [15, int(own)],
      NumTotalSteps: [16, int(own)],
      NumCompletedSteps: [17, int(own)],
      NumWarnings: [19, int(own)],
    }),
  ],
});

export const statusResponse = message({
  Vertexes: [
    1,
    list(
      message({
        Digest: [1, text(own)],
        Name: [3, text(prose)],
        Started: [5, any(own)],
        Completed: [6, any(own)],
        Error: [7, text(prose)],
        ProgressGroup: [8, message({ Id: [1, text(own)], Name: [2, text(prose)] })],
      }),
    ),
  ],
  Statuses: [2, list(message({ ID: [1, text(prose)], Name: [3, text(prose)] }))],
});

export const solveResponse = message({ ExporterResponse: [1, map(text(prose))] });

export const imageConfigResponse = message({ Ref: [3, text(prose)] });

export const sourceMetaResponse = message({ Source: [1, message({ Identifier: [1, text(prose)] })] });

export const workers = message({
  Record: [
    1,
    list(
      message({
        ID: [1, text(own)],
        Labels: [2, map(text(reveals('host')))],
        GCPolicy: [4, list(any(reveals('host')))],
        CDIDevices: [6, list(any(reveals('host')))],
      }),
    ),
  ],
});

/** `google.protobuf.Timestamp`. */
export const timestamp = message({ Seconds: [1, int(own)] });

/** `google.rpc.Status`: why a call failed. */
export const rpcStatus = message({ Code: [1, int(own)], Message: [2, text(prose)] });

/** `BytesMessage`: a piece of a session that comes through a call. */
export const bytesMessage = message({ Data: [1, any(own)] });

/** session/auth/auth.proto: what a client is asked for a registry. */
export const credentialsRequest = message({ Host: [1, text(own)] });
export const credentialsResponse = message({ Username: [1, text(own)], Secret: [2, text(credential)] });

/** A piece of a transfer of files (tonistiigi/fsutil, types/wire.proto): an entry, a wish, contents, the end or an error. */
export const filePacket = message({
  Type: [1, int(own)],
  Stat: [2, any(own)],
  ID: [3, int(own)],
  Data: [4, any(own)],
});
