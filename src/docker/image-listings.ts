/** Images in the engine's answers: which names they have there, and which of them are shown. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';

export interface ListedImage {
  /** `sha256:…` */
  readonly id: string;
  readonly tags: readonly string[];
  /** Names with a digest. */
  readonly digests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
  readonly bytes: number;
}

/** Of a list's entry or an inspection; null for anything else. */
export function imageIn(said: Json): ListedImage | null {
  if (!isObject(said) || typeof said.Id !== 'string' || said.Id === '') return null;
  const { Created: created = null, Config: config = null, Size: size = 0 } = said;
  const labels = isObject(config) ? config.Labels : said.Labels;
  return {
    id: said.Id,
    tags: textsIn(said.RepoTags),
    digests: textsIn(said.RepoDigests),
    labels: isObject(labels ?? null) ? (labels as Readonly<Record<string, string>>) : {},
    createdMs: typeof created === 'number' ? created * 1000 : Date.parse(String(created)),
    bytes: typeof size === 'number' ? size : 0,
  };
}

export function imagesIn(list: Json): readonly ListedImage[] {
  return isList(list) ? list.flatMap((item) => imageIn(item) ?? []) : [];
}

/**
 * Images without a name that can go: of `known`, and those made of one of `ids` or of one found. What another image was made
 * of stays as long as that does. `list`: with the steps of builds.
 */
export function namelessOf(ids: ReadonlySet<string>, known: ReadonlySet<string>, list: Json): readonly string[] {
  const items = isList(list) ? list.filter(isObject) : [];
  const nameless = items.filter((item) => !namesIn(item.RepoTags) && !namesIn(item.RepoDigests));
  const found = new Set<string>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const { Id: id, ParentId: parent } of nameless) {
      if (typeof id !== 'string') continue;
      if (known.has(id) || (typeof parent === 'string' && (ids.has(parent) || found.has(parent)))) found.add(id);
    }
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { Id: id, ParentId: parent } of items) {
      if (typeof parent === 'string' && !found.has(id as string)) found.delete(parent);
    }
  }
  return [...found];
}

function namesIn(list: Json | undefined): boolean {
  return textsIn(list).some((name) => !name.startsWith('<none>'));
}

/** The names that an image is shown with; null where it is not shown at all. */
export type ShownNames = (image: ListedImage, all: readonly ListedImage[]) => readonly string[] | null;

/** The answer with those images alone that are shown, and with no other names; what is no image is as it was. */
export function showImages(endpointId: string, answer: Json, shown: ShownNames): Json {
  const list = (said: Json): Json => {
    const all = imagesIn(said);
    return isList(said) ? said.flatMap((item) => shownImage(item, all, shown) ?? []) : said;
  };
  switch (endpointId) {
    case 'ImageList':
      return list(answer);
    case 'ImageInspect':
      return shownImage(answer, [], shown) ?? answer;
    case 'ImageHistory':
      return history(answer, shown);
    case 'SystemDataUsage': {
      if (!isObject(answer)) return answer;
      const { Images: images = null, ImageUsage: usage = null } = answer;
      return {
        ...answer,
        ...(images === null ? {} : { Images: list(images) }),
        ...(isObject(usage) ? { ImageUsage: { ...usage, Items: list(usage.Items ?? null) } } : {}),
      };
    }
    default:
      return answer;
  }
}

function shownImage(item: Json, all: readonly ListedImage[], shown: ShownNames): Json | null {
  const image = imageIn(item);
  if (image === null || !isObject(item)) return null;
  const names = shown(image, all);
  if (names === null) return null;
  const keep = (list: readonly string[]): readonly string[] =>
    [...new Set(names)].filter((name) => list.includes(name));
  return {
    ...item,
    RepoTags: keep(image.tags),
    RepoDigests: keep(image.digests),
    // What an image was made from is another image, of whomever.
    ...('ParentId' in item ? { ParentId: '' } : {}),
    ...('Parent' in item ? { Parent: '' } : {}),
  };
}

/** The steps of an image that have ids are images too: of the ones below it nobody here knows whose they are. */
function history(answer: Json, shown: ShownNames): Json {
  if (!isList(answer)) return answer;
  return answer.map((entry, index) => {
    if (!isObject(entry)) return entry;
    const tags = textsIn(entry.Tags);
    const image = { id: '', tags, digests: [], labels: {}, createdMs: 0, bytes: 0 };
    const names = shown(image, []) ?? [];
    const id = index === 0 || names.length > 0 ? entry.Id : '<missing>';
    return { ...entry, ...(id === undefined ? {} : { Id: id }), Tags: names.length === 0 ? null : [...names] };
  });
}

/** The list with those of its names alone that match; moby leaves out an image of which none does. */
export function withMatchingNames(list: Json, matches: (name: string) => boolean): Json {
  if (!isList(list)) return list;
  return list.flatMap((item) => {
    const image = imageIn(item);
    const tags = image?.tags.filter(matches) ?? [];
    const digests = image?.digests.filter(matches) ?? [];
    return tags.length + digests.length === 0
      ? []
      : [{ ...(item as JsonObject), RepoTags: tags, RepoDigests: digests }];
  });
}

/** The images of the list that have no tag (`true`), or any name at all (`false`). */
export function danglingOf(list: Json, dangling: boolean): Json {
  if (!isList(list)) return list;
  return list.filter((item) => {
    const image = imageIn(item);
    return image !== null && (dangling ? image.tags.length === 0 : image.tags.length + image.digests.length > 0);
  });
}

/** Up to this version, a list says that there is no name by a name. */
const LAST_NAMELESS = 42;

/** A list of images as each version of the API writes those without a name. */
export function withNameless(list: Json, minor: number): Json {
  if (minor > LAST_NAMELESS || !isList(list)) return list;
  return list.map((item) => {
    const image = imageIn(item);
    return image === null || image.tags.length > 0 || image.digests.length > 0
      ? item
      : { ...(item as JsonObject), RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
  });
}

export interface Removed {
  readonly untagged: string | null;
  readonly deleted: string | null;
}

/** What a removal has answered. */
export function removedIn(answer: Json): readonly Removed[] {
  if (!isList(answer)) return [];
  return answer.flatMap((item) => {
    if (!isObject(item)) return [];
    const { Untagged: untagged = null, Deleted: deleted = null } = item;
    return [
      {
        untagged: typeof untagged === 'string' && untagged !== '' ? untagged : null,
        deleted: typeof deleted === 'string' && deleted !== '' ? deleted : null,
      },
    ];
  });
}

export function removalAnswer(removed: readonly Removed[]): Json {
  return removed.map(({ untagged, deleted }) => (deleted === null ? { Untagged: untagged } : { Deleted: deleted }));
}

export function pruneAnswer(removed: readonly Removed[], bytes: number): Json {
  return { ImagesDeleted: removed.length === 0 ? null : removalAnswer(removed), SpaceReclaimed: bytes };
}

export interface ImageUser {
  readonly container: string;
  readonly running: boolean;
}

/** The listed containers of an image. */
export function usersOf(id: string, containers: readonly Json[]): readonly ImageUser[] {
  return containers.flatMap((container) => {
    if (!isObject(container) || container.ImageID !== id || typeof container.Id !== 'string') return [];
    return [{ container: container.Id, running: container.State === 'running' }];
  });
}

function textsIn(list: Json | undefined): readonly string[] {
  return isList(list ?? null) ? (list as readonly Json[]).filter((text) => typeof text === 'string') : [];
}
