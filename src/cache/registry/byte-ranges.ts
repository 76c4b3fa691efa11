/** What a Range header asks of a body whose size is known (RFC 9110 §14). */

export type AskedRange =
  | { readonly kind: 'whole' }
  /** From `start` up to, not including, `end`. */
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'none' };

/** What is not understood, and several at once, is the whole, as a server may answer. */
export function readRange(header: string | undefined, size: number): AskedRange {
  const [, first = '', last = ''] = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return { kind: 'whole' };
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'none' } : { kind: 'part', start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  return start >= size ? { kind: 'none' } : { kind: 'part', start, end };
}

/** `bytes 100-199/500`; null for what is no part of a known whole. */
export function readContentRange(
  header: string | string[] | undefined,
): { readonly start: number; readonly size: number | null } | null {
  const [, start, size] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec([header ?? ''].flat()[0] ?? '') ?? [];
  return start === undefined ? null : { start: Number(start), size: size === '*' ? null : Number(size) };
}
