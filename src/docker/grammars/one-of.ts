/** A value that is one word out of several, where what it means depends on the word. */

import type { Mark } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

/**
 * `otherwise` is what every other word means; without it, other words are not of the language. `others` are some of
 * those, for whoever must refuse them.
 */
export function oneOf(
  name: string,
  meanings: Readonly<Record<string, readonly Mark[]>>,
  otherwise?: readonly Mark[],
  others: readonly string[] = [],
): Grammar {
  const words = Object.keys(meanings);
  const reaching = words.filter((word) => meanings[word]?.some(({ mark }) => mark === 'privilege'));
  return {
    name,
    form: [...words.map((word) => word || '""'), ...(otherwise ? ['…'] : [])].join(' | '),
    marks: [...new Set([...Object.values(meanings), otherwise ?? []].flat())],
    dangerous: [...reaching, ...others],
    split(text): readonly Part[] | null {
      const marks = Object.hasOwn(meanings, text) ? meanings[text] : otherwise;
      return marks === undefined ? null : [{ text, marks }];
    },
  };
}

/** The same meaning for several words. */
export function each(words: readonly string[], ...marks: readonly Mark[]): Readonly<Record<string, readonly Mark[]>> {
  return Object.fromEntries(words.map((word) => [word, marks]));
}
