/** The single things that an administrator has opened: by the place in a call and the value there, and binds by path. */

import { cleanPath, isWithin } from '../../../docker/mounted-paths.ts';
import { isNeutral } from '../../../docker/neutral.ts';
import { hasPlace } from '../../../docker/places.ts';
import type { Shape, TextShape } from '../../../docker/shape.ts';
import type { Leaf } from '../../../docker/visit.ts';
import { compileGlob, type Glob } from '../../../ground/glob.ts';
import { isList, isObject, type Json, type JsonObject } from '../../../ground/json.ts';
import { valueAt } from '../../../ground/json-path.ts';

/** As a configuration writes it: `{HostConfig.CapAdd: [SYS_PTRACE]}`; texts are patterns. */
export type AllowedValue = string | number | boolean | { readonly [field: string]: AllowedValue };
export type AllowOption = Readonly<Record<string, readonly AllowedValue[]>>;

export interface AllowedBind {
  readonly path: string;
  /** With everything that is in it. */
  readonly below: boolean;
  readonly readOnly: boolean;
}

type Matches = (value: Json, shape: Shape) => boolean;

export class Allowed {
  private readonly values: ReadonlyMap<string, readonly Matches[]>;
  private readonly binds: readonly AllowedBind[];

  /** @throws Error for places that no call has */
  constructor(allow: AllowOption, binds: readonly string[]) {
    const values = new Map<string, readonly Matches[]>();
    for (const [place, wanted] of Object.entries(allow)) {
      if (!hasPlace(place)) throw new Error(`allow: no call has a place ${JSON.stringify(place)}`);
      values.set(place, wanted.map(matcherOf));
    }
    this.values = values;
    // Single folders first: what they say holds for them.
    this.binds = binds.map(readBind).sort((a, b) => Number(a.below) - Number(b.below));
  }

  /** Whether the whole value at the leaf is listed; `document` is what the leaf's path leads through. */
  permits(leaf: Leaf, document: Json): boolean {
    if (this.values.size === 0) return false;
    const wanted = this.values.get(listedPlace(leaf.place));
    if (wanted === undefined) return false;
    const { value, shape } = leaf;
    const whole = valueAt(document, leaf.path);
    const listed = (one: Json, of: Shape): boolean => wanted.some((matches) => matches(one, of));
    if (isList(value)) return shape.kind === 'list' && value.every((item) => listed(item, shape.of));
    // The key of a map is judged by what stands under it.
    if (whole !== value && leaf.path.at(-1) === value) return listed(whole, shape);
    return listed(value, shape) || (whole !== value && listed(whole, shape));
  }

  /** Whether a text is listed for a place, wherever it was said. */
  permitsText(place: string, text: string): boolean {
    const shape: Shape = { kind: 'text', marks: [] };
    return this.values.get(place)?.some((matches) => matches(text, shape)) === true;
  }

  /** The entry under which a path of the host may be mounted; undefined where it may not. */
  bindFor(source: string): AllowedBind | undefined {
    const path = cleanPath(source);
    if (path === null) return undefined;
    return this.binds.find((bind) => path === bind.path || (bind.below && isWithin(path, bind.path)));
  }
}

/** Without what depends on how many there are: `HostConfig.CapAdd[0]` is listed as `HostConfig.CapAdd`. */
function listedPlace(place: string): string {
  return place.replace(/\[\d+\]/g, '').replace(/\[("(?:[^"\\]|\\.)*")\]/g, (_, key: string) => `.${JSON.parse(key)}`);
}

function readBind(text: string): AllowedBind {
  const found = /^(.*?)(\/\*\*)?(?::(ro|rw))?$/.exec(text);
  const path = cleanPath(found?.[1] ?? '');
  if (path === null) throw new Error(`binds: ${JSON.stringify(text)} is not an absolute path without ..`);
  const holder = sockets.find((socket) => isWithin(socket, path) || isWithin(path, socket));
  if (holder !== undefined) throw new Error(`binds: ${text} would give ${holder} to containers, which is root`);
  const below = found?.[2] !== undefined;
  const readOnly = found?.[3] === 'ro';
  // Who can write there can make a link there, to any folder of the host, and mount the link.
  if (below && !readOnly) throw new Error(`binds: ${text} must be read-only (:ro): links in it would lead anywhere`);
  return { path, below, readOnly };
}

/** What is root on the host for everybody who can open it, or leads there. */
const sockets = [
  '/run/docker.sock',
  '/var/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/proc/1/root',
  '/dev/mem',
  '/var/lib/docker',
  '/var/lib/containerd',
];

function matcherOf(wanted: AllowedValue): Matches {
  if (typeof wanted === 'string') {
    const glob: Glob = compileGlob(wanted);
    return (value, shape) => {
      const canonical = (shape as TextShape).grammar?.canonical ?? ((text: string) => text);
      return (
        typeof value === 'string' && (glob(value) || glob(canonical(value)) || canonical(wanted) === canonical(value))
      );
    };
  }
  if (typeof wanted !== 'object') return (value) => value === wanted;
  const fields = Object.entries(wanted).map(([field, one]) => [field, matcherOf(one)] as const);
  return (value, shape) => isObject(value) && matchesObject(fields, value, shape);
}

/** What is not listed must be harmless by itself. */
function matchesObject(fields: readonly (readonly [string, Matches])[], value: JsonObject, shape: Shape): boolean {
  if (shape.kind !== 'object') return false;
  const listed = new Map(fields);
  return (
    fields.every(([field]) => field in value) &&
    Object.entries(value).every(([field, said]) => {
      const of = shape.fields[field];
      if (of === undefined) return false;
      const matches = listed.get(field);
      if (matches !== undefined) return matches(said, of);
      return isNeutral(of, said) || of.marks.every(({ mark }) => mark === 'own');
    })
  );
}
