/** Patterns of shells (`*`, `?`, a backslash before what is meant as it stands) as regular expressions. */

import { ExpansionFault } from './expansion-fault.ts';

export interface PatternUse {
  readonly greedy: boolean;
  /** For a text that is read from its end. */
  readonly turned?: boolean;
}

/** @throws ExpansionFault */
export function shellPattern(pattern: string, { greedy, turned = false }: PatternUse): string {
  const parts: string[] = [];
  let escaped = false;
  for (const character of pattern) {
    if (escaped) {
      if (!/[*?\\}/]/.test(character)) throw new ExpansionFault(`invalid escape sequence \\${character}`);
      parts.push(quoted(character));
      escaped = false;
    } else if (character === '\\') escaped = true;
    else if (character === '*') parts.push(greedy ? '[^\\n]*' : '[^\\n]*?');
    else if (character === '?') parts.push('[^\\n]');
    else parts.push(quoted(character));
  }
  if (escaped) throw new ExpansionFault('an escape sequence does not end');
  return (turned ? parts.reverse() : parts).join('');
}

function quoted(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
