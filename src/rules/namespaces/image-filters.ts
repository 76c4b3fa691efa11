/** Filters of images that an engine cannot look for, since it knows them by other names: matched here, as dockerd matches. */

import { danglingOf, type ListedImage, withMatchingNames } from '../../docker/image-listings.ts';
import { familiarReference, readReference } from '../../docker/image-reference.ts';
import type { FilterValues } from '../../docker/query.ts';
import { readUntil } from '../../docker/until.ts';
import { compileGlob, globFault } from '../../ground/glob.ts';
import type { Json } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';

/** Filters a list that speaks the client's names. @throws Refusal for what is not understood */
export function listFilter(patterns: readonly string[], dangling: readonly string[]): (list: Json) => Json {
  const globs = patterns.map(globOf);
  const only = dangling.length === 0 ? null : dangling.every((value) => value === 'true' || value === '1');
  const matches = (name: string): boolean => {
    const reference = readReference(name);
    const bare = reference === null ? name : familiarReference({ ...reference, tag: null, digest: null });
    return globs.some((glob) => glob(name) || glob(bare));
  };
  return (list) => {
    const named = globs.length === 0 ? list : withMatchingNames(list, matches);
    return only === null ? named : danglingOf(named, only);
  };
}

/** Go's path.Match, without its classes of characters. */
function globOf(pattern: string) {
  const same = pattern.replace(/\*+/g, '*');
  if (/[[\]\\]/.test(pattern) || globFault(same) !== undefined) {
    throw new Refusal('unreadable-query', `${JSON.stringify(pattern)} is more than a namespace can look for`, {
      place: 'query.filters.reference',
      hint: '* and ? stand for what is not known of a name',
    });
  }
  return compileGlob(same, { separator: '/' });
}

export interface PruneWish {
  /** Those without a tag alone, or all that no container uses. */
  readonly danglingOnly: boolean;
  fits(image: ListedImage): boolean;
}

/** @throws Refusal for what is not understood */
export function pruneWish(filters: FilterValues, nowMs: number): PruneWish {
  const { dangling = [], until = [], label = [] } = filters;
  const not = filters['label!'] ?? [];
  const moment = until.length === 0 ? null : readUntil(until[0] as string, nowMs);
  if (until.length > 1 || (until.length === 1 && moment === null)) {
    throw new Refusal('unreadable-query', `${JSON.stringify(until)} is not a time`, { place: 'query.filters.until' });
  }
  return {
    danglingOnly: dangling.every((value) => value === 'true' || value === '1'),
    fits: ({ labels, createdMs }) =>
      (moment === null || createdMs <= moment) &&
      label.every((one) => hasLabel(labels, one)) &&
      // moby leaves out what has all of these.
      (not.length === 0 || !not.every((one) => hasLabel(labels, one))),
  };
}

function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf('=');
  const value = labels[equals < 0 ? label : label.slice(0, equals)];
  return value !== undefined && (equals < 0 || value === label.slice(equals + 1));
}
