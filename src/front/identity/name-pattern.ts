/**
 * The user inside a longer name, such as `{user}@example.org` or `spiffe://example.org/ci/{user}`: one `{user}`, and a
 * star for a whole part between slashes. Compared part by part, so there is one reading and no search.
 */

import { Objection, textOf } from '../../operate/config/schema/field.ts';

const placeholder = '{user}';

/** The user that the name holds, or undefined where it is another kind of name. */
export type NamePattern = (name: string) => string | undefined;

type Part = { readonly any: true } | { readonly before: string; readonly after: string | null };

export function namePatternFault(pattern: string): string | undefined {
  if (pattern.length > 512) return 'is longer than 512 characters';
  if (pattern.split(placeholder).length !== 2) return `must hold ${placeholder} once`;
  if (/[{}]/.test(pattern.replace(placeholder, ''))) return `knows no other placeholder than ${placeholder}`;
  if (pattern.split('/').some((part) => part !== '*' && part.includes('*')))
    return 'may have * only between two slashes';
  return undefined;
}

/** Throws a RangeError for what `namePatternFault` names. */
export function compileNamePattern(pattern: string): NamePattern {
  const fault = namePatternFault(pattern);
  if (fault !== undefined) throw new RangeError(`the pattern ${fault}`);
  const parts = pattern.split('/').map((part): Part => {
    if (part === '*') return { any: true };
    const [before, after] = part.split(placeholder) as [string, string?];
    return { before, after: after ?? null };
  });

  return (name) => {
    const given = name.split('/');
    if (given.length !== parts.length) return undefined;
    let user: string | undefined;
    for (const [i, part] of parts.entries()) {
      const text = given[i]!;
      if ('any' in part) {
        if (text === '') return undefined;
      } else if (part.after === null) {
        if (text !== part.before) return undefined;
      } else {
        const { before, after } = part;
        if (text.length <= before.length + after.length) return undefined;
        if (!text.startsWith(before) || !text.endsWith(after)) return undefined;
        user = text.slice(before.length, text.length - after.length);
        // `{user}@example.org` must not take `alice@evil.test@example.org` for somebody.
        if (after.startsWith('@') && user.includes('@')) return undefined;
      }
    }
    return user;
  };
}

/** As an option of the configuration. */
export function namePattern() {
  const reading = {
    kind: 'pattern with {user}',
    what: 'a pattern such as "{user}@example.org"',
    pattern: '\\{user\\}',
  };
  return textOf(reading, (text) => {
    const fault = namePatternFault(text);
    return fault === undefined ? text : new Objection(`the pattern ${fault}`);
  });
}
