/** Targeted cache control (RFC 9213): a Structured Field dictionary (RFC 8941). One that breaks its grammar does not exist. */

/** Which type the directives that we know must have; another type is "invalid" in the sense of RFC 9213 §2.1. */
const INTEGERS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);

const KEY = /^[a-z*][a-z0-9_.*-]*/;
const ITEM =
  /^(?:(-?\d{1,15})(?![\d.])|-?\d{1,12}\.\d{1,3}|"(?:[ !#-[\]-~]|\\["\\])*"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*|:[A-Za-z0-9+/=]*:|\?[01])/;

/** Null where there is none, or none that counts. */
export function readTargeted(lines: readonly string[]): ReadonlyMap<string, string | null> | null {
  if (lines.length === 0) return null;
  let rest = lines.join(',').trim();
  if (rest === '') return null;
  const found = new Map<string, string | null>();
  for (;;) {
    const key = KEY.exec(rest)?.[0];
    if (key === undefined) return null;
    rest = rest.slice(key.length);
    let argument: string | null = null;
    if (rest.startsWith('=')) {
      const item = ITEM.exec(rest.slice(1));
      if (item === null) return null;
      if (INTEGERS.has(key) && item[1] === undefined) return null;
      argument = item[0].replace(/^"(.*)"$/, '$1');
      rest = rest.slice(1 + item[0].length);
    } else if (INTEGERS.has(key)) return null;
    const without = withoutParameters(rest);
    if (without === null) return null;
    rest = without;
    // RFC 8941 §3.2: of a key that comes twice, the last one counts; `?0` says that it does not hold.
    if (argument === '?0') found.delete(key);
    else found.set(key, argument === '?1' ? null : argument);
    rest = rest.trimStart();
    if (rest === '') return found;
    if (!rest.startsWith(',')) return null;
    rest = rest.slice(1).trimStart();
    if (rest === '') return null;
  }
}

function withoutParameters(text: string): string | null {
  let rest = text;
  while (rest.startsWith(';')) {
    rest = rest.slice(1).trimStart();
    const key = KEY.exec(rest)?.[0];
    if (key === undefined) return null;
    rest = rest.slice(key.length);
    if (!rest.startsWith('=')) continue;
    const item = ITEM.exec(rest.slice(1));
    if (item === null) return null;
    rest = rest.slice(1 + item[0].length);
  }
  return rest;
}
