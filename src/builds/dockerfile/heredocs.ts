/** Which lines behind an instruction belong to it: `RUN <<EOF`. */

import type { Dialect } from './dialect.ts';
import { splitWords } from './expand.ts';
import { ExpansionFault } from './expansion-fault.ts';
import { fromLatin1, type Instruction, jsonStrings, readInstruction, toLatin1, triggered } from './instruction.ts';
import { LogicalLine } from './logical-line.ts';
import type { Work } from './work.ts';

export interface Heredoc {
  /** The line that ends it, in latin1. */
  readonly name: string;
  /** `<<-`: tabs at the beginning of a line do not count. */
  readonly chomps: boolean;
}

const takers: ReadonlySet<string> = new Set(['run', 'copy', 'add']);

/** @throws OverrunFault */
export function heredocsOf(text: string, escapeToken: string, dialect: Dialect, work: Work): readonly Heredoc[] {
  if (!text.includes('<<')) return [];
  const whole = readInstruction(new LogicalLine(text, 1, []), escapeToken, dialect);
  const instruction: Instruction | null = whole.name === 'onbuild' ? triggered(whole, escapeToken, dialect) : whole;
  if (instruction === null || !takers.has(instruction.name) || jsonStrings(instruction.rest, dialect) !== null)
    return [];
  return words(fromLatin1(text), {
    escapeToken: '\\',
    keepQuotes: true,
    keepEscapes: true,
    recent: dialect.recentLexer,
    work,
  }).flatMap((word) => {
    const [, dash = '', rest = ''] = /^\d*<<(-?)\s*([^<]*)$/.exec(word) ?? [];
    if (rest === '') return [];
    const names = splitWords(rest, { escapeToken: '\\', work });
    return names.length === 1 ? [{ name: toLatin1(names[0] as string), chomps: dash === '-' }] : [];
  });
}

function words(text: string, how: Parameters<typeof splitWords>[1]): readonly string[] {
  try {
    return splitWords(text, how);
  } catch (fault) {
    // BuildKit finds no heredoc in a line that it cannot split.
    if (fault instanceof ExpansionFault) return [];
    throw fault;
  }
}
