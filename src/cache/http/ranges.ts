/** One range of bytes of a whole that is there or comes (RFC 9110 §14). Several at once are answered with the whole. */

export type ReadRange =
  /** Not a range that we serve by itself: the whole is as good an answer. */
  | { readonly kind: 'whole' }
  /** `first` inclusive, `last` inclusive. */
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'beyond' };

/** @param value of `Range`; null where there is none. */
export function readRange(value: string | null, length: number): ReadRange {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec((value ?? '').replace(/[ \t]/g, ''));
  if (found === null) return { kind: 'whole' };
  const [, from = '', to = ''] = found;
  if (from === '' && to === '') return { kind: 'whole' };
  if (from === '') {
    const suffix = Number(to);
    if (suffix === 0) return { kind: 'beyond' };
    // RFC 9110 §14.1.2: nothing of nothing is satisfiable, and Content-Range has no word for it.
    if (length === 0) return { kind: 'whole' };
    return { kind: 'range', first: Math.max(0, length - suffix), last: length - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return { kind: 'whole' };
  if (first >= length) return { kind: 'beyond' };
  return { kind: 'range', first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}

export interface ContentRange {
  readonly first: number;
  readonly last: number;
  /** Null where the origin does not know it. */
  readonly total: number | null;
}

export function readContentRange(value: string | null): ContentRange | null {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value ?? '');
  if (found === null) return null;
  const [first, last] = [Number(found[1]), Number(found[2])];
  const total = found[3] === '*' ? null : Number(found[3]);
  return last < first || (total !== null && last >= total) ? null : { first, last, total };
}
