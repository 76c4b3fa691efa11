/** Dates of HTTP in the three forms of RFC 9110 §5.6.7, and no others: what is no date makes an answer stale. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const FIXED = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/;
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/;
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** Milliseconds since 1970, or null for what is no date. */
export function readDate(text: string, nowMs: number): number | null {
  const lower = text.toLowerCase();
  let found = FIXED.exec(lower);
  if (found !== null) return time(found[3], found[2], found[1], found.slice(4));
  found = RFC_850.exec(lower);
  if (found !== null) return time(centuryOf(Number(found[3]), nowMs), found[2], found[1], found.slice(4));
  found = ASCTIME.exec(lower);
  if (found !== null) return time(found[6], found[1], found[2], found.slice(3, 6));
  return null;
}

export function printDate(ms: number): string {
  return new Date(ms).toUTCString();
}

function time(
  year: string | number | undefined,
  month: string | undefined,
  day: string | undefined,
  clock: readonly string[],
): number | null {
  const at = MONTHS.indexOf(month ?? '');
  const [hours = 0, minutes = 0, seconds = 0] = clock.map(Number);
  if (at < 0 || hours > 23 || minutes > 59 || seconds > 60) return null;
  const ms = Date.UTC(Number(year), at, Number(day), hours, minutes, seconds);
  return new Date(ms).getUTCMonth() === at ? ms : null;
}

/** "A year that appears to be more than 50 years in the future" is one of the past (RFC 9110 §5.6.7). */
function centuryOf(year: number, nowMs: number): number {
  const now = new Date(nowMs).getUTCFullYear();
  const full = now - (now % 100) + year;
  return full > now + 50 ? full - 100 : full;
}
