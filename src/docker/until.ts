/** The filter `until` of prunes, as dockerd reads it: how long ago, seconds since 1970, or a date. */

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** Milliseconds since 1970; null for what is none of these. */
export function readUntil(text: string, nowMs: number): number | null {
  if (DURATION.test(text)) {
    let ago = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
      ago += Number(amount) * (UNITS_MS[unit as string] as number);
    }
    return nowMs - ago;
  }
  if (/^\d{1,11}(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  if (!DATE.test(text)) return null;
  const [date = '', time] = text.split('T');
  const zoned = time === undefined || /(?:Z|[+-]\d\d:\d\d)$/.test(time) ? (time ?? '00:00Z') : `${time}Z`;
  const read = Date.parse(`${date}T${/^\d\d(?:Z|[+-])/.test(zoned) ? zoned.replace(/^\d\d/, '$&:00') : zoned}`);
  return Number.isNaN(read) ? null : read;
}
