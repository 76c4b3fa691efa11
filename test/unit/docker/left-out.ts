/**
 * Where the table and Docker's documents differ on purpose. An entry that no longer applies fails the drift test too.
 */

import type { ApiVersion } from '../../../src/docker/shape.ts';
import type { Difference } from './drift.ts';

export interface LeftOut {
  /** Docker's operation id; without it, all operations. */
  readonly operation?: string;
  /** Covers what is inside as well. Behind `…`, the end of a place. */
  readonly place: string;
  /** The documents that say it; without it, any. */
  readonly versions?: readonly ApiVersion[];
  readonly reason: string;
}

export const leftOut: readonly LeftOut[] = [];

export function covers(entry: LeftOut, { operation, place, version }: Difference): boolean {
  if (entry.operation !== undefined && entry.operation !== operation) return false;
  if (entry.versions !== undefined && !entry.versions.includes(version)) return false;
  if (entry.place.startsWith('…')) return place.endsWith(entry.place.slice(1));
  if (!place.startsWith(entry.place)) return false;
  const rest = place.slice(entry.place.length);
  return rest === '' || rest.startsWith('.') || rest.startsWith('[');
}
