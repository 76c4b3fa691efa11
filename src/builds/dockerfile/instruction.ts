/** One logical line as an instruction: its name, its flags and what stands behind them, each with its place. */

import { isBlank, trim, trimStart } from './blanks.ts';
import type { Dialect } from './dialect.ts';
import type { LogicalLine } from './logical-line.ts';

/** A word of a line; `text` is what it says, `[from, to)` how it is written there. */
export interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

export interface Instruction {
  readonly line: LogicalLine;
  /** Lower case. */
  readonly name: string;
  readonly flags: readonly Word[];
  /** What stands behind the flags, trimmed. */
  readonly rest: string;
  readonly restFrom: number;
}

const separator = /[\t\v\f\r ]+/;

export function readInstruction(line: LogicalLine, escapeToken: string, dialect: Dialect): Instruction {
  return readPart(line, 0, escapeToken, dialect);
}

/** The instruction that an ONBUILD holds; null where there is none. */
export function triggered(instruction: Instruction, escapeToken: string, dialect: Dialect): Instruction | null {
  if (instruction.rest === '') return null;
  return readPart(instruction.line, instruction.restFrom, escapeToken, dialect);
}

function readPart(line: LogicalLine, start: number, escapeToken: string, dialect: Dialect): Instruction {
  const { text } = line;
  const from = text.length - trimStart(text.slice(start)).length;
  const whole = trim(text.slice(start));
  const found = separator.exec(whole);
  const name = (found === null ? whole : whole.slice(0, found.index)).toLowerCase();
  if (found === null) return { line, name, flags: [], rest: '', restFrom: text.length };
  const at = from + found.index + found[0].length;
  const { flags, end } = readFlags(
    text.slice(0, from + whole.length),
    at,
    dialect.flagsEscapedByToken ? escapeToken : '\\',
  );
  const behind = text.slice(end, from + whole.length);
  return { line, name, flags, rest: trim(behind), restFrom: end + behind.length - trimStart(behind).length };
}

/** As moby's extractBuilderFlags, byte by byte. `end` is where the rest begins. */
function readFlags(text: string, start: number, escapeToken: string): { flags: readonly Word[]; end: number } {
  const flags: Word[] = [];
  let at = start;
  for (;;) {
    while (at < text.length && isBlank(text[at] as string)) at++;
    if (at >= text.length) return { flags, end: text.length };
    if (!text.startsWith('--', at)) return { flags, end: at };
    const from = at;
    let word = '';
    let quote = '';
    for (; at < text.length; at++) {
      let character = text[at] as string;
      if (quote === '' && isBlank(character)) break;
      if (quote === '' ? character === "'" || character === '"' : character === quote) {
        quote = quote === '' ? character : '';
        continue;
      }
      if (character === escapeToken) {
        // An escape at the very end says nothing.
        if (at + 1 === text.length) continue;
        character = text[++at] as string;
      }
      word += character;
    }
    if (word === '--') return { flags, end: at };
    flags.push({ text: word, from, to: at });
  }
}

/** The words behind the flags as they stand, for instructions that take a list. */
export function words({ rest, restFrom }: Instruction): readonly Word[] {
  if (rest === '') return [];
  const found: Word[] = [];
  let at = 0;
  while (at <= rest.length) {
    const gap = separator.exec(rest.slice(at));
    const to = gap === null ? rest.length : at + gap.index;
    found.push({ text: rest.slice(at, to), from: restFrom + at, to: restFrom + to });
    if (gap === null) break;
    at = to + gap[0].length;
  }
  return found;
}

/** The strings of a JSON array; null where the text is none, and is read as words. */
export function jsonStrings(rest: string, dialect: Dialect): readonly string[] | null {
  if (!trimStart(rest).startsWith('[')) return null;
  const array = dialect.wholeJson ? rest : (/^\s*\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\]/s.exec(rest)?.[0] ?? rest);
  try {
    const read: unknown = JSON.parse(fromLatin1(array));
    return Array.isArray(read) && read.every((one) => typeof one === 'string') ? read : null;
  } catch {
    // Whatever is no JSON is words.
    return null;
  }
}

/** The value of `--name=`; undefined where it is not said. */
export function flag({ flags }: Instruction, name: string): Word | undefined {
  const prefix = `--${name}=`;
  const found = flags.find(({ text }) => text.startsWith(prefix));
  return found === undefined ? undefined : { ...found, text: found.text.slice(prefix.length) };
}

/** Bytes, one character each, as the UTF-8 that they are. */
export function fromLatin1(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

export function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
