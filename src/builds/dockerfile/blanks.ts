/** White space as Go counts it, in latin1 text that holds UTF-8. */

const UNICODE =
  '[\\t-\\r ]|\\xc2[\\x85\\xa0]|\\xe1\\x9a\\x80|\\xe2\\x80[\\x80-\\x8a\\xa8\\xa9\\xaf]|\\xe2\\x81\\x9f|\\xe3\\x80\\x80';
const atStart = new RegExp(`^(?:${UNICODE})+`);
const atEnd = new RegExp(`(?:${UNICODE})+$`);

/** strings.TrimLeftFunc(unicode.IsSpace). */
export function trimStart(text: string): string {
  return text.replace(atStart, '');
}

/** strings.TrimSpace. */
export function trim(text: string): string {
  return trimStart(text).replace(atEnd, '');
}

/** unicode.IsSpace of a single byte that is taken for a character. */
export function isBlank(character: string): boolean {
  return /^[\t-\r \x85\xa0]$/.test(character);
}
