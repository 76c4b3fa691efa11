// parsed.json: files made of pieces by chance, with what the parsers of engines 20.10.24, 26.1.5 and 28.5.2 read in them.
import { expect, test } from 'vitest';
import { type Dialect, dialectsOf } from '../../../src/builds/dockerfile/dialect.ts';
import { expand } from '../../../src/builds/dockerfile/expand.ts';
import {
  fromLatin1,
  type Instruction,
  jsonStrings,
  readInstruction,
  triggered,
  words,
} from '../../../src/builds/dockerfile/instruction.ts';
import { readLines } from '../../../src/builds/dockerfile/lines.ts';
import vectors from './parsed.json' with { type: 'json' };

const dialects = [41, 45, 51].map((api) => dialectsOf(api)[0] as Dialect);
const variables = new Map([
  ['A', 'alpha/beta:1.2.3'],
  ['EMPTY', ''],
  ['B2', 'x y'],
  ['_u', 'debian'],
]);

/** Null for what engines refuse. */
function read(file: string, dialect: Dialect): unknown {
  try {
    const { lines, escapeToken } = readLines(file, dialect);
    const list = lines.map((line) => [
      line.number,
      ...partsOf(readInstruction(line, escapeToken, dialect), escapeToken, dialect),
    ]);
    return { escape: escapeToken, list };
  } catch {
    return null;
  }
}

function partsOf(instruction: Instruction, escapeToken: string, dialect: Dialect): unknown[] {
  const { name, flags, rest } = instruction;
  const listed = words(instruction).map(({ text }) => fromLatin1(text));
  const strings = jsonStrings(rest, dialect);
  const list = name === 'from' ? listed : name === 'copy' || name === 'add' ? (strings ?? listed) : null;
  const inner = name === 'onbuild' ? triggered(instruction, escapeToken, dialect) : null;
  const sub = inner === null ? [] : [partsOf(inner, escapeToken, dialect)];
  return [name, flags.map(({ text }) => text), list, ...sub];
}

test('files are read as engines 20.10, 26.1 and 28.5 read them', () => {
  expect(vectors.files.length).toBeGreaterThan(100);
  for (const { file, read: expected } of vectors.files) {
    expect(
      dialects.map((dialect) => read(file, dialect)),
      JSON.stringify(file),
    ).toEqual(expected);
  }
});

test('variables are put in as BuildKit does it', () => {
  expect(vectors.words.length).toBeGreaterThan(50);
  for (const { escape: token, word, expanded } of vectors.words) {
    let mine: string | null = null;
    try {
      mine = expand(word, token, variables);
    } catch {
      // What engines refuse is refused here.
    }
    // A replacement of all that speaks of groups is refused, though Go would read it.
    if (mine === null && /\/\/.*\$/.test(word)) continue;
    expect(mine, JSON.stringify(word)).toBe(expanded);
  }
});
