/** One instruction as one line of text, with where each character of it stands in the file. */

/** A file that engines refuse, or that they do not all read alike. */
export class DockerfileFault extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** A stretch of a logical line and where it stands in the file. */
export interface Piece {
  readonly at: number;
  readonly from: number;
  readonly length: number;
}

/** A stretch of the file, by its offsets. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export class LogicalLine {
  readonly text: string;
  /** Of the first physical line, from 1. */
  readonly number: number;
  private readonly pieces: readonly Piece[];

  constructor(text: string, number: number, pieces: readonly Piece[]) {
    this.text = text;
    this.number = number;
    this.pieces = pieces;
  }

  /** What `[from, to)` of the text is in the file: more than one stretch where a line was continued within it. */
  spans(from: number, to: number): readonly Span[] {
    const found: Span[] = [];
    for (const piece of this.pieces) {
      const start = Math.max(from, piece.at);
      const end = Math.min(to, piece.at + piece.length);
      if (start < end) found.push({ from: piece.from + start - piece.at, to: piece.from + end - piece.at });
    }
    return found;
  }
}
