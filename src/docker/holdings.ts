/** What the engine's lists tell of who holds what: read from its answers, by our labels. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import { CLAIM_LABEL, EXPIRES_LABEL, USER_LABEL } from './reserved-labels.ts';

export interface ListedContainer {
  readonly id: string;
  /** Our label of its create; empty where it has none. */
  readonly claim: string;
  /** Seconds of the epoch; null where it may live on. */
  readonly expires: number | null;
  readonly volumes: readonly string[];
}

export interface ListedThing {
  readonly name: string;
  readonly claim: string;
  readonly user: string;
}

export interface UsedDisk {
  readonly images: readonly { readonly id: string; readonly names: readonly string[]; readonly bytes: number }[];
  readonly containers: readonly {
    readonly user: string;
    readonly imageId: string;
    readonly volumes: readonly string[];
    readonly bytes: number;
  }[];
  readonly volumes: readonly { readonly name: string; readonly user: string; readonly bytes: number }[];
}

/** The filter that keeps what a user has made. */
export function madeBy(user: string): { readonly label: readonly string[] } {
  return { label: [`${USER_LABEL}=${user}`] };
}

/** The filter that keeps what carries the label, with whatever value. */
export function carrying(label: string): { readonly label: readonly string[] } {
  return { label: [label] };
}

export function listedContainers(answer: Json): readonly ListedContainer[] {
  return objectsIn(answer).map((container) => {
    const expires = labelOf(container, EXPIRES_LABEL);
    return {
      id: textOf(container.Id),
      claim: labelOf(container, CLAIM_LABEL),
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

export function listedNetworks(answer: Json): readonly ListedThing[] {
  return objectsIn(answer).map(thingOf);
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

/** Who made an inspected container; null where nobody did through us. */
export function ownerOf(inspection: Json): { readonly id: string; readonly user: string } | null {
  if (!isObject(inspection) || !isObject(inspection.Config ?? null)) return null;
  const user = labelOf(inspection.Config as JsonObject, USER_LABEL);
  return user === '' ? null : { id: textOf(inspection.Id), user };
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
      user: labelOf(container, USER_LABEL),
      imageId: textOf(container.ImageID),
      volumes: volumesIn(container),
      bytes: bytesOf(container.SizeRw),
    })),
    volumes: lists('Volumes', 'VolumeUsage').map((volume) => ({
      name: textOf(volume.Name),
      user: labelOf(volume, USER_LABEL),
      bytes: bytesOf(isObject(volume.UsageData ?? null) ? (volume.UsageData as JsonObject).Size : 0),
    })),
  };
}

function volumesIn({ Mounts: mounts = null }: JsonObject): readonly string[] {
  return objectsIn(mounts).flatMap(({ Type: type, Name: name }) => (type === 'volume' ? [textOf(name)] : []));
}

function thingOf(thing: JsonObject): ListedThing {
  return { name: textOf(thing.Name), claim: labelOf(thing, CLAIM_LABEL), user: labelOf(thing, USER_LABEL) };
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
