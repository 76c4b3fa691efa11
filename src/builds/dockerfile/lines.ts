/**
 * The first pass over a Dockerfile: from its bytes to one logical line an instruction, with where each character of it
 * came from. Text is latin1 throughout, one character a byte, so that places are offsets into the file.
 */

import { trimStart } from './blanks.ts';
import type { Dialect } from './dialect.ts';
import { heredocsOf } from './heredocs.ts';
import { DockerfileFault, LogicalLine, type Piece, type Span } from './logical-line.ts';
import { Work } from './work.ts';

export interface LogicalLines {
  readonly lines: readonly LogicalLine[];
  readonly escapeToken: string;
}

/** bufio.MaxScanTokenSize: engines refuse a file with a longer line. */
const MAX_LINE_BYTES = 64 * 1024;
const BOM = '\xef\xbb\xbf';
const directive = /^#[\t\n\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=([^\n]+)$/;

/** @throws DockerfileFault for what every engine refuses, OverrunFault */
export function readLines(file: string, dialect: Dialect): LogicalLines {
  return new Reader(file, dialect).read();
}

class Reader {
  private readonly physical: readonly Span[];
  private readonly file: string;
  private readonly dialect: Dialect;
  private readonly seen = new Set<string>();
  private directivesDone = false;
  private escapeToken = '\\';
  private next = 0;

  constructor(file: string, dialect: Dialect) {
    this.file = file;
    this.dialect = dialect;
    this.physical = physicalLines(file);
  }

  read(): LogicalLines {
    const lines: LogicalLine[] = [];
    const work = new Work();
    while (this.next < this.physical.length) {
      const line = this.readOne();
      if (line === null) continue;
      lines.push(line);
      if (this.dialect.heredocs)
        for (const heredoc of heredocsOf(line.text, this.escapeToken, this.dialect, work))
          this.skip(heredoc, line.number);
    }
    return { lines, escapeToken: this.escapeToken };
  }

  private readOne(): LogicalLine | null {
    const number = this.next + 1;
    let { from, to } = this.take();
    if (number === 1 && this.file.startsWith(BOM)) from += BOM.length;
    from += this.file.slice(from, to).length - trimStart(this.file.slice(from, to)).length;
    if (this.isDirective(this.file.slice(from, to), number) || this.file[from] === '#') to = from;
    const pieces: Piece[] = [];
    let text = '';
    const add = (start: number, end: number): boolean => {
      const cut = this.continuedAt(this.file.slice(start, end));
      const length = cut < 0 ? end - start : cut;
      if (length > 0) pieces.push({ at: text.length, from: start, length });
      text += this.file.slice(start, start + length);
      return cut >= 0;
    };
    let continued = add(from, to);
    if (!continued && text === '') return null;
    while (continued && this.next < this.physical.length) {
      const span = this.take();
      const line = this.file.slice(span.from, span.to);
      const stripped = trimStart(line);
      // Comments and empty lines inside of an instruction are left out of it.
      if (stripped === '' || stripped.startsWith('#')) continue;
      continued = add(span.from, span.to);
    }
    return new LogicalLine(text, number, pieces);
  }

  /** The next physical line without its end. */
  private take(): Span {
    const span = this.physical[this.next++] as Span;
    const line = this.file.slice(span.from, span.to);
    if (line.length >= MAX_LINE_BYTES) throw new DockerfileFault(this.next, 'a line is longer than 65535 bytes');
    const ended = this.dialect.manyReturns
      ? lengthWithout(line, '\r\n')
      : line.replace(/\n$/, '').replace(/\r$/, '').length;
    return { from: span.from, to: span.from + ended };
  }

  private isDirective(line: string, number: number): boolean {
    if (this.directivesDone) return false;
    const found = directive.exec(line);
    const name = found?.[1]?.toLowerCase() ?? '';
    const known = name === 'escape' || name === 'syntax' || (name === 'check' && this.dialect.checkDirective);
    if (!known) {
      this.directivesDone = true;
      return false;
    }
    if (this.seen.has(name)) throw new DockerfileFault(number, `only one ${name} parser directive can be used`);
    this.seen.add(name);
    if (name !== 'escape') return true;
    const said = (found?.[2] ?? '').replace(/^[\t\n\f\r ]+/, '');
    const token = said.slice(0, lengthWithout(said, '\t\n\f\r '));
    if (token !== '`' && token !== '\\') {
      throw new DockerfileFault(number, `invalid escape token '${token}' does not match \` or \\`);
    }
    this.escapeToken = token;
    return true;
  }

  /** Where the mark of a continued line begins; -1 where the line ends here. */
  private continuedAt(line: string): number {
    const at = lengthWithout(line, ' \t') - 1;
    if (at < 0 || line[at] !== this.escapeToken) return -1;
    return at > 0 && line[at - 1] === this.escapeToken ? -1 : at;
  }

  private skip({ name, chomps }: { name: string; chomps: boolean }, number: number): void {
    while (this.next < this.physical.length) {
      const { from, to } = this.physical[this.next++] as Span;
      const whole = this.file.slice(from, to);
      const line = whole.slice(0, lengthWithout(whole, '\r\n'));
      if (line.length >= MAX_LINE_BYTES) break;
      if ((chomps ? line.replace(/^\t+/, '') : line) === name) return;
    }
    throw new DockerfileFault(number, 'unterminated heredoc');
  }
}

/** Without those at its end. An expression that looks for them tries each of those before in turn. */
function lengthWithout(line: string, those: string): number {
  let length = line.length;
  while (length > 0 && those.includes(line[length - 1] as string)) length--;
  return length;
}

/** With their ends. */
function physicalLines(file: string): readonly Span[] {
  const lines: Span[] = [];
  let from = 0;
  while (from < file.length) {
    const found = file.indexOf('\n', from);
    const to = found < 0 ? file.length : found + 1;
    lines.push({ from, to });
    from = to;
  }
  return lines;
}
