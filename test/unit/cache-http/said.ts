/** Short words for answers and requests of the tests. */

import { directivesOfAnswer, directivesOfRequest } from '../../../src/cache/http/directives.ts';
import { printDate } from '../../../src/cache/http/http-date.ts';
import { readRequestFields } from '../../../src/cache/http/request-fields.ts';
import { type Judgement, judge, standsIn } from '../../../src/cache/http/reuse.ts';
import { noRule, type SiteRule } from '../../../src/cache/http/site-rules.ts';
import { reasonNotToStore, storableFields } from '../../../src/cache/http/storable.ts';
import type { StoredAnswer } from '../../../src/cache/http/stored-answer.ts';
import { selectingNames, selection } from '../../../src/cache/http/vary.ts';
import type { RawHeaders } from '../../../src/wire/message.ts';

export type Fields = Readonly<Record<string, string | readonly string[]>>;

export const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);

export function fields(given: Fields): RawHeaders {
  return Object.entries(given).flatMap(([name, value]) => [value].flat().flatMap((line) => [name, line]));
}

/** That many seconds from now, as HTTP prints it. */
export function date(seconds: number): string {
  return printDate(NOW + seconds * 1000);
}

export interface Told {
  readonly status?: number;
  readonly request?: Fields;
  readonly rule?: SiteRule;
  readonly length?: number;
}

/** An answer that has come just now. */
export function stored(
  answer: Fields,
  { status = 200, request = {}, rule = noRule, length = 10 }: Told = {},
): StoredAnswer {
  const headers = fields({ Date: date(0), ...answer });
  const { shared } = readRequestFields(fields(request), rule);
  return {
    status,
    reason: '',
    headers: storableFields(headers, directivesOfAnswer(headers)),
    requestedMs: NOW,
    answeredMs: NOW,
    selectedBy: selection(selectingNames(headers, rule) ?? [], shared),
    length,
  };
}

/** What becomes of the answer after that many seconds. */
export function later(seconds: number, answer: StoredAnswer, request: Fields = {}, rule = noRule): Judgement {
  return judge(answer, directivesOfRequest(fields(request)), rule, NOW + seconds * 1000);
}

export function standsInAfter(seconds: number, answer: StoredAnswer, request: Fields = {}, rule = noRule): boolean {
  return standsIn(answer, directivesOfRequest(fields(request)), rule, NOW + seconds * 1000);
}

/** Why it is not kept; null where it is. */
export function unkept(
  answer: Fields,
  told: Told & { readonly method?: string; readonly isDelimited?: boolean } = {},
): string | null {
  const { request = {}, status = 200, rule = noRule, method = 'GET', isDelimited = true } = told;
  const read = readRequestFields(fields(request), rule);
  return reasonNotToStore({
    method,
    request: directivesOfRequest(fields(request)),
    hasCredentials: read.hasCredentials,
    isPeculiar: read.isPeculiar,
    status,
    headers: fields({ Date: date(0), ...answer }),
    requestedMs: NOW,
    answeredMs: NOW,
    isDelimited,
    rule,
  });
}
