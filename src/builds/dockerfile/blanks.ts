/** White space as Go counts it, in latin1 text that holds UTF-8. */

const UNICODE =
  '[\\t-\\r ]|\\xc2[\\x85\\xa0]|\\xe1\\x9a\\x80|\\xe2\\x80[\\x80-\\x8a\\xa8\\xa9\\xaf]|\\xe2\\x81\\x9f|\\xe3\\x80\\x80';
const atStart = new RegExp(`^(?:${UNICODE})+`);
const lastOne = new RegExp(`(?:${UNICODE})$`);
const MOST_BYTES = 3;

/** strings.TrimLeftFunc(unicode.IsSpace). */
export function trimStart(text: string): string {
  return text.replace(atStart, '');
}

/** strings.TrimSpace. */
export function trim(text: string): string {
  const begun = trimStart(text);
  let end = begun.length;
  // One by one: an expression for all of them would try each blank before those at the end as well.
  for (;;) {
    const found = lastOne.exec(begun.slice(Math.max(0, end - MOST_BYTES), end));
    if (found === null) return begun.slice(0, end);
    end -= found[0].length;
  }
}

/** unicode.IsSpace of a single byte that is taken for a character. */
export function isBlank(character: string): boolean {
  return /^[\t-\r \x85\xa0]$/.test(character);
}
