/**
 * Which files of a context an engine leaves out by `.dockerignore` (moby, patternmatcher and ignorefile). All that a pattern can
 * mean is followed at once, so that a hostile one costs no more than its length times that of the path.
 */

import { TarFault } from '../../wire/tar/tar-header.ts';

/** Tokens of patterns that are looked at, for each character of the path: a tenth of a second. What people write is a hundredth. */
const MOST_STEPS = 20_000_000;
const DASH = 0x2d;

interface Pattern {
  readonly negated: boolean;
  readonly tokens: readonly Token[];
}

/** Takes a character, or as many of them as there are where it is a `run`; `folders` takes any, and is done behind each slash. */
type Token =
  | { readonly kind: 'one' | 'run'; readonly takes: (character: string) => boolean }
  | { readonly kind: 'skippable' }
  | { readonly kind: 'folders' };

/** Whether the patterns of `ignoreFile` match a clean path, or a folder that it lies in. @throws TarFault */
export function isIgnored(ignoreFile: string, path: string): boolean {
  const characters = [...path];
  let ignored = false;
  let steps = 0;
  const step = (tokens: number): void => {
    steps += tokens;
    if (steps > MOST_STEPS) throw new TarFault('holds a .dockerignore that is too long for the name of its Dockerfile');
  };
  for (const { negated, tokens } of patternsOf(ignoreFile)) {
    if (negated === ignored && matches(tokens, characters, step)) ignored = !negated;
  }
  return ignored;
}

/** The whole path, or a folder in it. */
function matches(tokens: readonly Token[], path: readonly string[], step: (tokens: number) => void): boolean {
  let reached = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  reach(tokens, reached, 0);
  for (const character of path) {
    if (character === '/' && reached[tokens.length] === 1) return true;
    step(tokens.length + 1);
    next.fill(0);
    let goesOn = false;
    for (let at = 0; at < tokens.length; at++) {
      if (reached[at] === 0) continue;
      const token = tokens[at] as Token;
      if (token.kind === 'skippable' || (token.kind !== 'folders' && !token.takes(character))) continue;
      goesOn = true;
      reach(tokens, next, token.kind === 'one' ? at + 1 : at);
      if (token.kind === 'folders' && character === '/') reach(tokens, next, at + 1);
    }
    if (!goesOn) return false;
    [reached, next] = [next, reached];
  }
  return reached[tokens.length] === 1;
}

/** Whoever stands before what may be left out stands behind it, too. */
function reach(tokens: readonly Token[], reached: Uint8Array, from: number): void {
  const left = [from];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (reached[at] === 1) continue;
    reached[at] = 1;
    const kind = tokens[at]?.kind;
    if (kind === 'run') left.push(at + 1);
    else if (kind === 'skippable') left.push(at + 1, at + 2);
  }
}

function* patternsOf(ignoreFile: string): Iterable<Pattern> {
  for (const line of ignoreFile.replace(/^\ufeff/, '').split('\n')) {
    const said = line.startsWith('#') ? '' : line.trim();
    const negated = said.startsWith('!');
    const pattern = (negated ? said.slice(1) : said).trim();
    if (pattern !== '') yield { negated, tokens: tokensOf(clean(pattern)) };
  }
}

/** Go's filepath.Clean, and without the slash of a root. */
function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !pattern.startsWith('/')) parts.push(part);
  }
  return parts.join('/') || '.';
}

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  const one = (takes: (character: string) => boolean): void => void tokens.push({ kind: 'one', takes });
  const literal = (text: string): void => one((character) => character === text);
  const token = /\*\*\/?|\\[\s\S]|[\s\S]/uy;
  while (token.lastIndex < pattern.length) {
    const [said] = token.exec(pattern) as RegExpExecArray;
    const isLast = token.lastIndex === pattern.length;
    if (said.startsWith('**')) {
      if (isLast) tokens.push({ kind: 'run', takes: () => true });
      else tokens.push({ kind: 'skippable' }, { kind: 'folders' });
    } else if (said === '*') tokens.push({ kind: 'run', takes: notSlash });
    else if (said === '?') one(notSlash);
    else if (said === '[') {
      const end = pattern.indexOf(']', token.lastIndex);
      if (end < 0) literal('[');
      else {
        one(inSet(pattern.slice(token.lastIndex, end)));
        token.lastIndex = end + 1;
      }
    } else literal(said.startsWith('\\') && said.length > 1 ? said.slice(1) : said);
  }
  return tokens;
}

function notSlash(character: string): boolean {
  return character !== '/';
}

/** `a-z0-9`, and `^` for what is none of them. A range from behind has nothing in it. */
function inSet(set: string): (character: string) => boolean {
  const negated = set.startsWith('^');
  const points = [...set.slice(negated ? 1 : 0)].map((character) => character.codePointAt(0) as number);
  const ranges: (readonly [number, number])[] = [];
  for (let at = 0; at < points.length; at++) {
    const from = points[at] as number;
    const to = points[at + 1] === DASH ? points[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  return (character) => {
    const point = character.codePointAt(0) as number;
    return ranges.some(([from, to]) => from <= point && point <= to) !== negated;
  };
}
