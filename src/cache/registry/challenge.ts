/** `WWW-Authenticate` of a registry (RFC 9110 §11.6.1; the token specification of distribution). */

export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly realm: string;
  readonly service: string;
  readonly scope: string;
}

const parameter = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
const scheme = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s+|$|(?=,))/y;

/** The first one that we can answer: a token rather than a password. Null where there is none. */
export function readChallenge(header: string | readonly string[] | undefined): Challenge | null {
  const found = [header ?? []].flat().flatMap(readAll);
  return (
    found.find((one) => one.scheme === 'bearer' && one.realm !== '') ??
    found.find((one) => one.scheme === 'basic') ??
    null
  );
}

function readAll(text: string): readonly Challenge[] {
  const found: Challenge[] = [];
  let at = 0;
  while (at < text.length) {
    scheme.lastIndex = at;
    const name = scheme.exec(text)?.[1]?.toLowerCase();
    if (name === undefined) break;
    at = scheme.lastIndex;
    const values = new Map<string, string>();
    for (;;) {
      parameter.lastIndex = at;
      const next = parameter.exec(text);
      if (next === null) break;
      at = parameter.lastIndex;
      values.set((next[1] as string).toLowerCase(), next[2]?.replace(/\\(.)/g, '$1') ?? (next[3] as string));
    }
    if (name !== 'basic' && name !== 'bearer') continue;
    const said = (key: string): string => values.get(key) ?? '';
    found.push({ scheme: name, realm: said('realm'), service: said('service'), scope: said('scope') });
  }
  return found;
}
