/**
 * Whose the build cache is. The engine does not tell: what has appeared between two looks is of everybody who was building
 * meanwhile, so that nobody is counted too little; of who builds alone it is exact.
 */

import type { Holder } from '../../../docker/holder.ts';
import type { UsedDisk } from '../../../docker/holdings.ts';

type Records = UsedDisk['cached'];

export class BuildCache {
  /** By the id of a record; nobody's is what was there before the first look. */
  private readonly makers = new Map<string, ReadonlySet<Holder>>();
  private readonly building = new Map<Holder, number>();
  /** Who has been building since the last look was begun. */
  private recent = new Set<Holder>();
  private looked = false;

  /** Gives what is to be called when the build has ended. */
  begin(holder: Holder): () => void {
    this.building.set(holder, (this.building.get(holder) ?? 0) + 1);
    this.recent.add(holder);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const left = (this.building.get(holder) ?? 0) - 1;
      if (left > 0) this.building.set(holder, left);
      else this.building.delete(holder);
    };
  }

  /** Whether something may have appeared that is another's: a look is due before the holder begins to build. */
  hasOthers(holder: Holder): boolean {
    return [...this.recent].some((other) => other !== holder);
  }

  /** A look begins; what is given back takes what it saw, or null where it failed. */
  look(): (records: Records | null) => void {
    const before = this.recent;
    this.recent = new Set(this.building.keys());
    return (records) => {
      const builders = new Set([...before, ...this.recent]);
      if (records === null) this.recent = builders;
      else this.see(records, builders);
    };
  }

  sum(records: Records, holder: Holder): number {
    return records.reduce((sum, { id, bytes }) => sum + (this.makers.get(id)?.has(holder) === true ? bytes : 0), 0);
  }

  private see(records: Records, builders: ReadonlySet<Holder>): void {
    const there = new Set(records.map(({ id }) => id));
    for (const id of this.makers.keys()) if (!there.has(id)) this.makers.delete(id);
    const makers = this.looked ? builders : new Set<Holder>();
    for (const id of there) if (!this.makers.has(id)) this.makers.set(id, makers);
    this.looked = true;
  }
}
