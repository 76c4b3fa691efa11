/**
 * Words as BuildKit's shell lexer reads them (frontend/dockerfile/shell/lex.go): quotes, escapes, and variables with
 * the modifiers of POSIX shells.
 */

import { ExpansionFault } from './expansion-fault.ts';
import { shellPattern } from './shell-pattern.ts';
import { OverrunFault, Work } from './work.ts';

export type Variables = Pick<ReadonlyMap<string, string>, 'get'>;

/** Of what stands within each other. */
const MOST_DEPTH = 20;
const MOST_PATTERN = 4096;
/** Steps of a regular expression that take as long as a character of ours. */
const STEPS_OF_WORK = 32;

interface Lexing {
  /** Null: undefined ones stay as they are written. */
  readonly variables: Variables | null;
  readonly escapeToken: string;
  readonly keepQuotes?: boolean;
  readonly keepEscapes?: boolean;
  /** As BuildKit since 0.13: blanks behind `<<` part no words, and a modifier makes forget what of its word stands before. */
  readonly recent?: boolean;
  readonly work: Work;
}

/** Told of each variable that is not defined. */
export type OnMissing = (name: string) => void;

/** One word with its variables put in and its quotes taken off. @throws ExpansionFault, OverrunFault */
export function expand(
  word: string,
  escapeToken: string,
  variables: Variables,
  onMissing: OnMissing = () => {},
  work = new Work(),
): string {
  work.spend(word.length);
  return new Lexer(word, { escapeToken, variables, work }, onMissing).whole().text;
}

/** The words of a text, undefined variables as they are written. @throws ExpansionFault, OverrunFault */
export function splitWords(text: string, how: Omit<Lexing, 'variables'>): readonly string[] {
  return new Lexer(text, { ...how, variables: null }, () => {}).whole().words;
}

class Words {
  readonly words: string[] = [];
  private word = '';
  private inWord = false;

  add(character: string): void {
    if (!/\p{White_Space}/u.test(character)) this.addRaw(character);
    else if (this.inWord && this.word !== '') {
      this.words.push(this.word);
      this.word = '';
      this.inWord = false;
    }
  }

  addRaw(text: string): void {
    this.word += text;
    this.inWord = true;
  }

  forget(): void {
    this.word = '';
  }

  end(): readonly string[] {
    if (this.word !== '') this.words.push(this.word);
    this.word = '';
    return this.words;
  }
}

class Lexer {
  private readonly text: readonly string[];
  private readonly how: Lexing;
  private readonly onMissing: OnMissing;
  private keepEscapes: boolean;
  private words = new Words();
  private at = 0;
  private depth = 0;

  constructor(text: string, how: Lexing, onMissing: OnMissing) {
    this.text = [...text];
    this.how = how;
    this.keepEscapes = how.keepEscapes === true;
    this.onMissing = onMissing;
  }

  whole(): { readonly text: string; readonly words: readonly string[] } {
    return this.until(null, this.keepEscapes);
  }

  private get peek(): string | undefined {
    return this.text[this.at];
  }

  private take(): string {
    return this.text[this.at++] ?? '';
  }

  private until(stop: string | null, keepEscapes: boolean): { text: string; words: readonly string[] } {
    const before = this.keepEscapes;
    const outer = this.words;
    if (this.how.recent === true) outer.forget();
    this.keepEscapes = keepEscapes;
    if (++this.depth > MOST_DEPTH) throw new OverrunFault('has variables within each other, too many to be read here');
    try {
      return this.read(stop);
    } finally {
      this.depth--;
      this.keepEscapes = before;
      this.words = outer;
    }
  }

  private read(stop: string | null): { text: string; words: readonly string[] } {
    const words = new Words();
    this.words = words;
    let text = '';
    for (let next = this.peek; next !== undefined; next = this.peek) {
      if (next === stop) {
        this.at++;
        return { text, words: words.end() };
      }
      const special = this.special(next);
      if (special !== null) {
        this.how.work.spend(special.length);
        text += special;
        if (next === '$') for (const character of special) words.add(character);
        else words.addRaw(special);
        continue;
      }
      this.at++;
      if (next !== this.how.escapeToken) {
        words.add(next);
        text += next;
        continue;
      }
      if (this.keepEscapes) {
        words.addRaw(next);
        text += next;
      }
      if (this.peek === undefined) break;
      const escaped = this.take();
      words.addRaw(escaped);
      text += escaped;
    }
    if (stop !== null) throw new ExpansionFault(`unexpected end of statement while looking for matching ${stop}`);
    return { text, words: words.end() };
  }

  private special(next: string): string | null {
    switch (next) {
      case "'":
        return this.singleQuoted();
      case '"':
        return this.doubleQuoted();
      case '$':
        return this.dollar();
      case '<':
        return this.arrows();
      default:
        return null;
    }
  }

  private quote(character: string): string {
    return this.how.keepQuotes === true ? character : '';
  }

  private singleQuoted(): string {
    this.at++;
    const end = this.text.indexOf("'", this.at);
    if (end < 0) throw new ExpansionFault('unexpected end of statement while looking for matching single-quote');
    const text = this.text.slice(this.at, end).join('');
    this.at = end + 1;
    return this.quote("'") + text + this.quote("'");
  }

