/**
 * Which files of a context an engine leaves out by `.dockerignore` (moby, patternmatcher and ignorefile). All that a pattern can
 * mean is followed at once, so that a hostile one costs no more than its length times that of the path.
 */

import { TarFault } from '../../wire/tar/tar-header.ts';

/** Characters of paths times tokens of patterns: a second. A file of 1 MiB and a path of a hundred characters is half of it. */
const MOST_STEPS = 200_000_000;
interface Pattern {
  readonly negated: boolean;
  readonly tokens: readonly Token[];
}

/** Takes a character, or several where it `repeats`; `folders` takes any, and is done behind each slash. */
type Token =
  | { readonly kind: 'one' | 'run'; readonly takes: (character: string) => boolean }
  | { readonly kind: 'skippable' }
  | { readonly kind: 'folders' };

/** Whether the patterns of `ignoreFile` match a clean path, or a folder that it lies in. @throws TarFault */
export function isIgnored(ignoreFile: string, path: string): boolean {
  const characters = [...path];
  let ignored = false;
  let steps = 0;
  for (const { negated, tokens } of patternsOf(ignoreFile)) {
    if (negated !== ignored) continue;
    steps += (characters.length + 1) * (tokens.length + 1);
    if (steps > MOST_STEPS) throw new TarFault('holds a .dockerignore that is too long for the name of its Dockerfile');
    if (matches(tokens, characters)) ignored = !negated;
  }
  return ignored;
}

/** The whole path, or a folder in it. */
function matches(tokens: readonly Token[], path: readonly string[]): boolean {
  let reached = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  reach(tokens, reached, 0);
  for (const character of path) {
    if (character === '/' && reached[tokens.length] === 1) return true;
    next.fill(0);
    for (let at = 0; at < tokens.length; at++) {
      if (reached[at] === 0) continue;
      const token = tokens[at] as Token;
      if (token.kind === 'folders') {
        reach(tokens, next, at);
        if (character === '/') reach(tokens, next, at + 1);
      } else if (token.kind !== 'skippable' && token.takes(character))
        reach(tokens, next, token.kind === 'run' ? at : at + 1);
    }
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

function patternsOf(ignoreFile: string): readonly Pattern[] {
  const lines = ignoreFile.replace(/^\ufeff/, '').split('\n');
  return lines.flatMap((line) => {
    const said = line.startsWith('#') ? '' : line.trim();
    const negated = said.startsWith('!');
    const pattern = (negated ? said.slice(1) : said).trim();
    return pattern === '' ? [] : [{ negated, tokens: tokensOf(clean(pattern)) }];
  });
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
        const set = pattern.slice(token.lastIndex, end);
        const found = new RegExp(`^[${set.startsWith('^') ? '^' : ''}${escaped(set.replace(/^\^/, ''))}]$`, 'su');
        one((character) => found.test(character));
        token.lastIndex = end + 1;
      }
    } else literal(said.startsWith('\\') && said.length > 1 ? said.slice(1) : said);
  }
  return tokens;
}

function notSlash(character: string): boolean {
  return character !== '/';
}

/** A range keeps its `-`. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
