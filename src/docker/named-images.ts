/** Which images a call names, and what for: the name and its tag may stand in two places. */

import { isList, isObject, type Json } from '../ground/json.ts';
import { pushedImages } from './buildkit-requests.ts';
import { isDigest, readReference } from './image-reference.ts';
import type { CallValues } from './visit-call.ts';
import { visitCall } from './visit-call.ts';

/** What an image is named for: to be pulled, pushed, run, built from, or to get the name. */
export type ImageUse = 'pull' | 'push' | 'run' | 'build' | 'tag';

export interface NamedImage {
  readonly use: ImageUse;
  readonly place: string;
  /** As the call says it, with the tag of the other place: a reference, or an id. */
  readonly text: string;
  /** The engine takes every tag there is. */
  readonly everyTag: boolean;
}

/** Images that are only looked at, saved or removed are not among them. */
export function namedImages(call: CallValues): readonly NamedImage[] {
  const { query, parameters } = call;
  switch (call.endpoint.id) {
    case 'ImageCreate':
      if (isText(query.fromImage)) return [pulled('query.fromImage', query.fromImage, query.tag)];
      return isText(query.repo) ? [named('query.repo', query.repo, query.tag)] : [];
    case 'DistributionInspect':
      return [{ use: 'pull', place: 'path.name', text: parameters.name ?? '', everyTag: false }];
    case 'ImagePush':
      return [{ ...pulled('path.name', parameters.name ?? '', query.tag), use: 'push' }];
    case 'ImageTag':
    case 'ImageCommit':
      return isText(query.repo) ? [named('query.repo', query.repo, query.tag)] : [];
    case 'ImageBuild':
      return marked(call, (mark) => (mark === 'makes' ? 'tag' : 'build'), 'query.');
    case 'BuildkitSolve':
      return [...marked(call, (mark) => (mark === 'makes' ? 'tag' : 'build'), ''), ...pushed(call)];
    case 'BuildkitBridgeSolve':
    case 'BuildkitResolveImageConfig':
    case 'BuildkitResolveSourceMeta':
      return marked(call, (mark) => (mark === 'makes' ? 'tag' : 'build'), '');
    default:
      return call.body === null ? [] : marked(call, () => 'run', '');
  }
}

/** Whether the call makes images whose names stand in a tar, which nobody reads on the way. */
export function namesInside({ endpoint, query }: CallValues): boolean {
  return (
    endpoint.id === 'ImageLoad' || (endpoint.id === 'ImageCreate' && !isText(query.fromImage) && !isText(query.repo))
  );
}

/** Whether an image is made of files instead of being pulled. */
export function importsFiles({ endpoint, query }: CallValues): boolean {
  return endpoint.id === 'ImageCreate' && !isText(query.fromImage) && isText(query.fromSrc);
}

/** What a save names: names, and ids. */
export function savedNames({ endpoint, parameters, query }: CallValues): readonly string[] {
  if (endpoint.id === 'ImageGet') return [parameters.name ?? ''];
  return isList(query.names ?? null) ? (query.names as readonly Json[]).filter(isText) : [];
}

/** The address that an image is made from instead of one of a registry; null where there is none. */
export function importedFrom({ endpoint, query }: CallValues): string | null {
  const source = endpoint.id === 'ImageCreate' && !isText(query.fromImage) ? query.fromSrc : undefined;
  return isText(source) && source !== '-' ? source : null;
}

function pushed(call: CallValues): readonly NamedImage[] {
  return pushedImages(call).map((text) => ({ use: 'push', place: 'Exporters', text, everyTag: false }));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** moby, postImagesCreate: what stands in `tag` wins over the tag and the digest in the name. */
function withTag(name: string, tag: unknown): string {
  if (!isText(tag)) return name;
  const reference = readReference(name);
  if (reference === null) return name;
  const { domain, path } = reference;
  return `${domain}/${path}${isDigest(tag) ? '@' : ':'}${tag}`;
}

function pulled(place: string, name: string, tag: unknown): NamedImage {
  const text = withTag(name, tag);
  const reference = readReference(text);
  return { use: 'pull', place, text, everyTag: reference?.tag === null && reference.digest === null };
}

function named(place: string, name: string, tag: unknown): NamedImage {
  return { use: 'tag', place, text: withTag(name, tag), everyTag: false };
}

function marked(
  call: CallValues,
  useOf: (mark: 'uses' | 'makes') => ImageUse,
  root: 'query.' | '',
): readonly NamedImage[] {
  const found: NamedImage[] = [];
  visitCall(call, ({ place, value, marks }) => {
    const mark = marks.find((one) => (one.mark === 'uses' || one.mark === 'makes') && one.kind === 'image');
    const inside = root === '' ? !/^(query\.|path\.|header )/.test(place) : place.startsWith(root);
    if (mark !== undefined && inside && isText(value)) {
      found.push({ use: useOf(mark.mark as 'uses' | 'makes'), place, text: value, everyTag: false });
    }
    return value;
  });
  return found;
}

/** Tags and digests that an inspection of an image tells; null where it is none. */
export function namesToldBy(inspection: Json): readonly string[] | null {
  if (!isObject(inspection)) return null;
  const told = [inspection.RepoTags, inspection.RepoDigests].flatMap((names) => (isList(names ?? null) ? names : []));
  return (told as readonly Json[]).filter((name) => typeof name === 'string');
}
