/** The code of strings in HPACK (RFC 7541, appendix B). */

/** The length of each octet's code, in base 36. The code is canonical: the lengths tell all of it. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq';
/** What is left of the last octet: ones, less than eight. */
const MAX_PADDING = 7;
const LONGEST = 30;

/** By length: the first code, and the octets in their order. */
const codes = new Map<number, { readonly first: number; readonly octets: readonly number[] }>();
let next = 0;
for (let length = 1; length <= LONGEST; length++) {
  const octets = [...LENGTHS].flatMap((digit, octet) => (Number.parseInt(digit, 36) === length ? [octet] : []));
  codes.set(length, { first: next, octets });
  next = (next + octets.length) * 2;
}

/** Null for what is no such string. */
export function readHuffman(bytes: Buffer): Buffer | null {
  const octets: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const row = codes.get(length);
      const octet = row?.octets[code - row.first];
      if (octet !== undefined) {
        octets.push(octet);
        code = 0;
        length = 0;
      } else if (length >= LONGEST) return null;
    }
  }
  return length <= MAX_PADDING && code === 2 ** length - 1 ? Buffer.from(octets) : null;
}
