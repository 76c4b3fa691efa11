/**
 * A request target, read once and strictly: what gorilla/mux, path cleaning and JavaScript would read differently is
 * refused. `new URL()` is never used: it takes `//containers/create` for a host and `\` for a slash.
 */

import { Refusal } from '../ground/refusal.ts';
import type { ApiVersion } from './shape.ts';

export interface Target {
  /** Decoded, without the version. */
  readonly path: string;
  /** What the client asked for; null where it did not say. */
  readonly version: { readonly major: number; readonly minor: number } | null;
  /** Behind the first `?`, as it came; empty without one. */
  readonly query: string;
}

const UNRESERVED_PATH = /^[A-Za-z0-9/_.:@~!$&'()*+,;=-]+$/;
const VERSION = /^\/v([0-9.]+)(?=\/)/;
const CANONICAL_VERSION = /^(0|[1-9][0-9]?)\.(0|[1-9][0-9]{0,2})$/;
const NOT_VISIBLE_ASCII = /[^\u0021-\u007e]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;

/** @throws Refusal unreadable-path */
export function readTarget(raw: string): Target {
  // RFC 9112 §3.2.4: the server itself is asked, not one of its paths.
  if (raw === '*') return { path: raw, version: null, query: '' };
  const mark = raw.indexOf('?');
  const rawPath = mark < 0 ? raw : raw.slice(0, mark);
  const query = mark < 0 ? '' : raw.slice(mark + 1);
  const path = UNRESERVED_PATH.test(rawPath) ? rawPath : decodePath(rawPath);
  if (path.charCodeAt(0) !== 0x2f) refuse('a path must begin with a slash');
  if (path.includes('//')) refuse('a path must not have an empty segment');
  if (path.includes('/.') && /\/\.\.?(\/|$)/.test(path)) refuse('a path must not have . or .. segments');
  const versioned = VERSION.exec(path);
  if (versioned === null) return { path, version: null, query };
  const canonical = CANONICAL_VERSION.exec(versioned[1] as string);
  // The engine reads v01.41, v1.041 and v1.41. as 1.41: one spelling is enough.
  if (canonical === null) return refuse(`"${versioned[1]}" is not an API version`);
  return {
    path: path.slice((versioned[0] as string).length),
    version: { major: Number(canonical[1]), minor: Number(canonical[2]) },
    query,
  };
}

function decodePath(raw: string): string {
  // The wire gives one character a byte: what is not ASCII would be read as other characters than the engine reads.
  if (NOT_VISIBLE_ASCII.test(raw)) refuse('a path must be visible ASCII');
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return refuse('a percent escape of the path is not UTF-8');
  }
  if (FORBIDDEN.test(path)) refuse('a path must not have control characters or backslashes');
  return path;
}

function refuse(message: string): never {
  throw new Refusal('unreadable-path', message, { place: 'path' });
}

/** The minor number of a version: all of the API is 1.x. */
export function minorOf(version: ApiVersion): number {
  return Number(version.slice(2));
}
