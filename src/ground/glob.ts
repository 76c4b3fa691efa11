/**
 * Globs: `*` is any run of characters, `?` any one. With a separator neither crosses it, and `**` does. Everything else
 * stands for itself. Matched by following all possibilities at once, so a hostile pattern costs no more than
 * its length times the text's.
 */

export interface GlobOptions {
  /** `/` for paths. Absent: names, in which `*` and `**` mean the same. */
  readonly separator?: string;
}

export type Glob = (text: string) => boolean;

/** Longer patterns are mistakes; the bound keeps matching linear in the text. */
export const maxGlobLength = 512;

type Token = { readonly kind: 'one' | 'run' | 'deepRun' } | { readonly kind: 'literal'; readonly char: string };

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === '?') tokens.push({ kind: 'one' });
    else if (char !== '*') tokens.push({ kind: 'literal', char });
    else if (pattern.charAt(i + 1) === '*') {
      tokens.push({ kind: 'deepRun' });
      i++;
    } else tokens.push({ kind: 'run' });
  }
  return tokens;
}

/** Why this is no glob, or undefined. */
export function globFault(pattern: string): string | undefined {
  if (pattern === '') return 'is empty';
  if (pattern.length > maxGlobLength) return `is longer than ${maxGlobLength} characters`;
  if (pattern.includes('***')) return 'has three stars in a row';
  return undefined;
}

/** Throws a RangeError for what `globFault` names. */
export function compileGlob(pattern: string, options: GlobOptions = {}): Glob {
  const fault = globFault(pattern);
  if (fault !== undefined) throw new RangeError(`the glob ${JSON.stringify(pattern)} ${fault}`);
  const tokens = tokensOf(pattern);
  const separator = options.separator;

  return (text) => {
    // reached[i]: the text so far can be matched by the first i tokens.
    let reached = new Uint8Array(tokens.length + 1);
    let next = new Uint8Array(tokens.length + 1);
    reached[0] = 1;
    skipRuns(tokens, reached);
    for (let at = 0; at < text.length; at++) {
      const char = text.charAt(at);
      next.fill(0);
      let alive = false;
      for (let i = 0; i < tokens.length; i++) {
        if (reached[i] === 0) continue;
        const token = tokens[i] as Token;
        const within = token.kind === 'literal' ? token.char === char : token.kind === 'deepRun' || char !== separator;
        if (!within) continue;
        next[token.kind === 'run' || token.kind === 'deepRun' ? i : i + 1] = 1;
        alive = true;
      }
      if (!alive) return false;
      skipRuns(tokens, next);
      [reached, next] = [next, reached];
    }
    return reached[tokens.length] === 1;
  };
}

/** A run may also be empty: whoever stands before it stands behind it too. */
function skipRuns(tokens: readonly Token[], reached: Uint8Array): void {
  for (let i = 0; i < tokens.length; i++) {
    const kind = tokens[i]?.kind;
    if (reached[i] === 1 && (kind === 'run' || kind === 'deepRun')) reached[i + 1] = 1;
  }
}

/** The same glob as a regular expression that JavaScript and RE2 read alike; it is not anchored. */
export function globRegex(pattern: string, { separator }: GlobOptions = {}): string {
  const any = separator === undefined ? '.' : `[^${separator}]`;
  return tokensOf(pattern)
    .map((token) => {
      if (token.kind === 'literal') return token.char.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      if (token.kind === 'one') return any;
      return token.kind === 'run' ? `${any}*` : '.*';
    })
    .join('');
}
