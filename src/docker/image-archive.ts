/** Archives of images: which of their files are documents, what these say of names and contents, and how they say it anew. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { familiarReference, formatReference, type ImageReference, readReference } from './image-reference.ts';
import { readAs } from './read.ts';
import { archiveManifest, imageRootfs, ociDocument } from './shapes/image-archive.ts';

/** `legacy` names images by layers, for engines before 1.10. */
export type ArchiveDocument = 'manifest' | 'legacy' | 'index' | 'layout';

const documents: Readonly<Record<string, ArchiveDocument>> = {
  'manifest.json': 'manifest',
  repositories: 'legacy',
  'index.json': 'index',
  'oci-layout': 'layout',
};

/** Null for a path that is any other file. */
export function archiveDocument(path: string): ArchiveDocument | null {
  return Object.hasOwn(documents, path) ? (documents[path] as ArchiveDocument) : null;
}

export function archivePath(document: ArchiveDocument): string {
  return Object.keys(documents).find((path) => documents[path] === document) as string;
}

/** Whether images lie in containerd's store, by what the engine tells of itself: it reads archives as OCI layouts. */
export function keepsImagesInContainerd(info: Json): boolean {
  const status = isObject(info) ? (info.DriverStatus ?? null) : null;
  return status !== null && isList(status) && status.some((row) => isList(row) && row[0] === 'driver-type');
}

const IMAGE_NAME = 'io.containerd.image.name';
const REFERENCE_NAME = 'org.opencontainers.image.ref.name';
/** Which repositories a blob came from: of everybody on the engine. */
const ENGINES_OWN = 'containerd.io/';

export interface ArchivedImage {
  readonly config: string;
  readonly layers: readonly string[];
  readonly names: readonly string[];
}

/** @throws Refusal where engines could read it otherwise */
export function readArchiveManifest(document: Json): readonly ArchivedImage[] {
  readAs(archiveManifest, document, 'manifest.json');
  return objectsIn(document).map((image) => ({
    config: textIn(image.Config),
    layers: textsIn(image.Layers),
    names: textsIn(image.RepoTags),
  }));
}

/** Nothing is said but this. */
export function printArchiveManifest(images: readonly ArchivedImage[]): Json {
  return images.map(({ config, layers, names }) => ({ Config: config, RepoTags: names, Layers: layers }));
}

/** One entry of an index, or a part of an image. */
export interface ArchivedPart {
  /** `sha256:…` */
  readonly digest: string;
  /** As the client says it, where it says one that is whole. */
  readonly name: string | null;
  readonly said: JsonObject;
}

export interface OciDocument {
  readonly manifests: readonly ArchivedPart[];
  readonly config: ArchivedPart | null;
  readonly layers: readonly ArchivedPart[];
}

/** @throws Refusal where engines could read it otherwise */
export function readOciDocument(document: Json, place: string): OciDocument {
  readAs(ociDocument, document, place);
  const said = isObject(document) ? document : {};
  const parts = (list: Json | undefined): readonly ArchivedPart[] => objectsIn(list ?? null).map(partOf);
  const config = said.config ?? null;
  return {
    manifests: parts(said.manifests),
    config: isObject(config) ? partOf(config) : null,
    layers: [...parts(said.layers), ...parts(said.blobs)],
  };
}

/** An index with these names for its entries, and nothing that only the engine says. */
export function printIndex(entries: readonly { readonly part: ArchivedPart; readonly name: ImageReference }[]): Json {
  const manifests = entries.map(({ part: { said }, name }) => {
    const { mediaType = '', digest = '', size = 0, platform = null } = said;
    const annotations = { [IMAGE_NAME]: formatReference(name), [REFERENCE_NAME]: name.tag ?? '' };
    return { mediaType, digest, size, ...(platform === null ? {} : { platform }), annotations };
  });
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
}

/** The digests of the files of an image's layers, unpacked; null where it says none. @throws Refusal */
export function layersOfConfig(document: Json, place: string): readonly string[] | null {
  readAs(imageRootfs, document, place);
  const rootfs = isObject(document) ? (document.rootfs ?? null) : null;
  return isObject(rootfs) && isList(rootfs.diff_ids ?? null) ? textsIn(rootfs.diff_ids) : null;
}

/** A saved document in other names; `told` gives nothing for one that is not to be said. */
export function withSavedNames(
  kind: ArchiveDocument,
  document: Json,
  told: (name: string) => string | undefined,
): Json {
  switch (kind) {
    case 'manifest':
      return objectsIn(document).map((image) => {
        const names = textsIn(image.RepoTags).flatMap((name) => told(name) ?? []);
        return { ...image, RepoTags: names.length === 0 ? null : names };
      });
    case 'legacy':
      return withSavedRepositories(document, told);
    case 'index':
      return isObject(document)
        ? { ...document, manifests: objectsIn(document.manifests ?? null).map((one) => withSavedName(one, told)) }
        : document;
    case 'layout':
      return document;
  }
}

/** `{REPOSITORY: {TAG: ID}}` */
function withSavedRepositories(document: Json, told: (name: string) => string | undefined): Json {
  const said: Record<string, Record<string, Json>> = Object.create(null);
  for (const [repository, tags] of Object.entries(isObject(document) ? document : {})) {
    for (const [tag, id] of Object.entries(isObject(tags) ? tags : {})) {
      const reference = readReference(told(`${repository}:${tag}`) ?? '');
      if (reference === null) continue;
      const name = familiarReference({ ...reference, tag: null });
      said[name] = { ...said[name], [tag]: id };
    }
  }
  return said;
}

function withSavedName(entry: JsonObject, told: (name: string) => string | undefined): JsonObject {
  const held = entry.annotations ?? null;
  if (!isObject(held)) return entry;
  const annotations: Record<string, Json> = Object.create(null);
  for (const [key, value] of Object.entries(held)) if (!key.startsWith(ENGINES_OWN)) annotations[key] = value;
  const name = held[IMAGE_NAME];
  const reference = typeof name === 'string' ? readReference(told(name) ?? '') : null;
  if (reference !== null) annotations[IMAGE_NAME] = formatReference(reference);
  else {
    delete annotations[IMAGE_NAME];
    delete annotations[REFERENCE_NAME];
  }
  return { ...entry, annotations };
}

function partOf(said: JsonObject): ArchivedPart {
  const annotations = said.annotations ?? null;
  const named = isObject(annotations) ? textIn(annotations[IMAGE_NAME]) || textIn(annotations[REFERENCE_NAME]) : '';
  return { digest: textIn(said.digest), name: isWhole(named) ? named : null, said };
}

/** A mere tag, as the OCI layout has it, is no name; nor is a repository without one. */
function isWhole(name: string): boolean {
  const reference = readReference(name);
  return reference !== null && reference.digest === null && reference.tag !== null;
}

function objectsIn(list: Json): readonly JsonObject[] {
  return isList(list) ? list.filter(isObject) : [];
}

function textsIn(list: Json | undefined): readonly string[] {
  return isList(list ?? null) ? (list as readonly Json[]).map(textIn) : [];
}

function textIn(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
