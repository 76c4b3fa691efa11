/** Sizes as people write them (`64KiB`, `1GB`, `4096`) to bytes and back. */

const unitBytes: Readonly<Record<string, number>> = {
  PiB: 2 ** 50,
  PB: 1e15,
  TiB: 2 ** 40,
  TB: 1e12,
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 2 ** 10,
  KB: 1e3,
  kB: 1e3,
  B: 1,
};

/** For editors: the texts that `parseSize` takes, but for numbers too large to count. */
export const sizePattern = String.raw`^\d+([KMGTP]i?B|kB|B)?$`;

/** Bytes, or undefined where the text is no size. Units are spelt in full, so that `1G` is not read in two ways. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d{1,16})([A-Za-z]{1,3})?$/.exec(text);
  if (found === null) return undefined;
  const unit = found[2] ?? 'B';
  const factor = Object.hasOwn(unitBytes, unit) ? unitBytes[unit] : undefined;
  if (factor === undefined) return undefined;
  const bytes = Number(found[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The size in the largest unit that holds it exactly: `64KiB`, `1GB`, `1500B`. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of Object.entries(unitBytes)) {
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return '0B';
}
