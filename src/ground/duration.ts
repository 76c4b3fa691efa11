/** Durations as people write them (`30s`, `1h30m`, `250ms`) to milliseconds and back. */

const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type Unit = keyof typeof unitsMs;
const units = Object.keys(unitsMs) as Unit[];

/** For editors: the texts that `parseDuration` takes, but for numbers too large to count. */
export const durationPattern = String.raw`^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$`;

/** Milliseconds, or undefined where the text is no duration: whole numbers with units, the larger unit first, each once. */
export function parseDuration(text: string): number | undefined {
  const part = /(\d{1,16})(ms|[dhms])/y;
  let totalMs = 0;
  let largestAllowed = 0;
  while (part.lastIndex < text.length) {
    const found = part.exec(text);
    if (found === null) return undefined;
    const unit = found[2] as Unit;
    const rank = units.indexOf(unit);
    if (rank < largestAllowed) return undefined;
    largestAllowed = rank + 1;
    totalMs += Number(found[1]) * unitsMs[unit];
  }
  return text !== '' && Number.isSafeInteger(totalMs) ? totalMs : undefined;
}

/** The shortest text that `parseDuration` reads as this many milliseconds. */
export function formatDuration(ms: number): string {
  let text = '';
  let rest = ms;
  for (const unit of units) {
    const count = Math.floor(rest / unitsMs[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitsMs[unit];
  }
  return text === '' ? '0s' : text;
}
