/** Sizes, rounded, for people. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function printSize(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)}${UNITS[unit]}`;
}
