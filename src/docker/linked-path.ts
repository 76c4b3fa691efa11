/** Where a path of a container leads when links are followed, by what an engine says of each part of it. */

import { isObject, JsonFault, readJsonText } from '../ground/json.ts';

const STAT = 'x-docker-container-path-stat';
/** `os.ModeSymlink` of Go. */
const LINK = 2 ** 27;

/** The clean path itself and every directory on the way, the longest first. */
export function partsOf(path: string): readonly string[] {
  const names = path.split('/').slice(1);
  return names.map((_, at) => `/${names.slice(0, names.length - at).join('/')}`);
}

/**
 * Of the head of an answer about a path: where the link leads that stands there, in the container and with all other links
 * followed; null where none does.
 */
export function linkTargetIn(headers: readonly string[]): string | null {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === STAT);
  if (at < 0) return null;
  const { mode, linkTarget } = statIn(headers[at + 1] as string);
  const isLink = typeof mode === 'number' && Math.floor(mode / LINK) % 2 === 1;
  return isLink && typeof linkTarget === 'string' && linkTarget.startsWith('/') ? linkTarget : null;
}

function statIn(text: string) {
  try {
    const said = readJsonText(Buffer.from(text, 'base64').toString(), 8);
    return isObject(said) ? said : {};
  } catch (fault) {
    if (fault instanceof JsonFault) return {};
    throw fault;
  }
}
