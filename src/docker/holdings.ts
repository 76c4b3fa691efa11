/** What the engine's lists tell of who holds what: read from its answers, by our labels. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { type Holder, holderBy, NOBODY } from './holder.ts';
import { CLAIM_LABEL, DEFAULT_NETWORK_LABEL, EXPIRES_LABEL } from './reserved-labels.ts';

export interface ListedContainer {
  readonly id: string;
  /** Our label of its create; empty where it has none. */
  readonly claim: string;
  readonly holder: Holder;
  /** Seconds of the epoch; null where it may live on. */
  readonly expires: number | null;
  readonly volumes: readonly string[];
}

export interface ListedThing {
  readonly name: string;
  readonly claim: string;
  readonly holder: Holder;
}

export interface UsedDisk {
  readonly images: readonly { readonly id: string; readonly names: readonly string[]; readonly bytes: number }[];
  readonly containers: readonly {
    readonly holder: Holder;
    readonly imageId: string;
    readonly volumes: readonly string[];
    readonly bytes: number;
  }[];
  readonly volumes: readonly { readonly name: string; readonly holder: Holder; readonly bytes: number }[];
  /** What builds have left: records of BuildKit's cache, and images without a name; without what others share with them. */
  readonly cached: readonly { readonly id: string; readonly bytes: number }[];
}

/** The filter that keeps what carries the label, with whatever value, or `label=value`. */
export function carrying(label: string): { readonly label: readonly string[] } {
  return { label: [label] };
}

export function listedContainers(answer: Json): readonly ListedContainer[] {
  return objectsIn(answer).map((container) => {
    const expires = labelOf(container, EXPIRES_LABEL);
    return {
      id: textOf(container.Id),
      claim: labelOf(container, CLAIM_LABEL),
      holder: holderBy(container.Labels),
      expires: /^\d{1,12}$/.test(expires) ? Number(expires) : null,
      volumes: objectsIn(container.Mounts).flatMap(({ Type: type, Name: name }) =>
        type === 'volume' ? textOf(name) : [],
      ),
    };
  });
}

export function listedVolumes(answer: Json): readonly ListedThing[] {
  return objectsIn(isObject(answer) ? answer.Volumes : null).map(thingOf);
}

/** Without the default networks of namespaces, which nobody has asked for. */
export function listedNetworks(answer: Json): readonly ListedThing[] {
  return objectsIn(answer)
    .filter((network) => labelOf(network, DEFAULT_NETWORK_LABEL) === '')
    .map(thingOf);
}

/** Which volumes a create wants: by name, and how many that the engine names itself. */
export function wantedVolumes(body: Json): { readonly names: readonly string[]; readonly unnamed: number } {
  const names = new Set<string>();
  const unnamed = new Set<string>();
  if (!isObject(body)) return { names: [], unnamed: 0 };
  const hostConfig = isObject(body.HostConfig ?? null) ? (body.HostConfig as JsonObject) : body;
  for (const bind of isList(hostConfig.Binds ?? null) ? (hostConfig.Binds as readonly Json[]) : []) {
    const [source = '', target] = textOf(bind).split(':');
    if (target === undefined) unnamed.add(source);
    else if (!source.startsWith('/')) names.add(source);
  }
  for (const { Type: type, Source: source, Target: target } of objectsIn(hostConfig.Mounts)) {
    if (type !== 'volume') continue;
    if (textOf(source) === '') unnamed.add(textOf(target));
    else names.add(textOf(source));
  }
  if (isObject(body.Volumes ?? null)) for (const path in body.Volumes as JsonObject) unnamed.add(path);
  return { names: [...names], unnamed: unnamed.size };
}

/** The volume that a create of one makes; null where the engine is to find a name. */
export function madeVolume(body: Json): string | null {
  const name = isObject(body) ? textOf(body.Name) : '';
  return name === '' ? null : name;
}

/** Whom an inspected container counts for; null where nobody made it through us. */
export function heldBy(inspection: Json): { readonly id: string; readonly holder: Holder } | null {
  if (!isObject(inspection) || !isObject(inspection.Config ?? null)) return null;
  const holder = holderBy((inspection.Config as JsonObject).Labels);
  return holder === NOBODY ? null : { id: textOf(inspection.Id), holder };
}

/** What `GET /system/df` tells, in the lists up to API 1.51 and in those since. */
export function usedDisk(answer: Json): UsedDisk {
  const usage = isObject(answer) ? answer : {};
  const lists = (former: string, since: string): readonly JsonObject[] => {
    const items = isObject(usage[since] ?? null) ? (usage[since] as JsonObject).Items : null;
    return objectsIn(isList(items ?? null) ? items : usage[former]);
  };
  return {
    images: lists('Images', 'ImageUsage').map(({ Id: id, RepoTags: tags, RepoDigests: digests, Size: size }) => ({
      id: textOf(id),
      names: [...textsIn(tags), ...textsIn(digests)],
      bytes: bytesOf(size),
    })),
    containers: lists('Containers', 'ContainerUsage').map((container) => ({
      holder: holderBy(container.Labels),
      imageId: textOf(container.ImageID),
      volumes: volumesIn(container),
      bytes: bytesOf(container.SizeRw),
    })),
    volumes: lists('Volumes', 'VolumeUsage').map((volume) => ({
      name: textOf(volume.Name),
      holder: holderBy(volume.Labels),
      bytes: bytesOf(isObject(volume.UsageData ?? null) ? (volume.UsageData as JsonObject).Size : 0),
    })),
    cached: [
      ...lists('BuildCache', 'BuildCacheUsage').map(({ ID: id, Size: size, Shared: shared }) => ({
        id: textOf(id),
        bytes: shared === true ? 0 : bytesOf(size),
      })),
      ...lists('Images', 'ImageUsage')
        .filter(({ RepoTags: tags }) => textsIn(tags).every((tag) => tag === '<none>:<none>'))
        .map(({ Id: id, Size: size, SharedSize: shared }) => ({
          id: textOf(id),
          bytes: bytesOf(size) - bytesOf(shared),
        })),
    ],
  };
}

/** The folder of everything that an engine keeps, by what it says of itself. */
export function dataRootIn(info: Json): string | null {
  return isObject(info) && typeof info.DockerRootDir === 'string' ? info.DockerRootDir : null;
}

function volumesIn({ Mounts: mounts = null }: JsonObject): readonly string[] {
  return objectsIn(mounts).flatMap(({ Type: type, Name: name }) => (type === 'volume' ? [textOf(name)] : []));
}

function thingOf(thing: JsonObject): ListedThing {
  return { name: textOf(thing.Name), claim: labelOf(thing, CLAIM_LABEL), holder: holderBy(thing.Labels) };
}

function labelOf({ Labels: labels = null }: JsonObject, name: string): string {
  return isObject(labels) ? textOf(labels[name]) : '';
}

function objectsIn(value: Json | undefined): readonly JsonObject[] {
  return isList(value ?? null) ? (value as readonly Json[]).filter(isObject) : [];
}

function textsIn(value: Json | undefined): readonly string[] {
  return isList(value ?? null) ? (value as readonly Json[]).filter((item) => typeof item === 'string') : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** -1 where the engine has not measured. */
function bytesOf(value: Json | undefined): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}
