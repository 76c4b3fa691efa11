/** Paths of entries as they come to lie where an archive is unpacked. */

/** Without what goes without saying; null for what leads out of the archive. A `/` in front is its root. */
export function cleanPath(path: string): string | null {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join('/');
}