  private doubleQuoted(): string {
    this.at++;
    let text = this.quote('"');
    for (let next = this.peek; next !== undefined; next = this.peek) {
      if (next === '"') {
        this.at++;
        return text + this.quote('"');
      }
      if (next === '$') {
        text += this.dollar();
        continue;
      }
      let character = this.take();
      if (character === this.how.escapeToken) {
        if (this.keepEscapes) text += character;
        if (this.peek === undefined) continue;
        if (this.peek === '"' || this.peek === '$' || this.peek === this.how.escapeToken) character = this.take();
      }
      text += character;
    }
    throw new ExpansionFault('unexpected end of statement while looking for matching double-quote');
  }

  private arrows(): string {
    this.at++;
    if (this.peek !== '<') return '<';
    this.at++;
    let blanks = '';
    if (this.how.recent !== true) return '<<';
    while (this.peek !== undefined && /[\t\r\n ]/.test(this.peek)) blanks += this.take();
    return `<<${blanks}`;
  }

  private dollar(): string {
    this.at++;
    if (this.peek !== '{') {
      const name = this.name();
      return name === '' ? '$' : (this.value(name) ?? (this.how.variables === null ? `$${name}` : ''));
    }
    this.at++;
    if (this.peek === undefined) throw new ExpansionFault("syntax error: missing '}'");
    if (/[{}:]/.test(this.peek)) throw new ExpansionFault('syntax error: bad substitution');
    const name = this.name();
    const mark = this.take();
    if (mark === '}') return this.value(name) ?? (this.how.variables === null ? `\${${name}}` : '');
    if (mark === '/') return this.replaced(name);
    const modifier = mark === ':' ? this.take() : mark;
    return this.modified(name, mark === ':', modifier);
  }

  private modified(name: string, emptyIsUnset: boolean, modifier: string): string {
    const trims = modifier === '#' || modifier === '%';
    if (!/^[-+?#%]$/.test(modifier) || (emptyIsUnset && trims)) {
      throw new ExpansionFault(`unsupported modifier (${emptyIsUnset ? ':' : ''}${modifier}) in substitution`);
    }
    const word = this.braced('}', trims);
    const value = this.value(name);
    if (value === undefined && this.how.variables === null) {
      return `\${${name}${emptyIsUnset ? ':' : ''}${modifier}${word}}`;
    }
    const unset = value === undefined || (emptyIsUnset && value === '');
    switch (modifier) {
      case '-':
        return unset ? word : value;
      case '+':
        return unset ? '' : word;
      case '?':
        if (unset) throw new ExpansionFault(`${name}: ${word === '' ? 'is not allowed to be unset' : word}`);
        return value;
      default:
        return this.trimmed(value ?? '', modifier, word);
    }
  }

  private replaced(name: string): string {
    const all = this.peek === '/';
    if (all) this.at++;
    const pattern = this.braced('/', true);
    const replacement = this.braced('}', true);
    const value = this.value(name);
    if (value === undefined && this.how.variables === null) return `\${${name}/${pattern}/${replacement}}`;
    this.spendOn(value ?? '', pattern, { everywhere: true });
    this.how.work.spend((all ? (value ?? '').length + 1 : 1) * replacement.length);
    const found = new RegExp(shellPattern(pattern, { greedy: true }), all ? 'gu' : 'u');
    // Go reads `$1` and `${name}` in what replaces all, and finds no such group.
    if (all && replacement.includes('$')) throw new ExpansionFault('a replacement with $ in it is not read');
    return (value ?? '').replace(found, () => replacement);
  }

  private braced(stop: string, keepEscapes: boolean): string {
    try {
      return this.until(stop, keepEscapes).text;
    } catch (fault) {
      if (fault instanceof ExpansionFault && this.peek === undefined) {
        throw new ExpansionFault(`syntax error: missing '${stop}'`);
      }
      throw fault;
    }
  }

  private name(): string {
    const [first] = this.text.slice(this.at, this.at + 1);
    if (first !== undefined && /\p{Nd}/u.test(first)) return this.run(/\p{Nd}/u);
    if (first !== undefined && /[@*#?\-$!]/.test(first)) return this.take();
    return this.run(/[\p{L}\p{Nd}_]/u);
  }

  private run(of: RegExp): string {
    let name = '';
    while (this.peek !== undefined && of.test(this.peek)) name += this.take();
    return name;
  }

  private value(name: string): string | undefined {
    const value = this.how.variables?.get(name);
    if (value === undefined) this.onMissing(name);
    else this.how.work.spend(value.length);
    return value;
  }

  /** `${x%word}` and its kin. */
  private trimmed(value: string, modifier: string, word: string): string {
    const greedy = word.startsWith(modifier);
    const pattern = greedy ? word.slice(1) : word;
    this.spendOn(value, pattern, { everywhere: false });
    if (modifier === '#') {
      const found = new RegExp(`^(?:${shellPattern(pattern, { greedy })})`, 'u').exec(value);
      return found === null ? value : value.slice(found[0].length);
    }
    // From the end, the shortest match is the one of the turned text.
    const turned = [...value].reverse().join('');
    const found = new RegExp(`^(?:${shellPattern(pattern, { greedy, turned: true })})`, 'u').exec(turned);
    return found === null ? value : value.slice(0, value.length - found[0].length);
  }

  /** Where nothing matches, every star is tried at every length. */
  private spendOn(value: string, pattern: string, { everywhere }: { readonly everywhere: boolean }): void {
    if (pattern.length > MOST_PATTERN) throw new OverrunFault('has a pattern that is too long to be read here');
    const stars = pattern.split('*').length - 1 + (everywhere ? 1 : 0);
    const steps = (value.length + 1) ** stars * (pattern.length + 1);
    this.how.work.spend(value.length + steps / STEPS_OF_WORK);
  }
}
