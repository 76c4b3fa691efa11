/**
 * In what engines of different ages read a Dockerfile differently. The classic builder takes its parser from BuildKit, as
 * it was when the engine was released (moby, vendor/github.com/moby/buildkit/frontend/dockerfile/parser).
 */

export interface Dialect {
  /** `<<EOF` behind RUN, COPY and ADD swallows the lines up to EOF. */
  readonly heredocs: boolean;
  /** `<< EOF` is one too, and other ways of BuildKit's lexer since 0.13. */
  readonly recentLexer: boolean;
  /** `# check=` is a parser directive, behind which another one may stand. */
  readonly checkDirective: boolean;
  /** Flags are escaped by the token of `# escape=`, not always by a backslash. */
  readonly flagsEscapedByToken: boolean;
  /** All carriage returns at the end of a line belong to it, not only the last one. */
  readonly manyReturns: boolean;
  /** A JSON array with something behind it is none. */
  readonly wholeJson: boolean;
}

const oldest: Dialect = {
  heredocs: false,
  recentLexer: false,
  checkDirective: false,
  flagsEscapedByToken: false,
  manyReturns: false,
  wholeJson: false,
};

const newest: Dialect = {
  heredocs: true,
  recentLexer: true,
  checkDirective: true,
  flagsEscapedByToken: true,
  manyReturns: true,
  wholeJson: true,
};

/** Of engine 23.0, the first one with heredocs, and of those up to 26.1. */
const middle: Dialect = { ...oldest, heredocs: true, manyReturns: true };

/** The readings that an engine may have, by the newest API version (its minor number) that it speaks; null: any. */
export function dialectsOf(newestApi: number | null): readonly Dialect[] {
  if (newestApi === null) return [newest, middle, oldest];
  if (newestApi < 42) return [oldest];
  return newestApi <= 45 ? [middle, newest] : [newest, middle];
}
