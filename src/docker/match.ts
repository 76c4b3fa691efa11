/** From a method and a decoded path to the endpoint, by the table alone. */

import type { Endpoint } from './endpoint.ts';

export interface Matched {
  readonly endpoint: Endpoint;
  readonly parameters: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly endpoint: Endpoint;
  readonly names: readonly string[];
  /** Literal texts before, between and behind the parameters. */
  readonly literals: readonly string[];
}

const NO_PARAMETERS: Readonly<Record<string, string>> = {};

/** Decides between endpoints as moby's router does: a parameter may span slashes, what is literal wins. */
export class Matcher {
  private readonly exact = new Map<string, Matched>();
  private readonly patterns = new Map<string, Pattern[]>();

  constructor(table: readonly Endpoint[]) {
    for (const endpoint of table) {
      const literals = endpoint.path.split(/\{[^}]+\}/);
      if (literals.length === 1) {
        this.exact.set(`${endpoint.method} ${endpoint.path}`, { endpoint, parameters: NO_PARAMETERS });
        continue;
      }
      const names = [...endpoint.path.matchAll(/\{([^}]+)\}/g)].map((found) => found[1] as string);
      const key = `${endpoint.method} ${firstSegment(endpoint.path)}`;
      const patterns = this.patterns.get(key) ?? [];
      patterns.push({ endpoint, names, literals });
      this.patterns.set(key, patterns);
    }
    for (const patterns of this.patterns.values()) patterns.sort((a, b) => weight(b) - weight(a));
  }

  match(method: string, path: string): Matched | null {
    const exact = this.exact.get(`${method} ${path}`);
    if (exact !== undefined) return exact;
    for (const pattern of this.patterns.get(`${method} ${firstSegment(path)}`) ?? []) {
      const parameters = capture(pattern, path);
      if (parameters !== null) return { endpoint: pattern.endpoint, parameters };
    }
    return method === 'OPTIONS' ? (this.exact.get('OPTIONS *') ?? null) : null;
  }
}

function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path : path.slice(0, end);
}

/** More literals first, then longer ones: `/containers/{id}/attach/ws` before `/containers/{id}`. */
function weight(pattern: Pattern): number {
  return pattern.literals.length * 1000 + pattern.literals.reduce((sum, literal) => sum + literal.length, 0);
}

function capture(pattern: Pattern, path: string): Readonly<Record<string, string>> | null {
  const { literals, names } = pattern;
  const last = literals[names.length] as string;
  if (!path.startsWith(literals[0] as string) || !path.endsWith(last)) return null;
  const parameters: Record<string, string> = {};
  let end = path.length - last.length;
  // From the right: gorilla's `.*` is greedy, so the last literal that fits is the one that counts.
  for (let i = names.length - 1; i >= 0; i--) {
    const literal = literals[i] as string;
    const start = i === 0 ? literal.length : path.lastIndexOf(literal, end - 1 - literal.length) + literal.length;
    if (i > 0 && start < literal.length) return null;
    if (start >= end) return null;
    parameters[names[i] as string] = path.slice(start, end);
    end = start - literal.length;
  }
  return parameters;
}

/** The path of an endpoint with its parameters in place, escaped; slashes of image names stay slashes. */
export function printPath(endpoint: Endpoint, parameters: Readonly<Record<string, string>>): string {
  return endpoint.path.replace(/\{([^}]+)\}/g, (_, name: string) => escapePath(parameters[name] as string));
}

const PLAIN = /^[A-Za-z0-9_.:@~/-]+$/;

function escapePath(text: string): string {
  return PLAIN.test(text) ? text : text.split('/').map(encodeURIComponent).join('/');
}
