/** Which files of a context an engine leaves out by `.dockerignore` (moby, patternmatcher and ignorefile). */

interface Pattern {
  readonly negated: boolean;
  readonly matches: (path: string) => boolean;
}

/** Whether the patterns of `ignoreFile` match a clean path, or a folder that it lies in. */
export function isIgnored(ignoreFile: string, path: string): boolean {
  const parts = path.split('/');
  const places = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  let ignored = false;
  for (const { negated, matches } of patternsOf(ignoreFile)) {
    if (negated === ignored && places.some(matches)) ignored = !negated;
  }
  return ignored;
}

function patternsOf(ignoreFile: string): readonly Pattern[] {
  const lines = ignoreFile.replace(/^\ufeff/, '').split('\n');
  return lines.flatMap((line) => {
    const said = line.startsWith('#') ? '' : line.trim();
    const negated = said.startsWith('!');
    const pattern = (negated ? said.slice(1) : said).trim();
    return pattern === '' ? [] : [{ negated, matches: matcherOf(clean(pattern)) }];
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

function matcherOf(pattern: string): (path: string) => boolean {
  let source = '';
  for (let at = 0; at < pattern.length; ) {
    const [token] = /^(?:\*\*\/?|\\[\s\S]|[\s\S])/u.exec(pattern.slice(at)) as RegExpExecArray;
    at += token.length;
    if (token.startsWith('**')) source += at === pattern.length ? '.*' : '(?:.*/)?';
    else if (token === '*') source += '[^/]*';
    else if (token === '?') source += '[^/]';
    else if (token === '[') {
      const end = pattern.indexOf(']', at + 1);
      const set = end < 0 ? '' : pattern.slice(at, end);
      source += end < 0 ? '\\[' : `[${set.startsWith('^') ? '^' : ''}${escaped(set.replace(/^\^/, ''))}]`;
      at = end < 0 ? at : end + 1;
    } else source += token.startsWith('\\') && token.length > 1 ? escaped(token.slice(1)) : escaped(token);
  }
  const whole = new RegExp(`^${source}$`, 'su');
  return (path) => whole.test(path);
}

/** A range keeps its `-`. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
