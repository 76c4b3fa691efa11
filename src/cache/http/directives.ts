/** Cache-Control as requests and answers carry it (RFC 9111 §5.2), read so that a doubtful word never makes fresh. */

import type { RawHeaders } from '../../wire/message.ts';
import { linesOf, membersOf } from './fields.ts';
import { readTargeted } from './targeted.ts';

/** By lower-case name; null where there is no argument. Two different arguments of one name are `CONFLICT`. */
export type Directives = ReadonlyMap<string, string | null>;

/** No number, no list: whoever asks for seconds gets 0. */
const CONFLICT = '"';
/** RFC 9111 §1.2.2: what is too large counts as this or as infinity. */
const MOST_SECONDS = 2 ** 31;

function readDirectives(lines: readonly string[]): Directives {
  const found = new Map<string, string | null>();
  for (const member of membersOf(lines)) {
    const at = member.indexOf('=');
    const name = (at < 0 ? member : member.slice(0, at)).trimEnd().toLowerCase();
    const argument = at < 0 ? null : argumentOf(member.slice(at + 1), member.charAt(at - 1) === ' ');
    const before = found.get(name);
    found.set(name, before === undefined || before === argument ? argument : CONFLICT);
  }
  return found;
}

function argumentOf(text: string, spaced: boolean): string {
  // RFC 9111 §5.2: no space stands around "="; whoever puts one there may mean anything.
  if (spaced || text.startsWith(' ')) return CONFLICT;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text);
  return quoted === null ? text : (quoted[1] as string).replace(/\\(.)/g, '$1');
}

export function directivesOfRequest(headers: RawHeaders): Directives {
  const lines = linesOf(headers, 'cache-control');
  // RFC 9111 §5.4: Pragma counts where Cache-Control is absent.
  if (lines.length === 0 && membersOf(linesOf(headers, 'pragma')).some((one) => one.toLowerCase() === 'no-cache')) {
    return new Map([['no-cache', null]]);
  }
  return readDirectives(lines);
}

export interface AnswerDirectives {
  readonly all: Directives;
  /** They stood in a field for caches such as this one: `Cache-Control` and `Expires` do not count (RFC 9213 §2.2). */
  readonly targeted: boolean;
}

export function directivesOfAnswer(headers: RawHeaders): AnswerDirectives {
  const targeted = readTargeted(linesOf(headers, 'cdn-cache-control'));
  if (targeted !== null) return { all: targeted, targeted: true };
  return { all: readDirectives(linesOf(headers, 'cache-control')), targeted: false };
}

/** Null where the directive is absent; 0 where it is no number of seconds. */
export function secondsOf(directives: Directives, name: string): number | null {
  const argument = directives.get(name);
  if (argument === undefined) return null;
  if (argument === null || !/^\d+$/.test(argument)) return 0;
  return Math.min(Number(argument), MOST_SECONDS);
}

/** Present without a list of fields: it is about the whole answer. */
export function unqualified(directives: Directives, name: string): boolean {
  const argument = directives.get(name);
  return argument !== undefined && (argument === null || fieldsOf(argument).length === 0);
}

/** RFC 9111 §3.5: what was asked for with credentials may be given to others. */
export function isOpenToAll(answer: Directives): boolean {
  return answer.has('public') || answer.has('must-revalidate') || answer.has('s-maxage');
}

/**
 * It is never served when its time is over without asking. RFC 9111 §5.2.2.10: s-maxage "incorporates the semantics of
 * proxy-revalidate".
 */
export function forbidsStale(answer: Directives): boolean {
  const words = ['must-revalidate', 'proxy-revalidate', 's-maxage'];
  return words.some((word) => answer.has(word)) || unqualified(answer, 'no-cache');
}

/** The lower-case names of the fields that `no-cache="…"` and `private="…"` are about. */
export function qualifiedFields(directives: Directives): readonly string[] {
  return ['no-cache', 'private'].flatMap((name) => fieldsOf(directives.get(name) ?? ''));
}

function fieldsOf(argument: string): readonly string[] {
  return argument
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name));
}
