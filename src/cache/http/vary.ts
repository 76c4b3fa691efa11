/** Which requests a stored answer was chosen for (RFC 9111 §4.1). */

import { createHash } from 'node:crypto';
import type { RawHeaders } from '../../wire/message.ts';
import { directivesOfAnswer, isOpenToAll } from './directives.ts';
import { fieldValue, linesOf, membersOf } from './fields.ts';
import { isIdle, KEYED } from './request-fields.ts';
import type { SiteRule } from './site-rules.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** The names that an answer was chosen by, sorted; null where no request is like another one. */
export function selectingNames(answer: RawHeaders, rule: SiteRule): readonly string[] | null {
  const named = membersOf(linesOf(answer, 'vary')).map((name) => name.toLowerCase());
  if (named.includes('*')) return null;
  const names = new Set<string>([...KEYED, ...named.filter((name) => !isIdle(name, rule))]);
  // An origin that encodes and does not say that it may not: those who cannot decode must not get it.
  if (linesOf(answer, 'content-encoding').length > 0) names.add('accept-encoding');
  return [...names].sort();
}

/** Flat: name and normalised value. */
export function selection(names: readonly string[], request: RawHeaders): readonly (string | null)[] {
  return names.flatMap((name) => [name, normalised(name, fieldValue(request, name))]);
}

export function selects(
  { selectedBy, headers }: Pick<StoredAnswer, 'selectedBy' | 'headers'>,
  request: RawHeaders,
): boolean {
  for (let i = 0; i < selectedBy.length; i += 2) {
    const name = selectedBy[i] as string;
    const value = fieldValue(request, name);
    if (normalised(name, value) === selectedBy[i + 1]) continue;
    if (name === 'accept-language' && value !== null && isPreferred(value, fieldValue(headers, 'content-language')))
      continue;
    return false;
  }
  return true;
}

/** Whether it is for those too who would get something of their own: the origin or the administrator has said so. */
export function isForAll(answer: StoredAnswer, rule: SiteRule): boolean {
  return isOpenToAll(directivesOfAnswer(answer.headers).all) || rule.minFreshSeconds !== null;
}

/** Tells the variants of one key apart. */
export function variantOf(selectedBy: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(selectedBy)).digest('hex').slice(0, 32);
}

/** Requests that mean the same have the same words (RFC 9111 §4.1: "normalizing both header field values"). */
function normalised(name: string, value: string | null): string | null {
  if (value === null) return null;
  const members = membersOf([value]).map((member) => member.replace(/\s*([;=])\s*/g, '$1'));
  switch (name) {
    case 'accept':
      return members.join(',') === '*/*' ? null : members.join(',').toLowerCase();
    case 'accept-language':
    case 'accept-encoding': {
      const sorted = members.map((member) => member.toLowerCase()).sort();
      return sorted.join(',') === '*' && name === 'accept-language' ? null : sorted.join(',');
    }
    default:
      // It is compared and never read: what may be somebody's secret does not lie in the store.
      return createHash('sha256').update(members.join(',')).digest('base64url');
  }
}

/** RFC 9110 §12.5.4: what the client likes best, and no other language as well. */
function isPreferred(accepted: string, language: string | null): boolean {
  if (language === null) return false;
  const ranked = membersOf([accepted]).map((member) => {
    const [tag = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((one) => one.startsWith('q='))?.slice(2);
    return { tag, quality: quality === undefined ? 1 : Number(quality) };
  });
  const own = ranked.find(({ tag }) => tag === language.toLowerCase());
  return own !== undefined && ranked.every((one) => one === own || one.quality < own.quality);
}
