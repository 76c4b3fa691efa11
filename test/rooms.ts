/** The house plan: which room may import from which. The linter's rules and test/house.test.ts both come from here. */

/** From the top down; an arrow may only point to a room further down. */
export const rooms = [
  'main',
  'cli',
  'front',
  'rules',
  'jobs',
  'builds',
  'cache',
  'operate',
  'engines',
  'exchange',
  'wire',
  'docker',
  'ground',
] as const;

export type Room = (typeof rooms)[number];

/** Rooms that know less than their place in the list would allow. */
const strangers: Partial<Record<Room, readonly Room[]>> = {
  wire: ['docker'],
};

/** Wings whose rooms must not look into each other. */
export const wings: readonly Room[] = ['front', 'rules', 'operate', 'cache'];

export function mayImport(from: Room, to: Room): boolean {
  if (from === to) return true;
  if (strangers[from]?.includes(to)) return false;
  return rooms.indexOf(to) > rooms.indexOf(from);
}

export function forbiddenFor(from: Room): readonly Room[] {
  return rooms.filter((to) => to !== 'main' && !mayImport(from, to));
}
