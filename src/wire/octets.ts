/** Which bytes may stand where in a head (RFC 9110 §5, RFC 9112 §3), as tables indexed by the byte. */

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;

function table(allows: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allows(byte) ? 1 : 0));
}

const TOKEN_MARKS = new Set(Array.from("!#$%&'*+-.^_`|~", (mark) => mark.charCodeAt(0)));

function isAlphanumeric(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

/** `tchar`: method and field names. */
export const TOKEN: Readonly<Uint8Array> = table((byte) => isAlphanumeric(byte) || TOKEN_MARKS.has(byte));

/** Field values: visible characters, SP, HTAB and obs-text; no other control character, no DEL. */
export const VALUE: Readonly<Uint8Array> = table((byte) => byte === HTAB || (byte >= SP && byte !== 127));

/** Request targets: visible ASCII. */
export const TARGET: Readonly<Uint8Array> = table((byte) => byte > SP && byte < 127);

const UNPRINTABLE_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const TOKEN_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TARGET_TEXT = /^(?:\/[\x21-\x7e]*|\*)$/;

/** Also refuses what lies beyond U+00FF: printed as latin1, U+010A would become a line feed. */
export function isFieldValue(text: string): boolean {
  return !UNPRINTABLE_VALUE.test(text);
}

export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text);
}

export function isTarget(text: string): boolean {
  return TARGET_TEXT.test(text);
}
